"""Commands of plugins: those that manifests name, and those that plugins register when they are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from crm_core.assembly.discovery import commands
from crm_core.assembly.manifest import Command, Manifest
from crm_core.cli.application import Application
from crm_core.errors import CrmError

__all__ = ["catalogues", "command_of"]


def command_of(application: Application, name: str) -> click.Command | None:
    """The command of a plugin, if there is one; its plugin must be in the build once it looks at the CRM."""
    declared = commands(application.installed).get(name)
    if declared is not None:
        application.plugin = declared[0]
        if application.translator.language != "en":
            application.translator = application.translator.also(catalogues(application))
        return _loaded(declared[1])
    try:
        build = application.assemble(strict=False)
    except CrmError:
        # Without a build there is only the misspelt name to tell of.
        return None
    registered = build.commands.get(name)
    return None if registered is None else _loaded(registered)


def _loaded(registered: Any) -> click.Command:
    command: click.Command = registered.load() if isinstance(registered, Command) else registered
    return command


def catalogues(application: Application) -> Iterator[tuple[str, Path]]:
    """The locale folders of installed plugins, without importing them."""
    for each in application.installed():
        try:
            manifest = each.load()
        except Exception:  # noqa: S112 - told by the assembly report  # nosec B112
            continue
        if isinstance(manifest, Manifest) and manifest.locale is not None:
            spec = find_spec(manifest.module.rpartition(".")[0] or manifest.module)
            for place in (spec.submodule_search_locations or ()) if spec is not None else ():
                yield manifest.name, Path(place) / manifest.locale

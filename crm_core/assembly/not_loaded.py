"""Why a plugin whose records the database knows is not loaded, and how to change that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.errors import Problem

if TYPE_CHECKING:
    from crm_core.assembly.build import Build

__all__ = ["why_not_loaded"]


def why_not_loaded(build: Build, record: str, plugin: str) -> Problem:
    """What to say to somebody who asks for a record type of a plugin that this build does not load."""
    values = {"name": record, "plugin": plugin}
    if plugin in build.file.crm.disabled and plugin in build.off:
        return Problem(
            record, "The record type {name!r} belongs to the plugin {plugin}, which is switched off.",
            "Switch it on by 'crm plugins enable {plugin}', then run 'crm migrate'.", values,
        )  # fmt: skip
    if plugin in build.off:
        return Problem(
            record, "The record type {name!r} belongs to the plugin {plugin}, which is left out of this run.",
            "Run without --without and --no-plugins.", values,
        )  # fmt: skip
    if plugin in build.file.crm.plugins:
        return Problem(
            record, "The record type {name!r} belongs to the plugin {plugin}, which cannot be loaded.",
            "See why by 'crm plugins', and mend it.", values,
        )  # fmt: skip
    if not _installed(plugin):
        return Problem(
            record, "The record type {name!r} belonged to the plugin {plugin}, which is not installed.",
            "Install its distribution and add it to plugins in [crm], or bring back what 'crm plugins remove' exported "
            "by 'crm plugins restore FOLDER'.", values,
        )  # fmt: skip
    return Problem(
        record, "The record type {name!r} belonged to the plugin {plugin}, which is not part of the build.",
        "Add it to plugins in [crm] and run 'crm migrate', or bring back what 'crm plugins remove' exported by 'crm "
        "plugins restore FOLDER'.", values,
    )  # fmt: skip


def _installed(plugin: str) -> bool:
    from importlib.metadata import entry_points

    from crm_core.assembly.discovery import GROUP

    return any(entry.name == plugin for entry in entry_points(group=GROUP))

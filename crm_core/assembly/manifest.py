"""The manifest: what can be known of a plugin without importing it.

Keep the module that holds it cheap: it imports this one and nothing of the plugin's own, because ``crm
--help`` and every assembly read the manifests of plugins that they may not load.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from crm_core.errors import DeclarationError

__all__ = ["HOOK_API", "NAME", "Command", "Manifest"]

HOOK_API = "0.1"
"""The version of the contract (hooks, records, fields, session) that this kernel offers.

Manifests require it.
"""

NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@attrs.frozen
class Command:
    """A command below ``crm``: where it is (``crm_key_accounts.commands:scores``) and one line of help."""

    target: str
    help: str = ""

    def load(self) -> Any:
        """Import and return the click command."""
        from importlib.metadata import EntryPoint

        return EntryPoint("command", self.target, "crm_core.commands").load()


def _commands(given: Mapping[str, Command | tuple[str, str]]) -> Mapping[str, Command]:
    return {name: each if isinstance(each, Command) else Command(*each) for name, each in given.items()}


@attrs.frozen(kw_only=True)
class Manifest:
    """What a plugin is called, needs, and where its parts are.

    ``crm_core`` the versions of the contract it works with, by PEP 440: ``">=0.1,<1"``. ``requires`` other
    plugins with the versions of theirs: ``{"stakeholders": ">=0.1"}``. Only their records may be referred to.
    ``module`` the dotted module that holds the implementations of hooks. ``migrations``, ``locale`` folders
    with Alembic revisions and with message catalogues, relative to the package that ``module`` is in.
    ``commands`` commands by name, each with its target and one line of help: ``{"scores":
    ("crm_x.commands:scores", "...")}``.

    Raises :class:`~crm_core.errors.DeclarationError` when the name is not snake_case.
    """

    name: str
    version: str
    crm_core: str
    module: str
    requires: Mapping[str, str] = attrs.field(factory=dict)
    migrations: str | None = None
    locale: str | None = None
    label: str = ""
    description: str = ""
    commands: Mapping[str, Command] = attrs.field(factory=dict, converter=_commands)

    def __attrs_post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeclarationError(
                "{name!r} is no name for a plugin.",
                mend="Write it in snake_case, such as key_accounts.",
                plugin=self.name,
                name=self.name,
            )

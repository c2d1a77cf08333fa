"""``crm build``. Each subcommand has a module of its own, imported when it is run."""

from __future__ import annotations

from collections.abc import Mapping

from crm_core.cli.helping import group
from crm_core.cli.lazy import lazy

__all__ = ["SUBCOMMANDS", "command"]

SUBCOMMANDS: Mapping[str, str] = {
    "bundle": "Pack a build into an archive that is installed without a network.",
    "check": "Judge the build as a whole, before anybody works with it.",
    "diff": "Say in words what is different between two builds.",
    "fields": "Show fields that people must fill and nobody uses, by role.",
    "graph": "Draw the plugins, hooks and record types of the build.",
    "lock": "Write down exactly which plugins the build was tried with.",
    "rehearse": "Try an upgrade on a copy of the database, and report what would break or be lost.",
    "verify": "Compare what is installed with the lock.",
}
"""The subcommands, each with its line of help."""


@group("build", cls=lazy(SUBCOMMANDS), no_args_is_help=True)
def command() -> None:
    """Look at the build as a whole; lock, pack and compare it."""

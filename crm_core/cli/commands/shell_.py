"""``crm shell``."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option

__all__ = ["command"]

_VERBS = ("accounts", "activities", "contacts", "dated", "organisation", "ownership", "shares")


@command("shell")
@option("--command", "-c", "code", metavar="CODE", help="Run this and end.")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@pass_application
def command_shell(application: Application, code: str | None, reason: str | None) -> None:
    """Work with the CRM in Python.

    There are crm, session, select, every record class by its name, and the verbs (accounts, ownership ...). Nothing
    is kept without session.commit().
    """
    with application.session(reason=reason, source="shell") as session:
        try:
            names = _names(application, session)
            if code is not None:
                compiled = compile(code, "<command>", "exec")
                exec(compiled, names)  # noqa: S102 - what the command is for  # nosec B102
            else:
                _interact(application, names)
        finally:
            session.rollback()


command = command_shell


def _names(application: Application, session: Any) -> dict[str, Any]:
    from sqlalchemy import select

    import crm_core

    names = {each.cls.__name__: each.cls for each in reversed(list(application.crm.types.values()))}
    names |= {verb: getattr(crm_core, verb) for verb in _VERBS}
    return {**names, "crm": application.crm, "session": session, "select": select, "__name__": "__console__"}


def _interact(application: Application, names: dict[str, Any]) -> None:
    import code

    # Editing and history of lines, where Python has it.
    with suppress(ImportError):
        import readline  # noqa: F401
    banner = application.translator.format(
        "{name} as {principal}: crm, session, select and the record classes are here; session.commit() keeps changes.",
        name=application.crm.build.file.crm.name,
        principal=names["session"].actor.principal,
    )
    former = sys.ps1 if hasattr(sys, "ps1") else None
    code.interact(banner=banner, local=names, exitmsg="")
    if former is not None:
        sys.ps1 = former

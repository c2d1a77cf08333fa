"""How commands that change something end: it is kept, and told how to take it back; or it was a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.cli.helping import option

if TYPE_CHECKING:
    from crm_core.cli.application import Application
    from crm_core.store.session import CrmSession

__all__ = ["dry_run_option", "print_settled", "settle"]

dry_run_option = option("--dry-run", is_flag=True, help="Do it, tell what changed, and take it back.")


def settle(session: CrmSession, dry_run: bool) -> int | None:
    """Let rules and plugins object, then keep what was done and give its change set; a dry run is taken back.

    ``None`` where nothing was kept. What is told of records is to be read before: a dry run leaves nothing to read.
    """
    session.check()
    if dry_run:
        session.rollback()
        return None
    session.commit()
    return session.last_change_set


def print_settled(application: Application, change_set: int | None, dry_run: bool) -> None:
    """What to undo, or that there is nothing to."""
    if dry_run:
        application.output.note("It was a dry run: nothing was changed.")
    elif change_set is not None:
        application.output.note("To take it back: crm undo {made}", made=change_set)

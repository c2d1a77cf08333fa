"""The options that say when, and through whose eyes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from crm_core.cli.helping import option
from crm_core.cli.moments import MOMENT, When

if TYPE_CHECKING:
    import datetime as dt

    from crm_core.cli.application import Application
    from crm_core.store.session import CrmSession

__all__ = ["as_json", "looking", "time_options"]

F = TypeVar("F", bound=Callable[..., Any])

as_json = option("--json", "as_json", is_flag=True, help="Print JSON.")


def time_options(function: F) -> F:
    """Add ``--at``, ``--as-of`` and ``--as``."""
    options = (
        option("--at", type=MOMENT, metavar="DATE",
               help="As it was in the business on this day or at this moment (valid time)."),
        option("--as-of", type=MOMENT, metavar="MOMENT",
               help="As the CRM knew it on this day or at this moment (recorded time)."),
        option("--as", "login", metavar="USER",
               help="As this user sees it; needs the permission system.impersonate."),
    )  # fmt: skip
    for each in reversed(options):
        function = each(function)
    return function


def looking(application: Application, at: When | None, as_of: When | None, login: str | None = None) -> CrmSession:
    """A reading session at the given times."""
    return application.looking(at=moment_of(application, at), as_of=moment_of(application, as_of), login=login)


def moment_of(application: Application, when: When | None) -> dt.datetime | None:
    """The moment, in the time zone of the build."""
    return None if when is None else when.moment_in(application.crm.build.policy.tz)

"""``crm user``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.times import as_json, moment_of
from crm_core.domain import organisation
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_core.store.session import CrmSession

__all__ = ["command"]

reason_option = option("--reason", metavar="TEXT", help="Why; it stands in the journal.")


@group("user")
def command() -> None:
    """Show our own people and their places; let them come and go."""


@command.command("list")
@option("--all", "every", is_flag=True, help="Those who are not active, too.")
@as_json
@pass_application
def list_(application: Application, every: bool, as_json: bool) -> None:
    """List users with the units they belong to now, and their roles."""
    with application.looking() as session:
        query = select(User).order_by(User.login, User.id)
        found = list(session.scalars(query if every else query.where(User.active.is_(True))))
        _tell(application, session, found, as_json)


@command.command("add")
@argument("login")
@option("--name", metavar="NAME", help="What people call them. Else the login.")
@option("--email", metavar="ADDRESS", help="Their e-mail address.")
@option("--unit", metavar="UNIT", help="Let them join this unit.")
@option("--role", metavar="ROLE", help="With which role they join it.")
@reason_option
@as_json
@pass_application
def add(
    application: Application,
    login: str,
    name: str | None,
    email: str | None,
    unit: str | None,
    role: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Add a user with a LOGIN that nobody has yet."""
    from crm_core.cli.usage import ConflictingOptions
    from crm_core.errors import Conflict

    if (unit is None) != (role is None):
        raise ConflictingOptions("--unit and --role go together.")
    with application.session(reason=reason) as session:
        if session.scalars(select(User).where(User.login == login)).first() is not None:
            raise Conflict(
                "There is a user {login!r} already.", mend="Choose another login.", record="user", login=login
            )
        user = session.add_one(User(login=login, name=name or login, email=email))
        session.flush()
        if unit is not None and role is not None:
            organisation.join(session, user, unit, role=role)
        session.check()
        _tell(application, session, [user], as_json)


@command.command("deactivate")
@argument("login")
@reason_option
@as_json
@pass_application
def deactivate(application: Application, login: str, reason: str | None, as_json: bool) -> None:
    """Let a user work here no more. Whoever is still responsible for accounts hands them over first."""
    _set_active(application, login, False, reason, as_json)


@command.command("activate")
@argument("login")
@reason_option
@as_json
@pass_application
def activate(application: Application, login: str, reason: str | None, as_json: bool) -> None:
    """Let a user work here again."""
    _set_active(application, login, True, reason, as_json)


@command.command("join")
@argument("login")
@argument("unit")
@argument("role")
@option("--from", "from_", type=MOMENT, metavar="DATE", help="From when on. Else from now on.")
@reason_option
@as_json
@pass_application
def join(
    application: Application,
    login: str,
    unit: str,
    role: str,
    from_: When | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Give a user a place in a unit with a role."""
    with application.session(reason=reason) as session:
        user = organisation.find_user(session, login)
        organisation.join(session, user, unit, role=role, from_=moment_of(application, from_))
        session.check()
        _tell(application, session, [user], as_json)


@command.command("leave")
@argument("login")
@argument("unit")
@option("--at", type=MOMENT, metavar="DATE", help="From when on. Else from now on.")
@reason_option
@as_json
@pass_application
def leave(application: Application, login: str, unit: str, at: When | None, reason: str | None, as_json: bool) -> None:
    """End a user's places in a unit."""
    with application.session(reason=reason) as session:
        user = organisation.find_user(session, login)
        organisation.leave(session, user, unit, at=moment_of(application, at))
        session.check()
        _tell(application, session, [user], as_json)
        _tell_book(application, session, user)


def _set_active(application: Application, login: str, active: bool, reason: str | None, as_json: bool) -> None:
    with application.session(reason=reason) as session:
        user = organisation.find_user(session, login)
        user.active = active
        session.check()
        _tell(application, session, [user], as_json)
        if not active:
            _tell_book(application, session, user)


def _tell_book(application: Application, session: CrmSession, user: User) -> None:
    """What whoever leaves is responsible for now or later, as far as the actor sees it."""
    query = select(func.count(Ownership.account_id.distinct())).where(
        Ownership.user_id == user.id, or_(Ownership.valid_to.is_(None), Ownership.valid_to > session.clock())
    )
    count = session.execute(query, execution_options={"all_dates": True}).scalar_one()
    if count:
        application.output.note(
            "{login} is still responsible for one account: crm handover draft {login} --to LOGIN."
            if count == 1
            else "{login} is still responsible for {count} accounts: crm handover draft {login} --to LOGIN.",
            login=user.login,
            count=count,
        )
    else:
        application.output.note(
            "{login} is responsible for no account that you see: there is nothing to hand over.", login=user.login
        )


def _tell(application: Application, session: CrmSession, found: Sequence[User], as_json: bool) -> None:
    output = application.output
    places: dict[int, list[tuple[str, str]]] = {user.id: [] for user in found}
    # What this session wrote holds from a moment after its beginning on, so the present is asked for anew.
    now = session.clock()
    query = (
        select(Membership.user_id, Unit.name, Membership.role, Membership.valid_from, Membership.valid_to)
        .join(Unit, Unit.id == Membership.unit_id)
        .order_by(Membership.id)
    )
    for row in session.execute(query, execution_options={"all_dates": True}):
        begun = row.valid_from is None or row.valid_from <= now
        if row.user_id in places and begun and (row.valid_to is None or row.valid_to > now):
            places[row.user_id].append((row.name, row.role))
    if as_json:
        users: list[dict[str, Any]] = [
            {
                "id": user.id,
                "login": user.login,
                "name": user.name,
                "email": user.email,
                "active": user.active,
                "places": [{"unit": unit, "role": role} for unit, role in places[user.id]],
            }
            for user in found
        ]
        output.json({"users": users})
        return
    labels = session.policy.vocabularies.get("role", {})

    def _role(role: str) -> str:
        return output.translator.word(role, labels.get(role))

    output.table(
        ("login", "full name", "active", "units"),
        (
            (
                user.login,
                user.name,
                output.translator.text("yes" if user.active else "no"),
                ", ".join(f"{unit} ({_role(role)})" for unit, role in places[user.id]),
            )
            for user in found
        ),
    )

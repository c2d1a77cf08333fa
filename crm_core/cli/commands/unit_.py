"""``crm unit``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions
from crm_core.domain import organisation
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import Conflict

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["command"]

_KIND_LABELS = ("Company", "Region", "Branch", "Department", "Team")
"""Kinds that are usual; a unit may be of any other."""
_reason = option("--reason", metavar="TEXT", help="Why; it stands in the journal.")


@group("unit", no_args_is_help=True)
def command() -> None:
    """Show the units of our own company as a tree; make and move them."""


@command.command("list")
@as_json
@pass_application
def list_(application: Application, as_json: bool) -> None:
    """Show the units as a tree, each with how many people belong to it now."""
    with application.looking() as session:
        _tell(application, session, list(_tree(session.list(Unit, order="name, id"))), as_json)


@command.command("add")
@argument("name")
@option("--parent", metavar="UNIT", help="The unit above it, by name, code or id. Else it stands at the top.")
@option("--code", metavar="CODE", help="A short name by which it may be called, too.")
@option("--kind", metavar="KIND", default="department", help="What it is: company, region, team. Else a department.")
@option("--manager", metavar="LOGIN", help="Let this user join it in the role manager.")
@_reason
@as_json
@pass_application
def add(
    application: Application, name: str, parent: str | None, code: str | None, kind: str, manager: str | None,
    reason: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Make a unit called NAME: a region, a branch, a department, a team."""
    with application.session(reason=reason) as session:
        above = None if parent is None else _find(session, parent)
        _refuse_twins(session, name, code, above)
        unit = session.add_one(Unit(name=name, code=code, kind=kind, parent_id=None if above is None else above.id))
        session.flush()
        if manager is not None:
            organisation.join(session, manager, unit, role="manager")
        session.commit()
        _tell(application, session, [(0, unit)], as_json)


@command.command("move")
@argument("unit")
@option("--to", "parent", metavar="UNIT", help="The unit that it is below from now on.")
@option("--top", is_flag=True, help="Let it stand at the top.")
@_reason
@as_json
@pass_application
def move(application: Application, unit: str, parent: str | None, top: bool, reason: str | None, as_json: bool) -> None:
    """Put a UNIT, with all below it, below another one.

    Who sees which customers follows at once: roles reach down the tree.
    """
    if (parent is None) != top:
        raise ConflictingOptions("Give either --to UNIT or --top.")
    with application.session(reason=reason) as session:
        moved = _find(session, unit)
        moved.parent_id = None if parent is None else _find(session, parent).id
        session.commit()
        _tell(application, session, [(0, moved)], as_json)


def _find(session: CrmSession, which: str) -> Unit:
    """A unit by its code or name, or by its id; several of one name are told apart by their ids."""
    named = session.scalars(select(Unit).where((Unit.code == which) | (Unit.name == which)).order_by(Unit.id)).all()
    if len(named) > 1:
        raise Conflict(
            "Several units are called {which!r}: {ids}.", mend="Give the id.", record="unit", which=which,
            ids=", ".join(str(each.id) for each in named),
        )  # fmt: skip
    if named:
        return named[0]
    return organisation.find_unit(session, int(which) if which.isdecimal() else which)


def _refuse_twins(session: CrmSession, name: str, code: str | None, above: Unit | None) -> None:
    """Two units of one code, or of one name beside each other, could not be told apart."""
    same = (Unit.name == name) & (Unit.parent_id.is_(None) if above is None else Unit.parent_id == above.id)
    if code is not None:
        same = same | (Unit.code == code)
    twin = session.scalars(select(Unit).where(same)).first()
    if twin is not None:
        raise Conflict(
            "There is a unit {name!r} already: {id}.", mend="Choose another name or code.", record="unit",
            name=twin.name, id=twin.id,
        )  # fmt: skip


def _tree(units: Sequence[Unit]) -> Iterator[tuple[int, Unit]]:
    """The units with their depths, those below after those above."""
    known = {each.id for each in units}
    below: dict[int | None, list[Unit]] = {}
    for each in units:
        below.setdefault(each.parent_id if each.parent_id in known else None, []).append(each)
    waiting = [(0, each) for each in reversed(below.get(None, ()))]
    while waiting:
        depth, unit = waiting.pop()
        yield depth, unit
        waiting += [(depth + 1, each) for each in reversed(below.get(unit.id, ()))]


def _tell(application: Application, session: CrmSession, found: Sequence[tuple[int, Unit]], as_json: bool) -> None:
    output = application.output
    managers: dict[int, list[str]] = {}
    # What this session wrote holds from a moment after its beginning on, so the present is asked for anew.
    now = session.clock()
    query = (
        select(Membership.unit_id, Membership.user_id, User.name, Membership.role)
        .join(User, User.id == Membership.user_id)
        .where(
            User.active.is_(True),
            Membership.valid_from.is_(None) | (Membership.valid_from <= now),
            Membership.valid_to.is_(None) | (Membership.valid_to > now),
        )
        .distinct()
        .order_by(Membership.unit_id, Membership.user_id, Membership.role)
    )
    belong: set[tuple[int, int]] = set()
    for unit_id, user_id, name, role in session.execute(query, execution_options={"all_dates": True}):
        belong.add((unit_id, user_id))
        if role == "manager":
            managers.setdefault(unit_id, []).append(name)
    people = Counter(unit_id for unit_id, _ in belong)
    if as_json:
        units: list[dict[str, Any]] = [
            {
                "id": unit.id, "name": unit.name, "code": unit.code, "kind": unit.kind, "parent_id": unit.parent_id,
                "depth": depth, "people": people[unit.id], "managers": managers.get(unit.id, []),
            }
            for depth, unit in found
        ]  # fmt: skip
        output.json({"units": units})
        return
    output.table(
        ("id", "unit", "code", "kind", "people", "manager"),
        (
            (
                str(unit.id), "  " * depth + unit.name, unit.code or "",
                output.translator.word(unit.kind, unit.kind.replace("_", " ").capitalize()), str(people[unit.id]),
                ", ".join(managers.get(unit.id, ())),
            )
            for depth, unit in found
        ),
    )  # fmt: skip

"""Putting old activities away: they leave their table, and the journal keeps them whole.

They are deleted as one change set with what hangs on them. So rights, search and references follow as with every
deletion, ``as_of`` shows them as they were, an undo brings them back, and with the part of the journal that they are
in they can be detached.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs
from sqlalchemy import and_, or_, select

from crm_core.domain.activities import Activity, Status
from crm_core.errors import Problem, StillNeeded
from crm_core.records import RecordType
from crm_core.store.dependants import reflect
from crm_core.store.partitions.detaching import duties_before
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["PUT_AWAY", "PutAway", "put_away"]

PUT_AWAY: Final = "put_away"
"""The source of the change set, by which whoever is told of deletions knows what they are."""

_BATCH = 1000
_MOMENTS = ("planned_start", "planned_end", "started_at", "ended_at", "next_step_due")


@attrs.frozen
class PutAway:
    """What was (``dry_run``: would be) put away: how many activities, and how many rows with what hung on them.

    ``kept`` are those that are as old and stay, with what refers to them. ``rows`` of a dry run are ``None``.
    """

    activities: int
    rows: int | None
    kept: tuple[Problem, ...] = ()


def put_away(
    session: CrmSession,
    before: dt.datetime,
    *,
    dry_run: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> PutAway:
    """Delete activities that were held or cancelled before a moment, as the change set of this session.

    All their moments must lie before it, also when they were noted and when their next step was due. Those that
    something living refers to stay, unless it hangs on them and goes along; what that is stands in ``kept`` where the
    actor sees a part of it. ``tell`` is called with how many are done of how many. Only those go that the actor may
    delete. Raises :class:`StillNeeded` where a rule of the build looks further back, and
    :class:`~crm_core.errors.PermissionDenied` for whoever may delete none at all.
    """
    if not dry_run:
        session.writer.may(Activity.crm_type, "delete")
    obstacles = [*duties_before(session.policy, session.clock(), before), *_rules(session, before)]
    if obstacles:
        raise StillNeeded(
            "Activities of then cannot be put away, as rules of the build look at them.",
            obstacles,
            mend="Nothing was changed.",
        )
    old = _old(session, before)
    kept = _referred(session, set(old))
    ids = [id_ for id_ in old if id_ not in kept]
    problems = tuple(_staying(id_, name) for id_, name in sorted(kept.items()))
    if dry_run or not ids:
        return PutAway(len(ids), None if dry_run else 0, problems)
    session.source = PUT_AWAY
    rows = done = 0
    for start in range(0, len(ids), _BATCH):
        part = ids[start : start + _BATCH]
        rows += session.delete_many(Activity, part)
        done += len(part)
        tell(done, len(ids))
    return PutAway(len(ids), rows, problems)


def _old(session: CrmSession, before: dt.datetime) -> list[int]:
    """The ids, those that refer to others of them first, so that no reference has to be emptied on the way."""
    table = Activity.crm_type.table
    over = [or_(table.c[name].is_(None), table.c[name] < before) for name in _MOMENTS]
    query = (
        select(table.c.id)
        .where(table.c.status.in_([Status.HELD, Status.CANCELLED]), table.c.created_at < before, and_(*over))
        .order_by(table.c.series_id.is_(None), table.c.id)
    )
    found = list(session.core(query).scalars())
    if session.actor.system:
        return found
    mine = session.writer.visible_ids(Activity.crm_type, found, "delete")
    return [id_ for id_ in found if id_ in mine]


def _staying(id_: int, name: str | None) -> Problem:
    if name is None:
        return Problem(f"activity {id_}", "records that you do not see refer to it.")
    return Problem(f"activity {id_}", "records of type {record} refer to it.", "", {"record": name})


def _referred(session: CrmSession, old: set[int]) -> dict[int, str | None]:
    """Those that stay, with the type of records that refer to each and would not go along, if it may be told."""
    table = Activity.crm_type.table
    kept: dict[int, str | None] = {}
    by_series: defaultdict[int, set[int]] = defaultdict(set)
    seen_of_series: set[int] = set()
    for reference in session.store.references_to(table.name):
        if reference.action == "cascade":
            continue
        type_ = session.types.get(reference.type)
        child: Any = type_.table if type_ is not None else reflect(session, reference.table)
        if child is None:
            continue
        for part in in_parts(sorted(old)):
            query = select(child.c.id, child.c[reference.column].label("to")).where(child.c[reference.column].in_(part))
            rows = session.core(query).all()
            seen = _seen(session, type_, {row.id for row in rows})
            for row in rows:
                if child.name == table.name:
                    by_series[row.to].add(row.id)
                elif kept.get(row.to) is None:
                    kept[row.to] = reference.type if row.id in seen else None
            seen_of_series |= seen if child.name == table.name else set()
    # Whatever stays keeps the one that it refers to, and that another one.
    while staying := {
        id_: keeping
        for id_, others in by_series.items()
        if id_ not in kept and (keeping := others - old | others & kept.keys())
    }:
        name = Activity.crm_type.name
        kept |= {id_: name if keeping & seen_of_series else None for id_, keeping in staying.items()}
    return kept


def _seen(session: CrmSession, record_type: RecordType | None, ids: set[int]) -> set[int]:
    """Those that the actor sees; what belongs to no plugin of the build, only the system."""
    if session.actor.system or not ids:
        return ids
    return session.writer.visible_ids(record_type, ids) if record_type is not None else set()


def _rules(session: CrmSession, before: dt.datetime) -> Iterator[Problem]:
    """Pools that take an account back after a silence which goes further back."""
    for pool in session.policy.pools.values():
        for rule in pool.recycle:
            if session.clock() - dt.timedelta(days=rule.days) < before:
                yield Problem(
                    f"pools.{pool.name}",
                    "a rule of the pool looks {days} days back.",
                    "Put away what is older, or shorten the rule.",
                    {"days": rule.days},
                )

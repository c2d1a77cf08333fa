"""The one view of an account: facts, people, group, our team, what is open, the story, panels, how well we know it."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import bindparam, select

from crm_core.domain.accounts import Account
from crm_core.domain.dated import holds
from crm_core.domain.organisation import User
from crm_core.fields import Field
from crm_core.fields.columns import BIGINT
from crm_core.hooks.values import Failed, OpenItem, Panel, TimelineEntry
from crm_core.records import Record, RecordType
from crm_core.views.asked import activities_held, lifecycles, month_bounds
from crm_core.views.completeness import Quality, quality
from crm_core.views.hierarchy import Group, Related, group, related, ways
from crm_core.views.open_items import NOT_KNOWN, open_items
from crm_core.views.people import Person, Point, account_points, people
from crm_core.views.showing import held, readable
from crm_core.views.team import Cover, Responsible, Running, covering, responsible, running
from crm_core.views.timeline import timeline

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Extension", "Fact", "Overview", "StageSince", "overview"]

_NOT_TO_DO = (*NOT_KNOWN, "role")
"""Open items that are nothing to do: what is not known is asked for, and roles only hang on their people."""


@attrs.frozen(eq=False)
class Fact:
    """A filled field with its value; custom fields too. ``field`` is absent for a custom field that was withdrawn."""

    name: str
    label: str
    value: Any
    field: Field | None


@attrs.frozen
class Extension:
    """What a plugin adds to the account: the filled fields of its record."""

    record_type: RecordType
    facts: tuple[Fact, ...]


@attrs.frozen(kw_only=True)
class StageSince:
    """A stage of the account in one business line, now (``until`` absent) or formerly."""

    business_line: str
    stage: str
    since: dt.datetime | None
    until: dt.datetime | None = None
    reason: str | None = None
    present: bool


@attrs.frozen(kw_only=True)
class Overview:
    """All that somebody should know before they meet the customer.

    ``responsible`` are those of the moment, ``formerly_responsible`` the others; ``people`` those who work there,
    ``former_people`` those who do not (any more, or yet). ``months`` counts the activities held in each of the last
    twelve months, the present one last. ``names`` are the names of colleagues by their id.
    """

    account_id: int
    name: str
    at: dt.datetime
    facts: tuple[Fact, ...]
    extensions: tuple[Extension, ...]
    points: tuple[Point, ...]
    responsible: tuple[Responsible, ...]
    formerly_responsible: tuple[Responsible, ...]
    covering: tuple[Cover, ...]
    handovers: tuple[Running, ...]
    people: tuple[Person, ...]
    former_people: tuple[Person, ...]
    stages: tuple[StageSince, ...]
    former_stages: tuple[StageSince, ...]
    group: Group
    related: tuple[Related, ...]
    open: tuple[OpenItem, ...]
    months: tuple[tuple[str, int], ...]
    timeline: tuple[TimelineEntry, ...]
    panels: tuple[Panel, ...]
    quality: Quality
    names: Mapping[int, str]
    failed: tuple[Failed, ...]


def overview(session: CrmSession, account: Account, *, entries: int = 15) -> Overview:
    """The overview of an account at the session's ``at``, with its latest ``entries`` of the timeline.

    The number of SQL statements is bounded by the plugins of the build, whatever is shown. Nothing is shown, counted or
    summed that the actor may not see. A plugin whose part fails is named in ``failed``; the rest stands.
    """
    with session._reading.each_by_itself():
        return _overview(session, account, entries)


def _overview(session: CrmSession, account: Account, entries: int) -> Overview:
    id_ = account.id
    story = timeline(session, account, limit=entries)
    panels = session.store.dispatch.gather_overview(session, [id_])
    found = ways(session, id_)
    gathered = open_items(session, found.down)
    open_of = Counter(item.account_id for item in gathered if item.kind not in _NOT_TO_DO)
    items = [item for item in gathered if item.account_id == id_]
    team, everybody, points = responsible(session, id_), people(session, id_), account_points(session, id_)
    stages, related_, whole = _stages(session, id_), related(session, id_), group(session, found, open_of)
    last, months = _contacts(session, id_)
    return Overview(
        account_id=id_,
        name=account.name,
        at=session.at,
        facts=tuple(_facts(session, account)),
        extensions=tuple(_extensions(session, account)),
        points=points,
        responsible=tuple(each for each in team if each.present),
        formerly_responsible=tuple(each for each in team if not each.present),
        covering=covering(team),
        handovers=running(session, id_),
        people=tuple(person for person in everybody if person.present),
        former_people=tuple(person for person in everybody if not person.present),
        stages=tuple(stage for stage in stages if stage.present),
        former_stages=tuple(stage for stage in stages if not stage.present),
        group=whole,
        related=related_,
        open=tuple(item for item in items if item.kind not in _NOT_TO_DO),
        months=months,
        timeline=story.entries,
        panels=panels.parts,
        quality=quality(
            session, account, people=everybody, points=points, owned=any(
                each.present and each.role == "owner" for each in team
            ), staged=any(stage.present for stage in stages), last_contact=last, open_items=items,
        ),
        names=_names(session, team, [*(each.user_id for each in story), *(item.user_id for item in items)]),
        failed=_once((*panels.failed, *story.failed, *gathered.failed)),
    )  # fmt: skip


def _names(session: CrmSession, team: Sequence[Responsible], user_ids: Iterable[int | None]) -> dict[int, str]:
    """The names of colleagues; mostly they are of the team, whose names are known."""
    known = {each.user_id: each.name for each in team}
    wanted = {user_id for user_id in user_ids if user_id is not None}
    found = {user_id: known[user_id] for user_id in wanted & known.keys()}
    return {**found, **(names_of(session, wanted - known.keys()) if wanted - known.keys() else {})}


def names_of(session: CrmSession, user_ids: Iterable[int | None]) -> dict[int, str]:
    """The names of colleagues, in one statement."""
    wanted = sorted({user_id for user_id in user_ids if user_id is not None})
    return {row.id: row.name for row in session.execute(_named(), {"ids": wanted})}


@functools.cache
def _named() -> Any:
    """The statement, made once: to put it together takes longer than to run it."""
    return select(User.id, User.name).where(User.id.in_(bindparam("ids", type_=BIGINT, expanding=True)))


def _once(failed: Sequence[Failed]) -> tuple[Failed, ...]:
    return tuple(dict.fromkeys(failed))


def _facts(session: CrmSession, record: Record) -> Iterable[Fact]:
    """Filled fields with their labels; custom fields by the labels of the build."""
    record_type = record.crm_type
    for field in readable(session, record_type):
        value = getattr(record, field.name)
        if value not in (None, frozenset()) and field.name != record_type.title:
            yield Fact(field.name, field.label, value, field)
    custom = session.policy.custom.get(record_type.name, {})
    for name, value in (held(record, "custom") or {}).items():
        added = custom.get(name)
        yield Fact(f"custom.{name}", name if added is None else added.label, value, added)


def _extensions(session: CrmSession, account: Account) -> Iterable[Extension]:
    for record_type in sorted(session.types.extensions("account"), key=lambda each: each.name):
        record = session.get(record_type.cls, account.id)
        if record is not None:
            yield Extension(record_type, tuple(_facts(session, record)))


def _stages(session: CrmSession, account_id: int) -> list[StageSince]:
    return [
        StageSince(
            business_line=row.business_line, stage=row.stage.value, since=row.valid_from, until=row.valid_to,
            reason=row.reason, present=holds(row, session.at),
        )
        for row in lifecycles(session, [account_id])
    ]  # fmt: skip


def _contacts(session: CrmSession, account_id: int) -> tuple[dt.datetime | None, tuple[tuple[str, int], ...]]:
    """When an activity was last held, and how many in each of the last months."""
    held = activities_held(session, account_id)
    counts = Counter[int]()
    for row in held:
        counts[row.month] += row.number
    months = tuple((name, counts[number]) for number, (name, _) in enumerate(month_bounds(session)))
    return max((row.last for row in held), default=None), months

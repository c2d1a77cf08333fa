"""The one view of an account: facts, people, group, our team, what is open, the story, panels, how well we know it."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, Select, bindparam, case, func, select

from crm_core.domain.accounts import Account, Lifecycle
from crm_core.domain.activities import Activity, Status
from crm_core.domain.dated import holds
from crm_core.domain.organisation import User
from crm_core.fields import Field
from crm_core.fields.columns import BIGINT, Moment
from crm_core.hooks.values import Failed, OpenItem, Panel, TimelineEntry
from crm_core.records import Record, RecordType
from crm_core.views.completeness import Quality, quality
from crm_core.views.hierarchy import Group, Related, group, related, ways
from crm_core.views.open_items import open_items
from crm_core.views.people import Person, Point, account_points, people
from crm_core.views.showing import held, readable
from crm_core.views.team import Cover, Responsible, Running, covering, responsible, running
from crm_core.views.timeline import timeline

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Extension", "Fact", "Overview", "StageSince", "overview"]

_MONTHS = 12
_NOT_TO_DO = ("question", "role")
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

    The number of SQL statements depends on the plugins of the build, not on what is shown. Nothing is shown, counted or
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
        names=names_of(session, [*(each.user_id for each in story), *(item.user_id for item in items)]),
        failed=_once((*panels.failed, *story.failed, *gathered.failed)),
    )  # fmt: skip


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
        for row in session.execute(_staged(), {"account": account_id}, execution_options={"all_dates": True})
    ]  # fmt: skip


@functools.cache
def _staged() -> Any:
    return (
        select(Lifecycle.business_line, Lifecycle.stage, Lifecycle.valid_from, Lifecycle.valid_to, Lifecycle.reason)
        .where(Lifecycle.account_id == bindparam("account", type_=BIGINT))
        .order_by(Lifecycle.business_line, Lifecycle.valid_from.desc().nulls_last(), Lifecycle.id.desc())
    )


def _contacts(session: CrmSession, account_id: int) -> tuple[dt.datetime | None, tuple[tuple[str, int], ...]]:
    """When an activity was last held, and how many in each of the last months."""
    bounds = _month_bounds(session)
    given = {f"month{number}": start for number, (_, start) in enumerate(bounds)}
    last, *counts = session.execute(_counted(), {"account": account_id, "at": session.at, **given}).one()
    return last, tuple((name, count) for (name, _), count in zip(bounds, counts, strict=False))


@functools.cache
def _counted() -> Select[Any]:
    when = Activity.started_at
    months = [bindparam(f"month{number}", type_=Moment()) for number in range(_MONTHS + 1)]
    inside: list[ColumnElement[Any]] = [
        func.count(case(((when >= start) & (when < end), 1))) for start, end in pairwise(months)
    ]  # fmt: skip
    return select(func.max(when), *inside).where(
        Activity.account_id == bindparam("account", type_=BIGINT),
        Activity.status == Status.HELD,
        when <= bindparam("at", type_=Moment()),
    )


def _month_bounds(session: CrmSession) -> list[tuple[str, dt.datetime]]:
    """The last twelve months with their beginnings, and the beginning of the next one."""
    tz = session.policy.tz
    today = session.at.astimezone(tz)
    months = [divmod(today.year * 12 + today.month - 1 - back, 12) for back in range(_MONTHS - 1, -2, -1)]
    return [
        (f"{year}-{month + 1:02}", dt.datetime(year, month + 1, 1, tzinfo=tz).astimezone(dt.UTC))
        for year, month in months
    ]

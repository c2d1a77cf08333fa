"""What is there, against what everybody was told."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs
from sqlalchemy import select

from crm_core import Account, Crm, Ownership, OwnershipRole
from crm_core.store.tables import CHANGE_SET
from torture.examining import examine
from torture.examining.replaying import state
from torture.faults.ground import Ground
from torture.faults.plugin import COUNTER, TOLD
from torture.writers.mix import Done, Follower

__all__ = ["Verdict", "judge"]

_EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
_LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)


@attrs.define
class Verdict:
    """What must not be, counted, with a line for each; the lines name the first few of a kind."""

    lost: int = 0
    """Updates that somebody was told were done, and that are not there."""
    owners: int = 0
    """Accounts that had two owners at a time."""
    skipped: int = 0
    doubled: int = 0
    """Change sets that a reader of the feed was not told, or was told twice."""
    other: int = 0
    """Records that a copy kept by the feed has otherwise; whatever else does not fit together."""
    lines: list[str] = attrs.field(factory=list)

    def found(self, what: str, lines: Iterator[str] | Sequence[str]) -> None:
        """Count lines of a kind."""
        some = list(lines)
        setattr(self, what, getattr(self, what) + len(some))
        self.lines += some[:5]


def judge(ground: Ground, crm: Crm, done: Sequence[Done], follower: Follower) -> Verdict:
    """Compare. The queue is empty, the plugin was told everything, and the follower has read to the end."""
    verdict = Verdict()
    there = state(crm.store)
    with crm.store.reading() as connection:
        order = list(
            connection.execute(select(CHANGE_SET.c.id).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)).scalars()
        )
    verdict.found("lost", _lost(ground, crm, done, there, set(order)))
    verdict.found("owners", _doubly_owned(crm))
    heard = ground.lines(TOLD)
    newer = [each for each in order if each > ground.facts["newest"]]
    for who, told, wanted in (("a reader of the feed", follower.told, order), ("the plugin", heard, newer)):
        counts = Counter(told)
        verdict.found("skipped", [f"{who} was not told the change set {each}" for each in wanted if not counts[each]])
        verdict.found("doubled", [f"{who} was told the change set {id_} {count} times"
                                  for id_, count in counts.items() if count > 1])  # fmt: skip
    verdict.found("other", _copied(follower, there))
    verdict.found("other", [str(each) for each in examine(crm, {})])
    return verdict


def _lost(
    ground: Ground, crm: Crm, done: Sequence[Done], there: Mapping[tuple[str, int], Mapping[str, Any]], known: set[int]
) -> Iterator[str]:
    for id_ in ground.facts["hot"]:
        wanted = sum(each.raised.get(str(id_), 0) for each in done)
        found = there["account", id_].get("employees", 0)
        if found != wanted:
            yield f"the account {id_} was raised {wanted} times, and stands at {found}"
    for each in done:
        for number, name in each.names.items():
            found = there["account", int(number)]["name"]
            if found != name:
                yield f"the account {number} was renamed {name!r} last, and is {found!r}"
        for change_set in each.told:
            if change_set not in known:
                yield f"the change set {change_set} was told to be committed, and is not there"
    yield from _not_owned(crm, done)
    with crm.system_session("judge", read_only=True) as session:
        (counter,) = session.list(Account, f"name == {COUNTER!r}")
        ran = crm.store.queue.counts(["done"]).get(("tortured.count", "done"), 0)
    if (counter.employees or 0) != ran:
        yield f"{ran} jobs counted, and the counter stands at {counter.employees}"


def _not_owned(crm: Crm, done: Sequence[Done]) -> Iterator[str]:
    with crm.system_session("judge", read_only=True) as session:
        rows = session.list(Ownership, limit=None, all_dates=True)
        counts = Counter((row.account_id, row.user.login) for row in rows)
    for pair, wanted in Counter((id_, login) for each in done for id_, login in each.claimed).items():
        if counts[pair] < wanted:
            yield f"{pair[1]} claimed the account {pair[0]} {wanted} times, and owned it {counts[pair]} times"


def _doubly_owned(crm: Crm) -> Iterator[str]:
    """Two owners of one account in one scope whose times overlap."""
    with crm.system_session("judge", read_only=True) as session:
        rows = [each for each in session.list(Ownership, limit=None, all_dates=True)
                if each.role is OwnershipRole.OWNER]  # fmt: skip
    spans: dict[tuple[int, str], list[tuple[dt.datetime, dt.datetime]]] = {}
    for row in rows:
        span = (row.valid_from or _EARLIEST, row.valid_to or _LATEST)
        spans.setdefault((row.account_id, row.scope), []).append(span)
    for (account, _), each in spans.items():
        ordered = sorted(each)
        if any(end > begin for (_, end), (begin, _) in pairwise(ordered)):
            yield f"the account {account} had two owners at a time"


def _copied(follower: Follower, there: Mapping[tuple[str, int], Mapping[str, Any]]) -> Iterator[str]:
    for key in sorted(there.keys() | follower.copy.keys()):
        kept = {name: value for name, value in follower.copy.get(key, {}).items() if value not in (None, {})}
        has = {name: value for name, value in there.get(key, {}).items() if name not in ("version", "id")}
        kept.pop("id", None)
        if kept != has:
            names = sorted(name for name in kept.keys() | has if kept.get(name) != has.get(name))
            yield f"a copy kept by the feed has {key[0]} {key[1]} otherwise: {', '.join(names)}"

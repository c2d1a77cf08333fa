"""Alerts: the value of an account moved, and this is why."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from crm_core import (
    Account,
    ChangeBatch,
    CrmSession,
    Mapped,
    Record,
    User,
    moment,
    number,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_key_accounts.scores import cause
from crm_key_accounts.settings import settings_of
from crm_key_accounts.snapshots import Snapshot, read_weights

__all__ = ["Alert", "acknowledge", "drop_doubles", "follow", "unsettled"]

_CHUNK = 1000
_ALL_DATES = {"all_dates": True}
_FIRST = dt.datetime.min.replace(tzinfo=dt.UTC)


@record("key_accounts.alert", access=via("account_id"), label="Value alert")
class Alert(Record):
    """The value score moved by the threshold or more; ``dimension`` moved it furthest, by ``contribution`` points."""

    account_id: Mapped[int] = ref("account", collection="alerts")
    snapshot_id: Mapped[int] = ref("key_accounts.snapshot", collection="alerts")
    at: Mapped[dt.datetime] = moment(label="When")
    score_before: Mapped[Decimal] = number(2)
    score_after: Mapped[Decimal] = number(2)
    dimension: Mapped[str] = text(40, label="Cause")
    contribution: Mapped[Decimal] = number(2, label="Points by the cause")
    settled_at: Mapped[dt.datetime | None] = moment(default=None)
    settled_by_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", collection="settled_alerts")
    note: Mapped[str | None] = text(None, default=None)

    account: Mapped[Account] = parent("account_id")
    snapshot: Mapped[Snapshot] = parent("snapshot_id")
    settled_by: Mapped[User | None] = parent("settled_by_id")

    @property
    def move(self) -> Decimal:
        """Points by which the score rose, or fell below 0."""
        return self.score_after - self.score_before


def unsettled(session: CrmSession, account: Account) -> list[Alert]:
    """The alerts of an account that nobody has taken note of, latest first."""
    query = select(Alert).where(Alert.account_id == account.id, Alert.settled_at.is_(None))
    return list(session.scalars(query.order_by(Alert.at.desc(), Alert.id.desc())))


def acknowledge(session: CrmSession, alert: Alert, *, note: str | None = None) -> Alert:
    """Take note of an alert, and say what is done about it. What was acknowledged once stays so."""
    if alert.settled_at is None:
        alert.settled_at = session.clock()
        alert.settled_by_id = session.actor.user_id
    alert.note = note or alert.note
    return alert


def follow(session: CrmSession, batch: ChangeBatch) -> None:
    """Bring alerts in line with the snapshots that changed: those themselves and those that come next.

    A move that a correction takes back settles its alert; a move that a correction makes another opens it anew. Four
    statements for a thousand accounts, however many snapshots changed.
    """
    touched, gone = _touched(session, batch)
    threshold = settings_of(session).alert_threshold
    accounts = sorted({*touched, *gone})
    new: list[dict[str, Any]] = []
    corrected: list[dict[str, Any]] = []
    for start in range(0, len(accounts), _CHUNK):
        part = accounts[start : start + _CHUNK]
        alerts = {
            alert.snapshot_id: alert
            for alert in session.scalars(select(Alert).where(Alert.account_id.in_(part)).order_by(Alert.id))
        }
        for account_id, rows in _by_account(session, part).items():
            for before, after in _pairs(rows, touched.get(account_id, set()), gone.get(account_id, [])):
                alert = alerts.get(after.id)
                if before is None:
                    # What came before it was deleted, so nothing moved.
                    if alert is not None and alert.settled_at is None:
                        corrected.append({"id": alert.id, "settled_at": session.clock()})
                    continue
                wanted = _wanted(before, after)
                moved = abs(after.score - before.score) >= threshold
                if alert is None and moved:
                    new.append(wanted)
                elif alert is not None and any(getattr(alert, name) != each for name, each in wanted.items()):
                    settled = {"settled_at": None if moved else session.clock(), "settled_by_id": None}
                    corrected.append({"id": alert.id, **wanted, **settled})
    if new:
        session.add_many(Alert, new)
    if corrected:
        session.update_many(Alert, corrected)


def drop_doubles(session: CrmSession, batch: ChangeBatch) -> None:
    """Let an alert that comes in stand in place of the one that was made when its snapshot came in.

    So an import of both, as an export wrote them, does not tell everything twice, and what was acknowledged stays so.
    """
    new = {change.id: change.after["snapshot_id"] for change in batch.of("create")}
    if not new or not session.can("key_accounts.alert.delete"):
        return
    snapshots = sorted(set(new.values()))
    doubles: list[int] = []
    for start in range(0, len(snapshots), _CHUNK):
        query = select(Alert).where(Alert.snapshot_id.in_(snapshots[start : start + _CHUNK])).order_by(Alert.id)
        same: defaultdict[tuple[Any, ...], list[Alert]] = defaultdict(list)
        for alert in session.scalars(query):
            same[(alert.snapshot_id, alert.score_before, alert.score_after)].append(alert)
        for alerts in same.values():
            if any(alert.id in new for alert in alerts):
                doubles += [alert.id for alert in alerts if alert.id not in new and _says_nothing_more(alert)]
    if doubles:
        session.delete_many(Alert, doubles)


def _says_nothing_more(alert: Alert) -> bool:
    return alert.settled_at is None and alert.note is None


def _touched(
    session: CrmSession, batch: ChangeBatch
) -> tuple[Mapping[int, set[int]], Mapping[int, list[dt.datetime | None]]]:
    """By account: the snapshots that were written, and when those began that were deleted."""
    touched: defaultdict[int, set[int]] = defaultdict(set)
    gone: defaultdict[int, list[dt.datetime | None]] = defaultdict(list)
    updated = []
    for change in batch:
        if change.operation == "create":
            touched[change.after["account_id"]].add(change.id)
        elif change.operation == "delete":
            gone[change.before["account_id"]].append(change.before.get("valid_from"))
        elif change.fields & {"score", "scores", "weights", "valid_from"}:
            updated.append(change.id)
    for start in range(0, len(updated), _CHUNK):
        query = select(Snapshot.account_id, Snapshot.id).where(Snapshot.id.in_(updated[start : start + _CHUNK]))
        for account_id, id_ in session.execute(query, execution_options=_ALL_DATES):
            touched[account_id].add(id_)
    return touched, gone


def _by_account(session: CrmSession, accounts: Sequence[int]) -> dict[int, list[Snapshot]]:
    query = (
        select(Snapshot)
        .where(Snapshot.account_id.in_(accounts))
        .order_by(Snapshot.account_id, Snapshot.valid_from.nulls_first(), Snapshot.id)
        .execution_options(populate_existing=True)
    )
    found: defaultdict[int, list[Snapshot]] = defaultdict(list)
    for snapshot in session.scalars(query, execution_options=_ALL_DATES):
        found[snapshot.account_id].append(snapshot)
    return found


def _pairs(
    rows: Sequence[Snapshot], touched: set[int], gone: Iterable[dt.datetime | None]
) -> Iterator[tuple[Snapshot | None, Snapshot]]:
    """Snapshots with what came before them, where one of both was written, or one between them was deleted."""
    starts = [_FIRST if start is None else start for start in gone]
    before: Snapshot | None = None
    for after in rows:
        since, until = (_FIRST if each is None else each.valid_from or _FIRST for each in (before, after))
        written = after.id in touched or (before is not None and before.id in touched)
        if written or any(since <= start <= until for start in starts):
            yield before, after
        before = after


def _wanted(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    dimension, points = cause(
        (before.scores, read_weights(before.weights) or {}), (after.scores, read_weights(after.weights) or {})
    )
    return {
        "account_id": after.account_id,
        "snapshot_id": after.id,
        "at": after.valid_from,
        "score_before": before.score,
        "score_after": after.score,
        "dimension": dimension,
        "contribution": points,
    }

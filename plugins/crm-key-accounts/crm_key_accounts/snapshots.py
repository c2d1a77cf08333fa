"""Snapshots: what an account was worth, from a moment on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select

from crm_core import (
    Account,
    ChangeBatch,
    CrmSession,
    Dated,
    Mapped,
    Problem,
    ValidationError,
    dated,
    json,
    number,
    one_at_a_time,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_key_accounts.scores import HIGHEST, value_score
from crm_key_accounts.settings import settings_of

__all__ = ["Snapshot", "assess", "history", "value"]

_CHUNK = 1000


@record(
    "key_accounts.snapshot",
    access=via("account_id"),
    label="Value assessment",
    exclusive=[one_at_a_time("account_id")],
    indexes=[("account_id", "valid_from")],
)
class Snapshot(Dated):
    """What an account was worth, from a moment to the next assessment.

    ``scores`` are whole numbers of 0 to 100 by dimension, ``weights`` decimals as texts: kept beside the score, so that
    it can be explained after the settings have changed.
    """

    account_id: Mapped[int] = ref("account", collection="snapshots", index=False)
    score: Mapped[Decimal] = number(2, label="Value score")
    scores: Mapped[Any] = json(label="Scores by dimension")
    weights: Mapped[Any] = json(label="Weights by dimension")
    note: Mapped[str | None] = text(None, default=None)

    account: Mapped[Account] = parent("account_id")


def assess(
    session: CrmSession,
    account: Account,
    scores: Mapping[str, int],
    *,
    at: dt.datetime | dt.date | None = None,
    note: str | None = None,
) -> Snapshot:
    """Assess the value of an account from a moment on (default: now).

    ``scores`` are 0 to 100 by dimension of the settings; those that are not given stay as they were. The former
    snapshot is closed, never overwritten; that nothing has changed is a finding, too, and makes one. At the very moment
    at which a snapshot begins, this corrects it. Raises :class:`ValidationError` for scores that are missing, unknown
    or out of range.
    """
    moment = dated.as_moment(session, at)
    rows = history(session, account)
    present = next((row for row in rows if dated.holds(row, moment)), None)
    weights = settings_of(session).weights
    known = {} if present is None else {name: score for name, score in present.scores.items() if name in weights}
    complete = {**known, **scores}
    wrong = list(_wrong(complete, weights))
    if wrong:
        raise ValidationError("{account} cannot be assessed.", wrong, account=account.name)
    values: dict[str, Any] = {
        "score": value_score(complete, weights),
        "scores": {name: complete[name] for name in weights},
        "weights": {name: str(weight) for name, weight in weights.items()},
        "note": note,
    }
    if present is None:
        upcoming = [row.valid_from for row in rows if row.valid_from is not None and row.valid_from > moment]
        return session.add_one(
            Snapshot(account_id=account.id, valid_from=moment, valid_to=min(upcoming, default=None), **values)
        )
    return dated.change(session, present, from_=moment, **values)


def _wrong(scores: Mapping[str, int], weights: Mapping[str, Decimal]) -> Iterator[Problem]:
    for name in weights:
        if name not in scores:
            yield Problem(name, "The score is missing.", "Give one from 0 to {highest}.", {"highest": HIGHEST})
    for name, score in scores.items():
        if name not in weights:
            yield Problem(
                name, "There is no such dimension.", "Known dimensions: {known}.", {"known": ", ".join(weights)}
            )
        elif not _is_score(score):
            yield _no_score(name, score)


def _is_score(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST


def _no_score(name: str, given: Any) -> Problem:
    return Problem(
        name,
        "{given} is no score.",
        "Give a whole number from 0 to {highest}.",
        {"given": repr(given), "highest": HIGHEST},
    )


def history(session: CrmSession, account: Account) -> list[Snapshot]:
    """Every snapshot of an account that the actor sees, in order of time."""
    query = select(Snapshot).where(Snapshot.account_id == account.id)
    query = query.order_by(Snapshot.valid_from.nulls_first(), Snapshot.id)
    return list(session.scalars(query, execution_options={"all_dates": True}))


def value(session: CrmSession, account: Account, *, at: dt.datetime | dt.date | None = None) -> Decimal | None:
    """The value score of an account at a moment (default: the session's ``at``); ``None`` where it was not assessed."""
    moment = session.at if at is None else dated.as_moment(session, at)
    return next((row.score for row in history(session, account) if dated.holds(row, moment)), None)


# -- rules that hold whichever way a snapshot is written --------------------------------------------------------


def problems(session: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Scores out of range, weights that do not fit them, and value scores that do not follow from both."""
    changed = []
    for change in batch.of("create", "update"):
        if change.operation == "create":
            yield from _unsound(change.after["score"], change.after["scores"], change.after["weights"])
        elif change.fields & {"score", "scores", "weights"}:
            changed.append(change.id)
    for start in range(0, len(changed), _CHUNK):
        query = select(Snapshot.score, Snapshot.scores, Snapshot.weights)
        query = query.where(Snapshot.id.in_(changed[start : start + _CHUNK])).order_by(Snapshot.id)
        for row in session.execute(query, execution_options={"all_dates": True}):
            yield from _unsound(*row)


def _unsound(score: Decimal, scores: Any, weights: Any) -> Iterator[Problem]:
    read = read_weights(weights)
    if read is None or not isinstance(scores, dict) or scores.keys() != read.keys():
        yield Problem(
            "weights",
            "Scores and weights do not fit each other.",
            "Give each dimension one score and one weight (a decimal as text), of which at least one is above 0.",
        )
        return
    wrong = [_no_score(f"scores.{name}", each) for name, each in scores.items() if not _is_score(each)]
    yield from wrong
    if not wrong and score != value_score(scores, read):
        yield Problem(
            "score",
            "The value score would be {expected}, not {given}.",
            "Write it by snapshots.assess, which computes it.",
            {"expected": value_score(scores, read), "given": score},
        )


def read_weights(weights: Any) -> dict[str, Decimal] | None:
    """The weights of a snapshot as numbers; ``None`` where they are not what a snapshot keeps."""
    if not isinstance(weights, dict):
        return None
    read = {}
    for name, weight in weights.items():
        try:
            read[name] = Decimal(weight) if isinstance(weight, str) else Decimal(-1)
        except InvalidOperation:
            return None
    if not all(each.is_finite() and each >= 0 for each in read.values()) or not any(read.values()):
        return None
    return read

"""Store checks: what stood on the shelf at a visit, at which price, beside whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import select

from crm_consumer_goods.visits import Visit
from crm_core import (
    ChangeBatch,
    CrmSession,
    Mapped,
    Money,
    Problem,
    Record,
    flag,
    number,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_core.fields import money

__all__ = ["StoreCheck", "note"]

_CHUNK = 1000


@record("consumer_goods.store_check", access=via("visit_id"), label="Store check", title="product")
class StoreCheck(Record):
    """One product as it was found at one visit."""

    visit_id: Mapped[int] = ref("consumer_goods.visit", collection="store_checks")
    product: Mapped[str] = text(120)
    on_shelf: Mapped[bool] = flag(default=True, label="On the shelf")
    facings: Mapped[int | None] = number(0, default=None)
    price: Mapped[Money | None] = money(default=None, label="Our price")
    competitor: Mapped[str | None] = text(120, default=None)
    competitor_price: Mapped[Money | None] = money(default=None, label="Competitor's price")
    promotion_material: Mapped[bool] = flag(default=False, label="Promotion material present")

    visit: Mapped[Visit] = parent("visit_id")


def note(session: CrmSession, visit: Visit, lines: Iterable[Mapping[str, Any]]) -> list[int]:
    """Note what was found at a visit, a line for each product; returns their ids.

    Each line gives ``product`` and what else was seen: ``on_shelf``, ``facings``, ``price``, ``competitor``,
    ``competitor_price``, ``promotion_material``.
    """
    return session.add_many(StoreCheck, [{**line, "visit_id": visit.id} for line in lines])


def problems(system: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Figures below nothing, and competitors' prices of nobody."""
    corrected = []
    for change in batch.of("create", "update"):
        if (change.after.get("facings") or 0) < 0:
            yield Problem("facings", "There cannot be fewer than no facings.", "Give 0 or more.")
        for name in ("price", "competitor_price"):
            given = change.after.get(name)
            if given is not None and given.amount < 0:
                yield Problem(name, "A price is not negative: {given}.", "Give 0 or more.", {"given": str(given)})
        if change.operation == "update":
            corrected += [change.id] if change.fields & {"competitor", "competitor_price"} else []
        elif change.after.get("competitor_price") and not change.after.get("competitor"):
            yield _nobodys()
    # A correction tells of one of the two only.
    for start in range(0, len(corrected), _CHUNK):
        query = select(StoreCheck).where(StoreCheck.id.in_(corrected[start : start + _CHUNK])).order_by(StoreCheck.id)
        for row in system.scalars(query):
            if row.competitor_price is not None and not row.competitor:
                yield _nobodys()


def _nobodys() -> Problem:
    return Problem("competitor", "Whose price is it?", "Name the competitor beside the competitor's price.")

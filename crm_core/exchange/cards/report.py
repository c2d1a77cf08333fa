"""What became of the cards of an address book, or of the events of a calendar."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs

from crm_core.exchange.report import Double, Rejected

__all__ = ["SYSTEM", "CardReport", "TakenCard", "What"]

SYSTEM = "vcard"
"""Under which name the keys of address books are remembered, if they are given none."""
What = Literal["created", "updated", "unchanged"]


@attrs.frozen(kw_only=True)
class TakenCard:
    """A card that was taken: the line it begins in, the record it became, and what of it has no place here."""

    line: int
    record: str
    id: int
    name: str
    what: What
    untaken: tuple[str, ...]


@attrs.frozen(kw_only=True)
class CardReport:
    """The outcome. ``read`` is the sum of the cards ``created``, ``updated``, ``unchanged`` and ``rejected``.

    ``accounts``, ``affiliations`` and ``points`` count what was made beside the people themselves. ``cards`` tells of
    each card that was taken what is not kept of it. ``duplicates`` counts pairs of a record that came in and one that
    it might be a double of, ``first_duplicates`` are the likeliest. ``change_set`` is what to undo, ``None`` when
    nothing changed or nothing was kept.
    """

    file: str
    dry_run: bool
    read: int
    rejected: int
    accounts: int
    affiliations: int
    points: int
    cards: tuple[TakenCard, ...]
    change_set: int | None
    rejects: Path | None
    first_rejects: tuple[Rejected, ...]
    duplicates: int
    first_duplicates: tuple[Double, ...]
    served: tuple[tuple[str, str | None], ...]

    def count(self, what: What) -> int:
        """How many cards this became of."""
        return sum(card.what == what for card in self.cards)

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "file": self.file,
            "dry_run": self.dry_run,
            "read": self.read,
            "created": self.count("created"),
            "updated": self.count("updated"),
            "unchanged": self.count("unchanged"),
            "rejected": self.rejected,
            "accounts": self.accounts,
            "affiliations": self.affiliations,
            "points": self.points,
            "change_set": self.change_set,
            "rejects": str(self.rejects) if self.rejects else None,
            "first_rejects": [attrs.asdict(each) for each in self.first_rejects],
            "duplicates": self.duplicates,
            "first_duplicates": [attrs.asdict(each) for each in self.first_duplicates],
            "served": [{"name": name, "ask": ask} for name, ask in self.served],
            "cards": [attrs.asdict(each) for each in self.cards],
        }

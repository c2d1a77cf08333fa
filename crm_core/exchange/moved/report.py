"""What a file of people who moved did."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

import attrs

from crm_core.exchange.report import Rejected
from crm_core.hooks.values import Failed

__all__ = ["Flagged", "Move", "MovedReport", "What"]

What = Literal["moved", "changed", "left"]
"""To another employer; another role at the same; gone, we do not know where to."""


@attrs.frozen(kw_only=True)
class Move:
    """What happened to one person: the places that ended (by account), the new one, and new contact points."""

    line: int
    contact_id: int
    name: str
    what: What
    at: dt.datetime
    ended: tuple[tuple[int, str], ...]
    account_id: int | None
    account: str | None
    role: str | None
    points: int


@attrs.frozen(kw_only=True)
class Flagged:
    """Something open that hung on a place which ended; it waits in the queue of data quality for ``user``.

    ``text`` says more than the ``title``: of a part in a decision which part it is, and in which deal. ``issue_id`` is
    ``None`` of a dry run, which leaves nothing in the queue.
    """

    issue_id: int | None
    account_id: int
    contact_id: int
    name: str
    kind: str
    title: str
    text: str
    due: dt.datetime | None
    record_type: str
    record_id: int
    user: str | None


@attrs.frozen(kw_only=True)
class MovedReport:
    """The outcome. ``read`` is the sum of ``moves``, ``unchanged`` (people who stay where they are) and ``rejected``.

    ``points`` counts new contact points, also of people who stay. ``failed`` names plugins that could
    not say what is open, ``unread_sheets`` (file, name) those that are shown in a spreadsheet beside the one that was
    read. ``change_set`` is what to undo, ``None`` when nothing changed or nothing was kept.
    """

    file: str
    dry_run: bool
    read: int
    unchanged: int
    rejected: int
    points: int
    moves: tuple[Move, ...]
    flagged: tuple[Flagged, ...]
    failed: tuple[Failed, ...]
    ignored_columns: tuple[str, ...]
    unread_sheets: tuple[tuple[str, str], ...]
    change_set: int | None
    rejects: Path | None
    first_rejects: tuple[Rejected, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        values = attrs.asdict(self)
        values["rejects"] = str(self.rejects) if self.rejects else None
        values["unread_sheets"] = [{"file": file, "sheet": sheet} for file, sheet in self.unread_sheets]
        for move in values["moves"]:
            move["at"] = move["at"].isoformat()
            move["ended"] = [{"account_id": id_, "account": name} for id_, name in move["ended"]]
        for flagged in values["flagged"]:
            flagged["due"] = None if flagged["due"] is None else flagged["due"].isoformat()
        return values

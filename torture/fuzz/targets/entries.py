"""What files of cards and of events have in common: lines, and counting what is in them, in a way of our own."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from crm_core.exchange.calendars import EventReport
from crm_core.exchange.cards import CardReport
from torture.fuzz.target import Loss

__all__ = ["check_counts", "count_rejects", "one_line"]


def one_line(value: str) -> str:
    """A text as it stands on one line of such a file."""
    return value.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def check_counts(data: bytes, component: str, what: str, taken: int, report: CardReport | EventReport) -> None:
    """All that is in the file was read, and all that was read is taken or in the file of rejects; raises a loss."""
    if report.read != taken + report.rejected:
        raise Loss(f"{what} that were read are neither taken nor rejected", f"{report.read} read")
    if (there := _blocks(data, component)) > report.read:
        raise Loss(f"{what} of the file were not read", f"{there} in the file, {report.read} read")
    if count_rejects(report.rejects) != report.rejected:
        raise Loss(f"rejected {what} are not in the file of rejects", f"{report.rejected} rejected")


def _blocks(data: bytes, name: str) -> int:
    """How many lines begin a component of this name, but for those that stand in an agent."""
    lines = [each.strip() for each in _lines(data) if each.strip()]
    begins = [re.sub(r"\s*:\s*", ":", each).upper() == f"BEGIN:{name}" for each in lines]
    agents = [re.fullmatch(r"([\w+-]+\.)?AGENT[^:]*:", each, re.IGNORECASE) is not None for each in ["", *lines]]
    return sum(begin and not agent for begin, agent in zip(begins, agents, strict=False))


def _lines(data: bytes) -> list[str]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        wide = "utf-32" if data[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff") else "utf-16"
        return data.decode(wide, "replace").split("\n")
    return [each.decode("latin-1") for each in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]


def count_rejects(path: Path | None) -> int:
    """How many rows a file of rejects has."""
    if path is None:
        return 0
    usual = csv.field_size_limit(1 << 26)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1
    finally:
        # It holds for the whole process, and the reader that is tried has the usual one.
        csv.field_size_limit(usual)

"""The figures as tables: each size a column, what misses its aim marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.growth.asking import QUESTIONS, Answer
from benchmarks.growth.building import Writing
from benchmarks.growth.company import Pattern
from torture.reporting import Table

__all__ = ["AIMS", "AT", "GROWTH", "PAGE", "Measured", "tables"]

PAGE = 10.0
"""Milliseconds that a page or an overview may take, up to :data:`AT` accounts."""
GROWTH = 1.5
"""How many times as long a page may take with :data:`AT` accounts as with the fewest."""
AT = 1_000_000

_MISSED = " ✗"
AIMS = (
    f"{_MISSED.strip()} marks what misses its aim: with up to {AT:,} accounts a page or an overview within {PAGE:g} ms,"
    f" and not more than {GROWTH:g} times as long as with the fewest."
)
"""What a reader of the tables must know of the mark."""


@attrs.define
class Measured:
    """What one size came to. ``loaded`` are the seconds for which the rows were multiplied.

    ``writing`` is absent where nothing was written yet, and ``answers`` has what was answered until now.
    """

    accounts: int
    loaded: float
    pattern: Pattern
    sizes: Mapping[str, float]
    writing: Writing | None = None
    answers: list[Answer] = attrs.field(factory=list)

    def figures(self, database: str) -> Iterator[Mapping[str, Any]]:
        """All of it, for other programs."""
        whole: dict[str, Any] = {"database": database, "accounts": self.accounts}
        for each in self.answers:
            yield {**whole, **attrs.asdict(each)}
        writing = {} if self.writing is None else attrs.asdict(self.writing)
        for name, value in (*self.sizes.items(), *writing.items(), ("loaded", self.loaded)):
            yield {**whole, "question": name, "value": value}


def tables(title: str, found: Sequence[Measured]) -> list[Table]:
    """Who waits how long, as far as it was asked, and what it takes up."""
    columns = tuple(f"{each.accounts:,}" for each in found)
    waits = Table(f"On {title}: milliseconds by number of accounts", ("", "reader", *columns, "times", "statements"))
    aims = {question.name: question.aim for question in QUESTIONS}
    for answers in zip(*(each.answers for each in found), strict=True):
        aim, last = aims[answers[0].question], answers[-1]
        cells = [_shown(each.milliseconds, aim and one.accounts <= AT and each.milliseconds > PAGE)
                 for each, one in zip(answers, found, strict=True)]  # fmt: skip
        waits.rows.append((last.question, last.reader, *cells, _growth(aim, found, answers), last.statements))
    means = Table(f"On {title}: writing and room", ("", *columns))
    for name, values in _others(found):
        means.rows.append((name, *(f"{value:,.0f}" for value in values)))
    return [waits, means]


def _growth(aim: bool, found: Sequence[Measured], answers: Sequence[Answer]) -> str:
    """From the fewest accounts to the most, but no more than the aim is about."""
    upto = [answer.times for one, answer in zip(found, answers, strict=True) if one.accounts <= AT]
    if len(upto) < 2:
        return "–"
    times = upto[-1]
    return f"{times:.2f}{_MISSED if aim and times > GROWTH else ''}"


def _shown(value: float, missed: bool) -> str:
    return f"{value:,.1f}{_MISSED if missed else ''}"


def _others(found: Sequence[Measured]) -> Iterator[tuple[str, list[float]]]:
    yield (
        "customers imported in a second, of five records each, into an empty database",
        [each.pattern.rate for each in found],
    )
    writing = [each.writing for each in found if each.writing is not None]
    if len(writing) == len(found):
        yield "records imported in a second, as one change set", [each.imported for each in writing]
        yield "records of that import taken back in a second", [each.undone for each in writing]
        yield "of how many records that import was", [each.records for each in writing]
    yield "bytes for each account, with its side rows, history and indexes", [each.sizes["account"] for each in found]
    yield "bytes of the journal for each change, with indexes", [each.sizes["change"] for each in found]
    yield "seconds in which its copies were made", [each.loaded for each in found]

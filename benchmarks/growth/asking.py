"""What is measured of all sizes: what four people read, each as a request of its own, with its statements counted."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from benchmarks.growth.building import Note
from benchmarks.growth.company import RARE, READERS, Pattern
from crm_core import Account, Activity, Crm, CrmSession
from crm_core.testing.statements import counted
from crm_core.views import overview
from torture.pace import Pace

__all__ = ["BACK", "QUESTIONS", "Answer", "Company", "Question", "asked"]

PAGE = 50

BACK = {"day": dt.timedelta(days=1), "month": dt.timedelta(days=30), "year": dt.timedelta(days=365)}
_LEAST, _ENOUGH = 3, 2000.0
"""A slow question is asked so many times at least, and not any more after so many milliseconds."""

Ask = Callable[[CrmSession], Any]


@attrs.frozen
class Question:
    """Something that is asked; ``aim`` says that it is a page or an overview, whose time is aimed at."""

    name: str
    ask: Ask
    aim: bool = False
    back: dt.timedelta | None = None


@attrs.frozen
class Answer:
    """How long it took, in milliseconds, with how many statements (also those of the session's begin and actor).

    ``times`` is how many times as long as among the fewest accounts: the median over the rounds, in each of which all
    sizes were asked one after the other.
    """

    question: str
    reader: str
    milliseconds: float
    times: float
    statements: int


@attrs.frozen
class Company:
    """One size, opened."""

    crm: Crm
    pattern: Pattern


def _page(order: str, where: str | None = None, after: tuple[Any, ...] | None = None) -> Ask:
    return lambda session: session.list(Account, where, order=order, limit=PAGE, after=after)


def _activities(session: CrmSession) -> list[Any]:
    """The latest of what was planned until now."""
    return session.list(Activity, "planned_start <= now()", order="planned_start desc", limit=PAGE)


def _overview(session: CrmSession) -> list[Any]:
    account = session.list(Account, order="name", limit=1, after=("m", 0))[0]
    return [overview(session, account)]


def _search(query: str) -> Ask:
    return lambda session: session.search(query)


QUESTIONS: tuple[Question, ...] = (
    Question("first page by name", _page("name"), aim=True),
    Question("deep page by name", _page("name", after=("m", 0)), aim=True),
    Question("newest page", _page("id desc"), aim=True),
    Question("filtered page by name", _page("name", 'grade == "A" and employees > 500'), aim=True),
    Question("page ordered by a field without an index", _page("employees desc", 'grade == "A"')),
    Question("page of activities", _activities, aim=True),
    Question("overview", _overview, aim=True),
    Question("count", lambda session: [session.count(Account)]),
    Question("count, filtered", lambda session: [session.count(Account, 'grade == "A"')]),
    Question("search, one hit", _search(RARE)),
    Question("search, very many hits", _search("systems")),
    Question("search, two words", _search("purchasing acme")),
    *(
        Question(f"list as of a {name} ago", _page("name", after=("m", 0)), back=length)
        for name, length in BACK.items()
    ),
)  # fmt: skip


def asked(companies: Sequence[Company], rounds: int, pace: Pace, note: Note) -> Iterator[list[Answer]]:
    """Ask everything, as each of the readers; each time the answers of all sizes, in their order.

    The sizes are asked in turns: a machine that becomes slower meanwhile does so for all of them.
    """
    for question in QUESTIONS:
        for reader, login in READERS.items():
            pace.sample()
            answers = _answers(companies, question, reader, login, rounds)
            note(f"{question.name}, {reader}: {', '.join(f'{each.milliseconds:.1f}' for each in answers)} ms")
            yield answers


def _answers(companies: Sequence[Company], question: Question, reader: str, login: str, rounds: int) -> list[Answer]:
    turns = [_turn(each, question, login) for each in companies]
    statements = []
    for company, turn in zip(companies, turns, strict=True):
        turn()  # what is asked for the first time is compiled, and read from the disk
        with counted(company.crm) as seen:
            turn()
        statements.append(len(seen))
    taken: list[list[float]] = []
    while len(taken) < rounds and (len(taken) < _LEAST or sum(map(max, taken)) < _ENOUGH):
        taken.append([turn() for turn in turns])
    return [
        Answer(question.name, reader, statistics.median(waits), statistics.median(times), count)
        for waits, times, count in zip(
            zip(*taken, strict=True),
            zip(*([wait / round_[0] for wait in round_] for round_ in taken), strict=True),
            statements,
            strict=True,
        )
    ]


def _turn(company: Company, question: Question, login: str) -> Callable[[], float]:
    as_of = None if question.back is None else company.pattern.now - question.back

    def once() -> float:
        begun = time.perf_counter()
        with company.crm.session(login, read_only=True, as_of=as_of) as session:
            question.ask(session)
        return (time.perf_counter() - begun) * 1000

    return once

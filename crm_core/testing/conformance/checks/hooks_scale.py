"""Hooks take a batch of ten thousand as well as one of a single thing, with a cost per row that does not grow."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import CrmError
from crm_core.store import feed
from crm_core.store.changes import Change, ChangeBatch
from crm_core.testing.conformance.asking import implementations, place_of
from crm_core.testing.conformance.batches import (
    ACCOUNTS,
    CHANGE_SETS,
    CHANGES,
    SETS,
    asking_about,
    batch_hooks,
    change_sets,
    changes_of,
    hearing_of,
    telling_of,
)
from crm_core.testing.conformance.growing import customers, multiply_all
from crm_core.testing.conformance.population import company, populate
from crm_core.testing.conformance.report import Check, Finding, one_line
from crm_core.testing.statements import counted

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.hooks.implementations import Implementation
    from crm_core.records import RecordType
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "hooks-scale"
ONE, SOME, MANY = 1, 1000, 10_000
_ROWS_PER_STATEMENT = 100
_GROWTH = 4
"""How much dearer a row may be among ten thousand than among a thousand; whatever is quadratic is ten times as dear."""

_MATTERS = 0.25
"""Seconds of the processor below which nobody need care."""

_STATEMENTS = {
    CHANGES: "{hook} runs {few} statements for one {operation} of {record} and {most} for {many}.",
    CHANGE_SETS: "{hook} runs {few} statements for one {operation} of {record} and {most} for {many}, as the feed "
    "tells them.",
    ACCOUNTS: "{hook} runs {few} statements for one account and {most} for {many}.",
}
_SECONDS = {
    CHANGES: "{hook} takes {before} seconds for {some} times {operation} of {record} and {seconds} for {many}: a row "
    "gets dearer the more there are.",
    CHANGE_SETS: "{hook} takes {before} seconds for {some} times {operation} of {record} and {seconds} for {many}, as "
    "the feed tells them: a row gets dearer the more there are.",
    ACCOUNTS: "{hook} takes {before} seconds for {some} accounts and {seconds} for {many}: an account gets dearer the "
    "more there are.",
}
_FAILS = {
    CHANGES: "{hook} bears one {operation} of {record}, but with {many} it fails ({error}).",
    CHANGE_SETS: "{hook} bears one {operation} of {record}, but with {many}, as the feed tells them, it fails "
    "({error}).",
    ACCOUNTS: "{hook} bears one account, but with {many} it fails ({error}).",
}

Calls = Mapping[str, Sequence["Implementation"]]
Prepared = Callable[[int], AbstractContextManager[Callable[[], object]]]
"""Makes ready a call with so many."""


def _look(subject: Subject) -> Iterator[Finding]:
    with subject.crm() as crm:
        taking = {kind: [hook for hook, of in batch_hooks().items() if of == kind] for kind in _STATEMENTS}
        calls = {kind: list(implementations(crm, subject.plugin, hooks)) for kind, hooks in taking.items()}
        if not any(calls.values()):
            return
        population = populate(subject, crm, company(crm), each=max(2, subject.examples // 2), seed=subject.seeds[0])
        ids: dict[str, Sequence[int]] = dict(customers(crm, MANY, population.ids["user"][0]))
        ids |= multiply_all(subject, crm, population, ids, MANY, NAME)
        yield from _told(subject, crm, calls, ids)
        for call in calls[ACCOUNTS]:
            yield from _measured(subject, crm, call, ACCOUNTS, partial(_about, crm, call, ids["account"]), {})


def _about(
    crm: Crm, call: Implementation, accounts: Sequence[int], size: int
) -> AbstractContextManager[Callable[[], object]]:
    return asking_about(crm, call, accounts[:size])


def _told(subject: Subject, crm: Crm, calls: Calls, ids: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    """Changes of the plugin's records, and of the customers that it may be about; one example each is enough."""
    if not calls[CHANGES] and not calls[CHANGE_SETS]:
        return
    told: set[Implementation] = set()
    everybody = {*calls[CHANGES], *calls[CHANGE_SETS]}
    own = {each.name for each in subject.types}
    with crm.store.reading() as connection:
        last = itertools.count(feed.end(connection).change_set_id, SETS)
    for name in sorted(ids, key=lambda name: name not in own):
        if told == everybody:
            return
        record_type, these = crm.types[name], ids[name]
        for operation, every in changes_of(crm, record_type, these).items():
            for call, kind, prepared in _ways(crm, calls, record_type, every, last):
                if call in told:
                    continue
                about = {"operation": operation, "record": name}
                found = list(_measured(subject, crm, call, kind, prepared, about))
                if found:
                    told.add(call)
                yield from found


def _ways(
    crm: Crm, calls: Calls, record_type: RecordType, every: Sequence[Change], last: Iterator[int]
) -> Iterator[tuple[Implementation, str, Prepared]]:
    """Each hook with the ways in which it is told these changes; in the feed each time after the ``last`` id."""

    def at_once(call: Implementation, size: int) -> AbstractContextManager[Callable[[], object]]:
        return telling_of(crm, call, ChangeBatch(record_type, every[:size]))

    def by_feed(call: Implementation, sets: int, size: int) -> AbstractContextManager[Callable[[], object]]:
        # The feed never tells two change sets by one id, and a hook may remember which it has heard.
        return hearing_of(crm, call, change_sets(every[:size], sets, next(last), crm.store.clock()))

    whole = ChangeBatch(record_type, every)
    yield from ((call, CHANGES, partial(at_once, call)) for call in calls[CHANGES] if call.concerns(whole))
    for sets in (1, SETS):
        yield from ((call, CHANGE_SETS, partial(by_feed, call, sets)) for call in calls[CHANGE_SETS])


@attrs.frozen
class _Cost:
    statements: int
    seconds: float
    error: Exception | None = None


def _measured(
    subject: Subject, crm: Crm, call: Implementation, kind: str, prepared: Prepared, about: Mapping[str, Any]
) -> Iterator[Finding]:
    one, some = _cost(crm, prepared(ONE)), _cost(crm, prepared(SOME))
    if one.error is not None:
        raise one.error
    # Whoever asks about each of a thousand need not be waited for with ten thousand.
    size = SOME if some.error is not None or some.statements > one.statements + SOME // _ROWS_PER_STATEMENT else MANY
    many = some if size == SOME else _cost(crm, prepared(MANY))
    if kind != CHANGE_SETS and _dearer(some, many):
        # It may have been the machine, or what is done but once; what grows by itself grows again. What a hook wrote
        # that heard of commits stays, so that a second time it may have nothing to do.
        some, many = _again(crm, some, prepared(SOME)), _again(crm, many, prepared(MANY))
    values: dict[str, Any] = {
        **about, "hook": call.hook, "many": size, "few": one.statements, "most": many.statements, "some": SOME,
        "seconds": f"{many.seconds:.1f}", "before": f"{some.seconds:.1f}",
        "error": "" if many.error is None else one_line(many.error),
    }  # fmt: skip
    many_at_once = (
        "A hook is told a batch: ask about all its ids at once, in parts of a thousand, and write by add_many() and "
        "update_many()."
    )
    if many.error is not None:
        what, mend = _FAILS[kind], many_at_once
    elif many.statements > one.statements + size // _ROWS_PER_STATEMENT:
        what, mend = _STATEMENTS[kind], many_at_once
    elif _dearer(some, many):
        what = _SECONDS[kind]
        mend = "Look up by dictionaries and sets; do not go through all rows for each of them."
    else:
        return
    yield Finding(NAME, what, place_of(subject, call), mend, values)


def _dearer(some: _Cost, many: _Cost) -> bool:
    return many.seconds > max(_MATTERS, some.seconds * MANY / SOME * _GROWTH)


def _again(crm: Crm, cost: _Cost, call: AbstractContextManager[Callable[[], object]]) -> _Cost:
    """The cost with the seconds of a further call, where that is quicker."""
    again = _cost(crm, call)
    return cost if again.error is not None else attrs.evolve(cost, seconds=min(cost.seconds, again.seconds))


def _cost(crm: Crm, call: AbstractContextManager[Callable[[], object]]) -> _Cost:
    """What one call costs, in statements and in seconds of the processor.

    Python's collector goes through everything that the process has, which in the middle of a long run of tests is a
    second's work and none of the hook's.
    """
    error = None
    with call as ask, counted(crm) as seen, _uncollected():
        began = time.process_time()
        try:
            ask()
        except CrmError:
            pass  # an objection to what was made up costs, too
        except Exception as failure:
            error = failure
        seconds = time.process_time() - began
    return _Cost(len(seen), seconds, error)


@contextmanager
def _uncollected() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


CHECK = Check(
    NAME,
    "Its hooks take batches of one change, change set or account and of 10,000, in few statements, and a row costs as "
    "much in either.",
    _look,
    database=True,
    alike=True,
)

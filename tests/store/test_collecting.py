"""The search for garbage rests while a batch is written, and is as it was afterwards."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pytest

from crm_core import Account
from crm_core.store.collecting import uncollected


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.enable()


@uncollected
def asked(*, fail: bool = False) -> bool:
    if fail:
        raise RuntimeError
    return gc.isenabled()


def test_it_rests_meanwhile_and_goes_on_also_after_an_error() -> None:
    assert not asked()
    assert gc.isenabled()
    with pytest.raises(RuntimeError):
        asked(fail=True)
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    assert not asked()
    assert not gc.isenabled()


def test_the_last_of_several_threads_switches_it_on() -> None:
    inside, go_on, seen = threading.Event(), threading.Event(), []

    @uncollected
    def long() -> None:
        inside.set()
        go_on.wait(10)

    thread = threading.Thread(target=long)
    thread.start()
    assert inside.wait(10)
    asked()
    seen.append(gc.isenabled())
    go_on.set()
    thread.join(10)
    assert [*seen, gc.isenabled()] == [False, True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_process_that_is_forked_meanwhile_collects() -> None:
    @uncollected
    def fork() -> int:
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() and not asked() and gc.isenabled() else 1)
        return child

    _, status = os.waitpid(fork(), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert gc.isenabled()


def test_hooks_and_the_givers_of_rows_run_with_it(store) -> None:  # type: ignore[no-untyped-def]
    seen = []

    def rows() -> Iterator[dict[str, str]]:
        for number in range(3):
            seen.append(gc.isenabled())
            yield {"name": f"n{number}"}

    with store.session(principal="test") as session:
        session.add_many(Account, rows(), batch=2)
        session.commit()
    assert seen == [True] * 3

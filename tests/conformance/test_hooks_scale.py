"""What hooks cost is measured so that a busy machine is no finding, and a hook that does not scale is one."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from itertools import count
from types import SimpleNamespace

import pytest

from crm_core import Crm
from crm_core.hooks.implementations import Implementation
from crm_core.store.changes import Change
from crm_core.testing.conformance.batches import ACCOUNTS, CHANGE_SETS, SETS
from crm_core.testing.conformance.checks import hooks_scale
from crm_core.testing.conformance.checks.hooks_scale import MANY, SOME


@pytest.fixture
def crm(database_url):
    with Crm.open({}, database=database_url, check=False) as crm:
        crm.migrate()
        yield crm


def work(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@contextmanager
def takes(seconds, size):
    """A call with so many, for which the next of these numbers of seconds is worked."""
    yield lambda: work(seconds[size].pop(0)) if size in seconds else None


def found(crm, seconds, kind=ACCOUNTS):
    call = Implementation("mine", "crm_gather_news", print, ())
    about = {"operation": "create", "record": "account"}
    subject = SimpleNamespace(folder=None)
    return list(hooks_scale._measured(subject, crm, call, kind, partial(takes, seconds), about))


def test_a_call_that_was_slow_once_is_no_finding(crm):
    assert found(crm, {SOME: [0.001, 0.001], MANY: [0.4, 0.01]}) == []


def test_a_call_that_is_slow_again_is_one(crm):
    (finding,) = found(crm, {SOME: [0.001, 0.001], MANY: [0.4, 0.4]})
    assert "an account gets dearer the more there are" in finding.said()


def test_what_a_hook_has_heard_it_may_not_do_again_so_that_its_first_time_counts(crm):
    (finding,) = found(crm, {SOME: [0.001], MANY: [0.4]}, CHANGE_SETS)
    assert "as the feed tells them" in finding.said()


def test_no_change_set_is_told_twice(crm):
    """A hook that remembers which it has heard would have nothing to do from the second time on."""
    heard = []
    call = Implementation("mine", "crm_on_committed", lambda sets: heard.extend(each.id for each in sets),
                          ("change_sets",))  # fmt: skip
    changes = [Change("account", number, "create", {}, {}) for number in range(10)]
    calls = {"ChangeBatch": [], CHANGE_SETS: [call]}
    for _, _, prepared in hooks_scale._ways(crm, calls, crm.types["account"], changes, count(7, SETS)):
        for size in (1, 5, 10):
            with prepared(size) as ask:
                ask()
    assert min(heard) == 8 and len(heard) > 6 and sorted(set(heard)) == sorted(heard)

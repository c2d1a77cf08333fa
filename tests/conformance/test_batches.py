"""Which hooks take a batch follows from the hooks; a new one cannot be forgotten."""

from __future__ import annotations

import datetime as dt

from crm_core.hooks import SPECS
from crm_core.hooks.specs import spec_of
from crm_core.store.changes import Change
from crm_core.testing.conformance.asking import ASKED
from crm_core.testing.conformance.batches import (
    ACCOUNTS,
    CHANGE_SETS,
    CHANGES,
    SETS,
    batch_hooks,
    change_sets,
    unknown_types,
)


def test_of_every_parameter_of_every_hook_it_is_known_whether_it_is_a_batch():
    assert unknown_types() == {}


def test_a_new_kind_of_batch_would_be_noticed():
    def crm_on_looks(session: CrmSession, looks: Sequence[Look]) -> None:  # noqa: F821 - a hook of tomorrow
        """Since 0.9. Hear who looked."""

    assert unknown_types([spec_of(crm_on_looks, "events")]) == {"crm_on_looks": "Sequence[Look]"}


def test_the_hooks_that_take_one():
    found = batch_hooks()
    assert {hook for hook, kind in found.items() if kind == ACCOUNTS} == set(ASKED)
    assert {hook for hook, kind in found.items() if kind == CHANGES} == {"crm_check_changes", "crm_on_changes"}
    assert {hook for hook, kind in found.items() if kind == CHANGE_SETS} == {"crm_on_committed"}
    assert set(found) <= set(SPECS)


def test_the_feed_tells_change_sets_in_parts():
    changes = [Change("account", number, "create", {}, {}) for number in range(1050)]
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    (whole,) = change_sets(changes, 1, 7, now)
    assert (whole.id, list(whole.changes)) == (8, changes)
    parts = change_sets(changes, SETS, 7, now)
    assert len(parts) <= SETS and [each.id for each in parts] == list(range(8, 8 + len(parts)))
    assert [change for each in parts for change in each.changes] == changes
    assert [len(each.changes) for each in change_sets(changes[:1], SETS, 7, now)] == [1]

"""Changes as plugins are told of them."""

from __future__ import annotations

from crm_core import ChangeBatch
from crm_core.domain.accounts import Account
from crm_core.store.changes import Change

CREATED = Change("account", 1, "create", {}, {"name": "Acme", "grade": "A"})
RENAMED = Change("account", 2, "update", {"name": "Old"}, {"name": "New"})
GRADED = Change("account", 3, "update", {"grade": None}, {"grade": "B"})
DELETED = Change("account", 4, "delete", {"name": "Gone"}, {})
BATCH = ChangeBatch(Account.crm_type, (CREATED, RENAMED, GRADED, DELETED))


def test_a_batch_is_the_sequence_of_its_changes() -> None:
    assert len(BATCH) == 4
    assert list(BATCH) == [CREATED, RENAMED, GRADED, DELETED]
    assert not list(ChangeBatch(Account.crm_type, ()))


def test_some_of_them_by_their_operations() -> None:
    assert BATCH.of("create") == [CREATED]
    assert BATCH.of("update", "delete") == [RENAMED, GRADED, DELETED]
    assert BATCH.of() == []


def test_those_that_concern_fields_come_go_or_change_one_of_them() -> None:
    assert BATCH.touching("name") == [CREATED, RENAMED, DELETED]
    assert BATCH.touching("grade", "industry") == [CREATED, GRADED, DELETED]
    assert BATCH.touching("industry") == BATCH.touching() == [CREATED, DELETED]


def test_a_change_names_its_fields() -> None:
    assert CREATED.fields == {"name", "grade"}
    assert DELETED.fields == {"name"}
    assert Change("account", 5, "update", {"name": "Old"}, {"grade": "B"}).fields == {"name", "grade"}

"""Batches for the hooks that take many things at once: which hooks those are, and ways to call them with so many."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.assembly.delivery import BATCH
from crm_core.hooks import SPECS
from crm_core.store.changes import Change, ChangeBatch, ChangeSet
from crm_core.store.values import from_columns
from crm_core.testing.conformance.asking import arguments
from crm_core.testing.conformance.population import PRINCIPAL, SEES_ALL

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.hooks.implementations import Implementation
    from crm_core.hooks.specs import HookSpec
    from crm_core.records import RecordType

__all__ = [
    "ACCOUNTS", "CHANGES", "CHANGE_SETS", "SETS", "asking_about", "batch_hooks", "change_sets", "changes_of",
    "hearing_of", "telling_of", "unknown_types",
]  # fmt: skip

CHANGES, CHANGE_SETS, ACCOUNTS = "ChangeBatch", "Sequence[ChangeSet]", "Sequence[int]"
"""The types of parameters that are a batch, as the hooks write them."""

SETS = BATCH
"""How many change sets the feed tells at once; each may have any number of changes."""

_SINGLE = frozenset({
    "Collection[str]", "Crm", "CrmSession", "Merging", "Touch", "dt.datetime", "dt.datetime | None", "int",
    "int | None",
})  # fmt: skip
"""The types of parameters that are as large however many records there are."""

Ask = Callable[[], object]


def batch_hooks(specs: Iterable[HookSpec] = tuple(SPECS.values())) -> dict[str, str]:
    """The type of the batch by hook, of those that take one."""
    batches = (CHANGES, CHANGE_SETS, ACCOUNTS)
    return {spec.name: each for spec in specs for each in spec.types.values() if each in batches}


def unknown_types(specs: Iterable[HookSpec] = tuple(SPECS.values())) -> dict[str, str]:
    """Parameters of which nobody has said here whether they are a batch, by hook; the tests see to it that none is."""
    known = _SINGLE | {CHANGES, CHANGE_SETS, ACCOUNTS}
    return {spec.name: each for spec in specs for each in spec.types.values() if each not in known}


def changes_of(crm: Crm, record_type: RecordType, ids: Sequence[int]) -> dict[str, list[Change]]:
    """What a creation, a change and a deletion of each row would be told as."""
    found: dict[str, list[Change]] = {"create": [], "update": [], "delete": []}
    wanted, name = set(ids), record_type.name
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        # As rows: ten thousand records would take longer to be made than most hooks take to hear of them.
        rows: Any = session.core(select(record_type.table)).mappings()
        for row in rows:
            if row["id"] in wanted:
                declared = from_columns(record_type, row)
                values = {field: declared[field] for field in record_type.by_name if declared.get(field) is not None}
                found["create"].append(Change(name, row["id"], "create", {}, values))
                found["update"].append(Change(name, row["id"], "update", dict.fromkeys(values), values))
                found["delete"].append(Change(name, row["id"], "delete", values, {}))
    return found


def change_sets(changes: Sequence[Change], count: int, last: int, at: dt.datetime) -> list[ChangeSet]:
    """Changes as the feed tells them, in up to so many change sets, with ids after the last one that there is."""
    size = max(1, -(-len(changes) // count))
    return [
        ChangeSet(last + number, at, None, PRINCIPAL, None, "session", changes=changes[start : start + size])
        for number, start in enumerate(range(0, len(changes), size), 1)
    ]


@contextmanager
def telling_of(crm: Crm, call: Implementation, batch: ChangeBatch) -> Iterator[Ask]:
    """A call of a hook that is told changes before they are committed; what it writes is taken back."""
    with crm.system_session(PRINCIPAL) as session, session.as_system(PRINCIPAL) as system:

        def ask() -> None:
            list(call({"session": session, "system": system, "batch": batch}) or ())
            session.flush()

        yield ask
        session.rollback()


@contextmanager
def hearing_of(crm: Crm, call: Implementation, sets: Sequence[ChangeSet]) -> Iterator[Ask]:
    """A call of a hook that is told what was committed."""
    yield lambda: call({"crm": crm, "change_sets": sets})


@contextmanager
def asking_about(crm: Crm, call: Implementation, accounts: Sequence[int]) -> Iterator[Ask]:
    """A call of a hook that somebody asks about accounts who sees them all."""
    with crm.session(SEES_ALL, read_only=True) as session:
        asked: Mapping[str, Any] = arguments(crm, session, accounts)[call.hook]
        yield lambda: list(call(asked) or ())

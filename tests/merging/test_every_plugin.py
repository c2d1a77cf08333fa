"""The demo company, which sells in four ways with every plugin: customers of it are merged, and taken apart again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm_core import Account, Contact, Crm, duplicates, merging
from crm_core.exchange import run_import

from .records import dangling, dump

DEMO = Path(__file__).parents[2] / "examples" / "demo"


@pytest.fixture
def demo(database_url: str) -> Iterator[Crm]:
    with Crm.open(DEMO / "crm.toml", database=database_url, check=False) as crm:
        crm.migrate()
        run_import(crm, DEMO / "mapping.toml", DEMO / "data")
        yield crm


def busiest(crm: Crm, cls: Any) -> list[int]:
    """Six records: those that most other types refer to, then those with most rows."""
    types: Counter[int] = Counter()
    rows: Counter[int] = Counter()
    with crm.system_session("look", read_only=True) as session:
        for child, field in crm.types.referring(cls.crm_type.name):
            found = session.scalars(select(getattr(child.cls, field.name)), execution_options={"all_dates": True})
            ids = [id_ for id_ in found if id_ is not None]
            rows.update(ids)
            types.update(set(ids))
    return sorted(rows, key=lambda id_: (-types[id_], -rows[id_], id_))[:6]


def test_the_busiest_customers_and_people_of_every_plugin(demo: Crm) -> None:
    before = dump(demo.store)
    done = 0
    for cls in (Account, Contact):
        ids = busiest(demo, cls)
        for target, source in zip(ids[::2], ids[1::2], strict=True):
            with demo.system_session("merge") as session:
                pair = session.require(cls, target), session.require(cls, source)
                planned = merging.merge(session, *pair, dry_run=True)
                assert planned.conflicts == []
                assert len(planned.moved) > 2
                merging.merge(session, *pair)
            assert dangling(demo.store, demo.types) == []
            with demo.system_session("merge") as session:
                assert duplicates.check_index(session).right
                assert merging.resolve(session, cls, source) == target
                merging.split(session, source)
            assert dump(demo.store) == before
            done += 1
    assert done == 6

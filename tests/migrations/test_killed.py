"""A process that is killed while it migrates leaves every plugin at its old revision or at its new one, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import inspect, text

from crm_core.store.engine import open_engine
from crm_core.store.migrations import check_current, current, drift, make_revision, upgrade

# Ends itself, as kill -9 would, before its n-th statement; our own BEGIN and COMMIT count as well.
VICTIM = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from crm_core.store.engine import open_engine
from crm_core.store.migrating import running
from crm_core.store.migrations import MigrationSource, kernel_source, upgrade

url, garden, kitchen, last = sys.argv[1:]
engine = open_engine(url)
count = 0

def step(*_):
    global count
    count += 1
    if count == int(last):
        os.kill(os.getpid(), signal.SIGKILL)

for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
    event.listen(engine, name, step)
write = running._write_version
running._write_version = lambda *args: (step(), write(*args), step())
upgrade(engine, [kernel_source(), MigrationSource("garden", Path(garden)), MigrationSource("kitchen", Path(kitchen))])
print(count)
"""


def victim(url: str, garden: Any, kitchen: Any, last: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", VICTIM, url, str(garden.location), str(kitchen.location), str(last)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


# What the database must look like at each revision of the two plugins.
COLUMNS = {
    "garden": {
        None: None,
        "0001": {"id", "account_id", "name"},
        "0002": {"id", "account_id", "name"},
        "0003": {"id", "account_id", "name", "height"},
    },
    "kitchen": {None: None, "0001": {"id", "account_id"}},
}
ROWS = {None: None, "0001": 0, "0002": 2, "0003": 2}


def prepared(kernel: Any, garden: Any, kitchen: Any) -> list[Any]:
    garden.tables = (garden.plants(),)
    make_revision(garden.source, "First tables", [kernel])
    garden.count = 1
    garden.write("for id in (1, 2):\n    op.execute(f\"INSERT INTO garden__plant VALUES ({id}, 1, 'rose')\")")
    garden.write(
        'with op.batch_alter_table("garden__plant") as batch_op:\n'
        '    batch_op.alter_column("name", existing_type=c.stored_text(40), nullable=True)\n'
        '    batch_op.add_column(sa.Column("height", sa.Integer()))'
    )
    garden.tables = ()
    kitchen.write(kitchen.create("kitchen__pot"))
    return [kernel, garden.source, kitchen.source]


def assert_whole(engine: Any, sources: list[Any]) -> dict[str, str]:
    versions = current(engine)
    names = set(inspect(engine).get_table_names())
    assert not {name for name in names if name.startswith("_alembic_tmp")}
    for table, plugin in (("garden__plant", "garden"), ("kitchen__pot", "kitchen")):
        expected = COLUMNS[plugin][versions.get(plugin)]
        assert (table in names) == (expected is not None)
        if expected is not None:
            assert {column["name"] for column in inspect(engine).get_columns(table)} == expected
    if "garden__plant" in names:
        with engine.connect() as connection:
            count = connection.execute(text("SELECT count(*) FROM garden__plant")).scalar_one()
        assert count == ROWS[versions["garden"]]
    assert drift(engine, sources[0]) == []
    return versions


def kill_everywhere(urls: list[str], account: Any, kernel: Any, garden: Any, kitchen: Any) -> None:
    sources = prepared(kernel, garden, kitchen)
    for url in urls:
        engine = open_engine(url)
        upgrade(engine, sources[:1])
        account(engine)
        engine.dispose()
    total = int(victim(urls[0], garden, kitchen, 0).stdout)
    rest = urls[1:]
    points = sorted({1 + index * (total - 1) // (len(rest) - 1) for index in range(len(rest))})
    assert len(points) == len(rest)
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda pair: victim(pair[0], garden, kitchen, pair[1]), zip(rest, points, strict=True)))
    assert [one.returncode for one in ended] == [-signal.SIGKILL] * len(rest), [one.stderr for one in ended]
    seen = set()
    for url in rest:
        engine = open_engine(url)
        seen.add(tuple(sorted(assert_whole(engine, sources).items())))
        # And the next run goes on from there.
        upgrade(engine, sources)
        check_current(engine, sources)
        assert assert_whole(engine, sources) == {"crm": "0001", "garden": "0003", "kitchen": "0001"}
        engine.dispose()
    # The kills fell before, between and within the revisions.
    assert len(seen) >= min(4, len(rest) - 1)


def test_killed_on_sqlite_it_leaves_whole_revisions(tmp_path, add_account, kernel, garden, kitchen):
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(26)]
    kill_everywhere(urls, add_account, kernel, garden, kitchen)


def test_killed_on_postgresql_it_leaves_whole_revisions(postgresql_server, add_account, kernel, garden, kitchen):
    names = [f"killed_{os.getpid()}_{number}" for number in range(7)]
    try:
        urls = [postgresql_server.create_database(name) for name in names]
        kill_everywhere(urls, add_account, kernel, garden, kitchen)
    finally:
        for name in names:
            postgresql_server.drop_database(name)


def test_killed_in_the_kernels_first_revision_it_leaves_an_empty_database(database_url, garden, kitchen):
    ended = victim(database_url, garden, kitchen, 40)
    assert ended.returncode == -signal.SIGKILL
    engine = open_engine(database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    assert victim(database_url, garden, kitchen, 0).returncode == 0

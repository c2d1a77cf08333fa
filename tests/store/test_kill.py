from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from tests.store import journal_support as support
from tests.store.journal_support import Note

ROOT = support.__file__.removesuffix("tests/store/journal_support.py")

WORK = """
import sys
from tests.store import journal_support as support
from tests.store.journal_support import Note

store = support.Store(sys.argv[1], support.all_types())
with store.session(principal="killed", streaming=True) as session:
    session.add(Note(name="by hand"))
    def rows():
        for number in range(int(sys.argv[2])):
            if number % 1000 == 0:
                print(number, flush=True)
            yield {"name": f"n{number}"}
    session.add_many(Note, rows())
    print("committing", flush=True)
    {hook}
print("done", flush=True)
"""

# The process dies within the commit itself: after the journal's head, before the database's COMMIT.
DYING_COMMIT = """
    import os, signal
    from sqlalchemy import event
    event.listen(store.engine, "commit", lambda connection: os.kill(os.getpid(), signal.SIGKILL))
"""


def start(url: str, rows: int, hook: str = "pass") -> subprocess.Popen[str]:
    work = WORK.replace("{hook}", hook.strip().replace("\n", "\n").strip())
    return subprocess.Popen(
        [sys.executable, "-c", work, url, str(rows)], stdout=subprocess.PIPE, text=True, cwd=ROOT or "."
    )


def assert_nothing_is_half_visible(store) -> None:
    if store.dialect == "sqlite":
        with store.engine.connect() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    deadline = time.monotonic() + 60
    while support.state(store) and time.monotonic() < deadline:
        time.sleep(0.1)  # the server may need a moment to notice
    assert support.state(store) == {}
    assert support.heads(store) == []
    assert support.changes(store) == []


@pytest.mark.parametrize("moment", ["1000", "5000", "committing"])
def test_a_killed_writer_leaves_nothing(database_url, moment):
    with support.opened(database_url) as store:
        process = start(database_url, 6000 if moment == "committing" else 10**6, DYING_COMMIT)
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == moment and moment != "committing":
                process.send_signal(signal.SIGKILL)
                break
        process.wait(60)
        process.stdout.close()
        assert process.returncode == -signal.SIGKILL
        assert_nothing_is_half_visible(store)
        with store.session(principal="next") as session:
            ids = session.add_many(Note, [{"name": "after"}] * 3)
        assert len(set(ids)) == 3
        assert support.replay(store) == support.state(store)


def test_an_unharmed_writer_leaves_everything(database_url):
    with support.opened(database_url) as store:
        process = start(database_url, 3000)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        assert len(support.state(store)) == 3001
        assert support.replay(store) == support.state(store)

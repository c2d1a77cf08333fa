"""An import that is killed leaves nothing, and the next run completes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_core.assembly import Crm
from crm_core.domain.accounts import Account
from crm_core.exchange import run_import
from crm_core.store.tables import CHANGE, CHANGE_SET

ROWS = 6000
PROGRAM = """
import sys
from crm_core.assembly import Crm
from crm_core.exchange import run_import
url, folder = sys.argv[1:]
crm = Crm.open({"crm": {}}, database=url, check=False)
def tell(progress):
    print(progress.section, progress.rows, flush=True)
run_import(crm, folder + "/mapping.toml", folder, progress=tell)
print("done", flush=True)
"""
MAPPING = """
[source]
system = "old"
[[section]]
record = "account"
file = "data.csv"
key = "id"
fields.name = "name"
[[section]]
record = "account_address"
file = "data.csv"
key = "id"
fields.account_id = { column = "id", lookup = "account" }
fields.address.city = "name"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    (tmp_path / "data.csv").write_text("id,name\n" + "".join(f"{number},Acme {number}\n" for number in range(ROWS)))
    return tmp_path


def leave_after(url: str, folder: Path, lines: int, seconds: float) -> list[str]:
    """Start an import and kill it so many lines of its report and seconds later; returns what it had said."""
    command = [sys.executable, "-c", PROGRAM, url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        time.sleep(seconds)
        process.kill()
        return [*said, *process.stdout.read().splitlines(keepends=True)]


def test_killed_at_several_points(open_crm: Callable[..., Crm], database_url: str, folder: Path) -> None:
    crm = open_crm({"crm": {}})
    chance = random.Random(7)
    interrupted = 0
    for lines in (1, chance.randint(2, 6), chance.randint(7, 12)):
        said = leave_after(database_url, folder, lines, chance.random() / 20)
        if "done\n" in said:  # it was faster
            break
        interrupted += 1
        with crm.system_session("test", read_only=True) as session:
            for table in (Account.crm_type.table, CHANGE, CHANGE_SET):
                assert session.core(select(func.count()).select_from(table)).scalar_one() == 0
    assert interrupted
    report = run_import(crm, folder / "mapping.toml", folder)
    assert report.created + report.unchanged == 2 * ROWS
    with crm.system_session("test", read_only=True) as session:
        assert session.count(Account) == ROWS
    assert run_import(crm, folder / "mapping.toml", folder).change_set is None

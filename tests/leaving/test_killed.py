"""A removal that is killed loses nothing: the data are in the database, or in a complete export, or both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from crm_core.leaving.editing import listed_in
from crm_core.leaving.restoring import restore
from crm_core.store.leaving.exported import read

from .leaver import Company, rows
from .test_commands import BUILD

SCRIPT = """\
import os, signal, sys
from pathlib import Path
from crm_core import Crm
from crm_core.leaving.removing import plan_removal, remove

def tell(what, name, rows):
    if what == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

crm = Crm.open(sys.argv[1])
remove(crm, plan_removal(crm, "leaver", Path(sys.argv[3])), tell)
"""
STAGES = ("disabled", "export", "verify", "exported", "remove", "downgrade", "removed", "committed")


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_at_any_stage(
    company: Company, database_url: str, site: Any, opened: Callable[..., Any], tmp_path: Path, stage: str
) -> None:
    site.add_leaver()
    before, file, folder = rows(company.crm), tmp_path / "crm.toml", tmp_path / "out"
    file.write_text(BUILD.format(database=database_url), encoding="utf-8")
    path = os.pathsep.join((str(site.folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")))

    def attempt(stage: str, folder: Path) -> int:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": path}
        command = [sys.executable, "-c", SCRIPT, str(file), stage, str(folder)]
        return subprocess.run(command, env=environ, timeout=120, check=False, cwd=tmp_path).returncode

    assert attempt(stage, folder) == -signal.SIGKILL
    assert listed_in(file, "disabled", "leaver"), "the build opens without it from the first moment on"
    if stage == "committed":
        assert not [name for name in inspect(company.crm.store.engine).get_table_names() if "leaver" in name]
        assert read(folder).rows == 7
    else:
        assert rows(opened()) == before

    assert attempt("never", tmp_path / "again") == 0
    assert not listed_in(file, "plugins", "leaver")
    crm = opened(check=False)
    restore(crm, folder if stage == "committed" else tmp_path / "again")
    assert rows(crm) == before

"""The plugin of the tutorial is a distribution that can be shipped: its wheel holds all that it needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from examples import ROOT, parse, steps

PAGE = ROOT / "docs/tutorials/first-plugin.md"


def test_the_wheel_of_the_tutorial_holds_revisions_and_catalogue(tmp_path: Path) -> None:
    for step in steps(parse(PAGE.read_text(encoding="utf-8"))):
        if step["do"] == "write":
            path = tmp_path / step["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step["code"], encoding="utf-8")
    revision = tmp_path / "crm_loans/migrations/0001_first_tables.py"
    revision.parent.mkdir()
    revision.write_text('revision = "0001"\n', encoding="utf-8")

    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    ran = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    with zipfile.ZipFile(tmp_path / "dist" / ran.stdout.splitlines()[-1]) as wheel:
        names = set(wheel.namelist())

    assert {
        "crm_loans/manifest.py",
        "crm_loans/records.py",
        "crm_loans/plugin.py",
        "crm_loans/migrations/0001_first_tables.py",
        "crm_loans/locale/zh_CN/LC_MESSAGES/loans.po",
        "crm_loans-1.0.dist-info/entry_points.txt",
    } <= names

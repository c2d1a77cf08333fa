"""The examples in the guide run as they stand, one after the other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import crm_core

GUIDE = Path(crm_core.__file__).parents[1] / "docs" / "how-to" / "migrate.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_examples_print_what_the_guide_says(tmp_path):
    program = tmp_path / "example.py"
    program.write_text("\n".join(blocks("python")), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "".join(blocks("text"))


def test_the_commands_for_contributors_write_a_first_revision(tmp_path):
    remove, make = next(block for block in blocks("sh") if block.startswith("rm ")).splitlines()
    assert remove == "rm crm_core/migrations/0001_*.py"
    assert list((GUIDE.parents[2] / "crm_core" / "migrations").glob("0001_*.py"))
    code = re.fullmatch(r'python -c "(.*)"', make).group(1)
    code = code.replace("kernel_source()", f"kernel_source({str(tmp_path)!r})")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert Path(ran.stdout.strip()) == tmp_path / "0001_first_tables.py"
    assert 'op.create_table(\n        "crm_account",' in (tmp_path / "0001_first_tables.py").read_text()

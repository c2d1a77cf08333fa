"""What is said of tests that take long is said of tests that are there, and what is not measured is measured after."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from crm_core.fields import folding

ROOT = Path(__file__).parents[2]


def _loaded(path: Path):
    # By its path: pytest calls the conftest.py of each plugin's tests by the same name.
    spec = importlib.util.spec_from_file_location("conftest_of_all", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


conftest = _loaded(ROOT / "conftest.py")


@pytest.mark.parametrize("name", sorted(conftest.LONG))
def test_a_test_that_takes_long_is_there(name):
    path, *_, function = name.partition("[")[0].split("::")
    assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8")


def test_workers_have_their_share_of_the_long_ones_at_once(monkeypatch):
    class Item:
        def __init__(self, nodeid):
            self.nodeid = nodeid

    class Config:
        workerinput = {"workercount": 2}  # noqa: RUF012 - as that of pytest

    seconds = {"a": 5, "b": 30, "c": 20, "d": 10}
    monkeypatch.setattr(conftest, "LONG", {name: conftest.Long(float(each), True) for name, each in seconds.items()})
    items = [Item(name) for name in ("x", "a", "b[1]", "y", "c", "d")]
    conftest.pytest_collection_modifyitems(Config(), items)
    assert [item.nodeid for item in items] == ["b[1]", "d", "c", "a", "x", "y"]


PROGRAM = """
import subprocess, sys
import conftest
from crm_core.fields import folding
with conftest.unmeasured():
    folding.fold("A")
    child = "from crm_core.fields import folding; folding.sort_key('A')"
    subprocess.run([sys.executable, "-c", child], check=True)
folding.to_half_width("A")
"""


def test_what_is_not_measured_is_measured_again_afterwards(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROGRAM, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", f"--rcfile={ROOT / 'pyproject.toml'}", str(script)],
        cwd=tmp_path, env={**environment, "PYTHONPATH": paths}, check=True,
    )  # fmt: skip
    (file,) = tmp_path.glob(".coverage*")
    data = CoverageData(str(file))
    data.read()
    (name,) = (name for name in data.measured_files() if name.endswith("folding.py"))
    reached = set(data.lines(name) or ())
    source = ast.parse(Path(folding.__file__).read_text(encoding="utf-8"))
    defined = [each for each in source.body if isinstance(each, ast.FunctionDef)]
    functions = {each.name: {line.lineno for line in each.body[1:]} for each in defined}
    measured = {function for function, lines in functions.items() if lines & reached}
    assert measured == {"to_half_width"}
    assert all(functions[function] for function in ("fold", "to_half_width", "sort_key"))

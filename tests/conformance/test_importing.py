"""What importing a plugin does is laid to the plugin where its own code does it, and to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_core.testing import verify
from crm_core.testing.projects import installed_projects

PROJECT = """
[project]
name = "{dist}"
version = "1.0"
dependencies = ["crm-core"]

[project.entry-points."crm_core.plugins"]
{name} = "{name}.manifest:manifest"
"""
MANIFEST = """
from crm_core import Manifest

manifest = Manifest(name="{name}", version="1.0", crm_core=">=0.1,<1", module="{name}.plugin")
"""


def found(folder: Path, name: str, plugin: str, **files: str) -> list[str]:
    """What the check says of a plugin whose module holds this code."""
    package = folder / name
    package.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, dist=name.replace("_", "-")), encoding="utf-8")
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "manifest.py").write_text(MANIFEST.format(name=name), encoding="utf-8")
    (package / "plugin.py").write_text(plugin, encoding="utf-8")
    for module, code in files.items():
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
    with installed_projects(folder):
        report = verify(name, only=["pure-import"])
    return [each.said() for each in report.findings]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.environ['PROBED'] = '1'", "Importing it changes the environment."),
        ("import os; 'PROBED' in os.environ", "Importing it reads the environment: PROBED."),
        ("import os; dict(os.environ)", "Importing it reads the environment: -."),
        ("import os; os.chdir(os.getcwd())", "Importing it changes the working directory."),
        ("import sqlite3; sqlite3.connect(':memory:').close()", "Importing it opens a database."),
        ("import tempfile, os; os.rmdir(tempfile.mkdtemp())", "Importing it changes files"),
        ("import sys; print('mistake', file=sys.stderr)", "Importing it prints: mistake."),
    ],
)
def test_an_effect_is_found(tmp_path, request, code, said):
    number = request.node.callspec.indices["code"]
    assert any(each.startswith(said) for each in found(tmp_path, f"probed_{number}", code))


def test_what_a_library_does_when_it_is_imported_is_not_the_plugins_doing(tmp_path):
    noisy = "import os\nprint('I am a library')\nHOME = os.environ.get('HOME')\n"
    assert found(tmp_path, "probed_library", "import noisy_library\n", noisy_library=noisy) == []


def test_what_a_library_does_when_it_is_called_is(tmp_path):
    quiet = "import os\n\ndef home():\n    return os.environ.get('HOME')\n"
    told = found(tmp_path, "probed_call", "import quiet_library\n\nquiet_library.home()\n", quiet_library=quiet)
    assert told == ["Importing it reads the environment: HOME."]


def test_functions_may_do_all_that(tmp_path):
    code = "import os\n\ndef run():\n    print(os.environ)\n"
    assert found(tmp_path, "probed_function", code) == []

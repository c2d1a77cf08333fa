"""What the contract promises: since when a hook is there, what goes, and that the public API breaks for nobody."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from crm_core import __version__
from crm_core.assembly import HOOK_API, assemble, given
from crm_core.assembly.manifest import Manifest
from crm_core.hooks import SPECS, Deprecation, deprecated, going, hookimpl
from crm_core.hooks.specs import FAMILIES, spec_of
from crm_core.testing.conformance.public import PUBLIC_MODULES, exports

ROOT = Path(__file__).parents[2]


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "downstream" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_each_hook_says_since_when_it_is_there(spec):
    assert spec.since, "its documentation says: Since 0.1."
    assert tuple(map(int, spec.since.split("."))) <= tuple(map(int, HOOK_API.split(".")))


class Going:
    """A plugin that implements what goes."""

    @staticmethod
    @hookimpl
    def crm_check_old(session, touch):
        return None

    @staticmethod
    @hookimpl
    def crm_check_new(session, late):
        return None


@deprecated(Deprecation("0.2", "0.4", "crm_check_new"))
def crm_check_old(session, touch):
    """Since 0.1. Something old."""


@deprecated(late=Deprecation("0.2", "0.3"))
def crm_check_new(session, late):
    """Since 0.2. Something new."""


def test_a_plugin_is_told_what_goes_and_when():
    specs = {each.__name__: spec_of(each, "checks") for each in (crm_check_old, crm_check_new)}
    assert (specs["crm_check_old"].since, specs["crm_check_new"].since) == ("0.1", "0.2")
    told = sorted(str(each) for each in going("partner", Going, specs))
    assert told == [
        "partner.crm_check_new: The parameter 'late' of crm_check_new goes: it is deprecated since the contract 0.2, "
        "and removed in 0.3.",
        "partner.crm_check_old: The hook crm_check_old goes: it is deprecated since the contract 0.2, and removed in "
        "0.4. Use crm_check_new.",
    ]


def test_assembly_warns_of_what_goes(monkeypatch, tmp_path):
    import sys

    from crm_core.hooks import implementations

    (tmp_path / "crm_going.py").write_text(
        "from crm_core.hooks import hookimpl\n@hookimpl\ndef crm_check_contact(session, touch): return []\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = SPECS["crm_check_contact"]
    marked = type(spec)(spec.name, spec.family, spec.parameters, spec.doc, spec.since, Deprecation("0.1", "0.3", "x"))
    monkeypatch.setattr(implementations.going, "__defaults__", ({**SPECS, spec.name: marked},))
    manifest = Manifest(name="going", version="1", crm_core=">=0.1", module="crm_going")
    build = assemble({"crm": {"plugins": ["going"]}}, discovery=given(manifest))
    sys.modules.pop("crm_going", None)
    (told,) = [str(each) for each in build.report.warnings if "goes" in str(each)]
    assert told.startswith("going.crm_check_contact: The hook crm_check_contact goes")
    assert "removed in 0.3" in told


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    package = tmp_path / "thing"
    package.mkdir()
    (package / "__init__.py").write_text("def kept(a, b): ...\ndef removed(): ...\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_without_a_release_nothing_can_break(repository, capsys):
    assert script("public_api").main(["--repository", str(repository), "--package", "thing"]) == 0
    assert "no release yet" in capsys.readouterr().out


def test_what_breaks_since_the_last_release_is_named(repository, capsys):
    check = ["--repository", str(repository), "--package", "thing"]
    git(repository, "tag", "v0.9.0")
    git(repository, "tag", "v0.10.0")
    git(repository, "tag", "vague")
    api = script("public_api")
    assert api.last_release(repository) == "v0.10.0"
    assert api.main(check) == 0
    (repository / "thing" / "__init__.py").write_text("def kept(a): ...\n")
    assert api.main(check) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("thing.removed: ") for line in lines)
    assert any(line.startswith("thing.kept") for line in lines)
    (repository / "downstream").mkdir()
    broken = [line for line in lines if line.startswith("thing.")]
    (repository / "downstream" / "accepted.txt").write_text("# meant\n" + "\n".join(broken) + "\n")
    assert api.main(check) == 0


def test_what_is_compared_is_what_the_conformance_kit_calls_public():
    import griffe

    api = script("public_api")
    package = griffe.load("crm_core", search_paths=[ROOT], resolve_aliases=True, resolve_external=False)
    assert tuple(f"{each.__name__}" for each in FAMILIES) == api.HOOKS
    assert api.public_modules(package) == (*PUBLIC_MODULES, *api.HOOKS)
    for name in PUBLIC_MODULES:
        found = api.module(package, name)
        named = {each for each in exports(name) if f"{name}.{each}" not in PUBLIC_MODULES}
        assert api.exported(found) == named, name
        assert named <= found.members.keys(), name


@pytest.fixture
def kernel(tmp_path):
    """A package that says what of it is public, and exports a name that it computes."""
    files = {
        "__init__.py": (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from crm_core.inner import Kept as Kept\n"
            "    from crm_core.inner import gone as gone\n_MODULES = {}\n__all__ = [*_MODULES]\n"
        ),
        "inner.py": "class Kept:\n    def method(self, a, b): ...\ndef gone(): ...\ndef private(a): ...\n",
        "other.py": "__all__ = ['there']\ndef there(): ...\ndef not_exported(a): ...\n",
        "hooks/__init__.py": "",
        **{f"hooks/{family}.py": "" for family in ("registration", "gathering", "events")},
        "hooks/checks.py": "__all__ = ['crm_check_it']\ndef crm_check_it(session): ...\n",
        "testing/__init__.py": "",
        "testing/conformance/__init__.py": "",
        "testing/conformance/public.py": "PUBLIC_MODULES = ('crm_core', 'crm_core.other')\n",
    }
    for name, text in files.items():
        path = tmp_path / "crm_core" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "tag", "v1.0")
    return tmp_path / "crm_core"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("inner.py", "(self, a, b)", "(self, a)", "crm_core.inner.Kept.method: Parameter was removed"),
        (
            "__init__.py",
            "    from crm_core.inner import gone as gone\n",
            "",
            "crm_core.gone: Public object was removed",
        ),
        ("inner.py", "private(a)", "private(b)", ""),
        ("other.py", "not_exported(a)", "not_exported(b)", ""),
        ("other.py", "there", "here", "crm_core.other.there: Public object was removed"),
        ("testing/conformance/public.py", ", 'crm_core.other'", ",", "crm_core.other: The module is no longer public"),
        ("hooks/checks.py", "(session)", "(session, more)", ""),
        ("hooks/checks.py", "(session)", "()", "crm_core.hooks.checks.crm_check_it: Parameter was removed"),
    ],
)
def test_what_is_public_is_compared_and_nothing_else(kernel, capsys, file, old, new, told):
    text = (kernel / file).read_text()
    assert old in text
    (kernel / file).write_text(text.replace(old, new))
    code = script("public_api").main(["--repository", str(kernel.parent)])
    assert capsys.readouterr().out.splitlines()[:-1] == ([told] if told else [])
    assert code == (1 if told else 0)


def test_the_page_of_the_contract_tells_the_versions_that_are_here():
    page = (ROOT / "docs" / "explanation" / "contract.md").read_text(encoding="utf-8")
    row = re.search(r"^\| `([^`]+)` \| `([^`]+)` \|", page, re.MULTILINE)
    assert row, "the table begins with this kernel"
    assert row.groups() == (__version__, HOOK_API)


def test_a_suite_downstream_runs_with_what_it_requires_alone():
    suites = script("suites")
    known = suites.suites()
    assert {"crm-stakeholders", "crm-project-sales"} <= known.keys()
    needed = suites.requirements(known["crm-project-sales"], known)
    assert known["crm-stakeholders"] in needed
    assert suites.requirements(known["crm-stakeholders"], known) == []
    with pytest.raises(SystemExit):
        suites.main(["crm-nothing"])


def test_a_suite_that_fails_is_told(tmp_path, capsys):
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "crm-other"\nversion = "1"\n')
    (tmp_path / "tests" / "test_it.py").write_text("def test_it():\n    assert 1 == 2\n")
    assert script("suites").main([str(tmp_path)]) == 1
    assert "FAILED" in capsys.readouterr().out
    (tmp_path / "tests" / "test_it.py").write_text("def test_it():\n    assert 1 == 1\n")
    assert script("suites").main([str(tmp_path)]) == 0
    assert "1 passed" in capsys.readouterr().out

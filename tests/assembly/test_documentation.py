"""The examples in the documentation of hooks and of the build file work as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import attrs
import pytest

from crm_core.assembly import assemble
from crm_core.assembly.build_file import SECTIONS, CrmSection, CustomField, JobSection, read
from crm_core.domain.pools import PoolRules, RecycleRule
from crm_core.hooks import Dispatcher
from crm_core.hooks.implementations import mistakes

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_guide_to_writing_a_hook_works(install_project, tmp_path, monkeypatch, capsys) -> None:
    folder = tmp_path / "guide"
    folder.mkdir()
    monkeypatch.chdir(folder)
    tries = []
    for block in [*blocks("how-to/write-a-hook.md", "toml"), *blocks("how-to/write-a-hook.md", "python")]:
        named = re.match(r"# (\S+)\n", block)
        if named is None:
            tries.append(block)
            continue
        path = folder / named[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")
    install_project(folder)

    (attempt,) = tries
    exec(compile(attempt, "write-a-hook.md", "exec"), {})

    promised = [line.removeprefix("# ") for line in attempt.splitlines() if line.startswith("# ")]
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [line.strip() for line in promised]
    assert "crm_calm_visits.hooks" in sys.modules


def test_the_examples_in_the_reference_of_hooks_are_implementations() -> None:
    from types import ModuleType

    heard = []
    for example in blocks("reference/hooks.md", "python"):
        module = ModuleType("example")
        exec(compile(example, "hooks.md", "exec"), module.__dict__)
        assert mistakes("example", module) == []
        heard.append(Dispatcher([("example", module)]).hears_changes())

    assert any(heard)


def test_the_whole_build_file_in_the_reference_is_assembled(tmp_path) -> None:
    example, *_ = blocks("reference/build-file.md", "toml")
    path = tmp_path / "crm.toml"
    path.write_text(example, encoding="utf-8")

    build = assemble(path)

    assert build.report.warnings == ()
    assert set(build.policy.custom["account"]) == {"club", "bonus"}


def test_the_messages_in_the_reference_are_those_that_one_gets() -> None:
    (example,) = blocks("reference/build-file.md", "text")

    assert str(read({"crm": {"tme_zone": 1}})[1][0]) in example


@pytest.mark.parametrize("name", SECTIONS)
def test_the_reference_names_every_section(name: str) -> None:
    page = (DOCS / "reference/build-file.md").read_text(encoding="utf-8")
    assert re.search(rf"^## `\[{name}\b", page, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    [each.name for cls in (CrmSection, CustomField, JobSection, PoolRules, RecycleRule) for each in attrs.fields(cls)],
)
def test_the_reference_names_every_key(name: str) -> None:
    assert f"`{name}`" in (DOCS / "reference/build-file.md").read_text(encoding="utf-8")

from __future__ import annotations

import subprocess
import sys

import attrs
import pytest

from crm_core import assembly
from crm_core.assembly import Command, Manifest
from crm_core.errors import DeclarationError


def test_a_manifest_is_a_frozen_value() -> None:
    manifest = Manifest(name="key_accounts", version="1.0", crm_core=">=0.1", module="x.hooks")

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        manifest.version = "2.0"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["KeyAccounts", "key-accounts", "key.accounts", "", "1st", "a__b"])
def test_a_name_that_is_not_snake_case_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match="snake_case"):
        Manifest(name=name, version="1.0", crm_core=">=0.1", module="x.hooks")


def test_commands_are_declared_by_target_and_help_and_imported_when_they_run() -> None:
    manifest = Manifest(
        name="a",
        version="1",
        crm_core=">=0.1",
        module="x",
        commands={"join": ("os.path:join", "Joins."), "walk": Command("os:walk")},
    )

    assert manifest.commands["join"] == Command("os.path:join", "Joins.")
    assert manifest.commands["join"].load()("a", "b") == "a/b"


def test_importing_a_manifest_imports_neither_sqlalchemy_nor_the_other_slow_libraries() -> None:
    code = (
        "import sys; from crm_core.assembly import Manifest, commands, installed; commands(lambda: ());"
        "slow = {'sqlalchemy', 'cattrs', 'stevedore', 'click', 'rich', 'structlog', 'alembic', 'packaging'};"
        "print(sorted(slow & set(sys.modules)))"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_every_public_name_can_be_imported_and_no_other() -> None:
    assert all(getattr(assembly, name) is not None for name in assembly.__all__)
    assert sorted(assembly.__all__) == sorted(assembly._HOME)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        assembly.nothing

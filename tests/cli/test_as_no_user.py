"""What works on files and on the whole database is done by whoever runs the command, never in the name of a user."""

from __future__ import annotations

import pytest

from .conftest import RunCrm


@pytest.mark.parametrize(
    "arguments",
    [
        ("backup", "saved.zip"),
        ("restore", "saved.zip", "--to", "sqlite:///other.db"),
        ("migrate",),
        ("plugins", "disable", "key_accounts"),
        ("plugins", "enable", "key_accounts"),
        ("build", "lock"),
        ("build", "check", "--data"),
        ("build", "bundle", "--wheelhouse", ".", "--to", "acme.zip"),
        ("build", "rehearse", "--to", "crm.toml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_user_is_refused(crm: RunCrm, tmp_path, arguments: tuple[str, ...]) -> None:
    build = tmp_path / "crm.toml"
    build.write_text(f'[crm]\ndatabase = "sqlite:///{tmp_path}/crm.db"\n', encoding="utf-8")
    (tmp_path / "saved.zip").write_bytes(b"")
    given = [str(tmp_path / each) if each.endswith((".zip", ".toml")) else each for each in arguments]
    ended = crm("--build", build, "--user", "deng.kai", *given, code=None)
    assert ended.code not in (0, 2), ended
    assert "those of whoever runs the command" in ended.err
    assert "Leave out --user deng.kai" in ended.err
    assert not (tmp_path / "crm.db").exists()

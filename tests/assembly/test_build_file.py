"""The build file: read as a whole, with all of its mistakes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm_core.assembly import BuildFile, CrmSection
from crm_core.assembly.build_file import read
from crm_core.assembly.lock import read_lock
from crm_core.assembly.switched_off import disabled_in
from crm_core.errors import BuildError
from crm_core.store.policy import Scope

WHOLE = """
[crm]
name = "Acme"
database = "postgresql://crm@localhost/acme"
plugins = ["key_accounts"]
strict = false
locale = "zh_CN"
time_zone = "Asia/Shanghai"
currency = "EUR"
creator_owns = false

[roles.sales]
label = "Salesperson"
permissions = {"account.*" = "own", "*.read" = "subtree"}

[vocabularies."activity.kind"]
tasting = "Tasting"

[custom_fields.account.points]
kind = "number"
scale = 0

[retired_fields.account]
colour = "text"

[plugins.key_accounts]
share = 0.1

[drivers]
erp = "http"
"""


def mistakes(given: Any) -> list[str]:
    return [str(problem) for problem in read(given)[1]]


def write(folder: Path, text: str) -> Path:
    path = folder / "crm.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_section_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)

    file, problems = read(path)

    assert problems == []
    assert file.crm == CrmSection(
        name="Acme",
        database="postgresql://crm@localhost/acme",
        plugins=("key_accounts",),
        strict=False,
        locale="zh_CN",
        time_zone="Asia/Shanghai",
        currency="EUR",
        creator_owns=False,
    )
    assert file.roles["sales"].permissions == {"account.*": Scope.OWN, "*.read": Scope.SUBTREE}
    assert file.vocabularies == {"activity.kind": {"tasting": "Tasting"}}
    assert file.custom_fields["account"]["points"].scale == 0
    assert file.retired_fields == {"account": {"colour": "text"}}
    # Decimals stay exact until a settings class asks for a float.
    assert file.plugins == {"key_accounts": {"share": Decimal("0.1")}}
    assert file.drivers == {"erp": "http"}
    assert (file.source, file.where) == (path, str(path))


def test_everything_wrong_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [crm]
        nmae = "Acme"
        time_zone = 8
        plugins = ["a", "b", "a"]
        [roles.sales]
        permissions = {"account.*" = "mine"}
        [custom_fields.account.points]
        kind = "nmber"
        [vocabularies.kinds]
        a = 1
        [drivres]
        erp = "http"
        """,
    )

    assert mistakes(path) == [
        "crm.time_zone: Expected a text, not 8.",
        "crm.nmae: 'nmae' is not known here. Did you mean name?",
        "roles.sales.permissions.\"account.*\": 'mine' is none of the choices. Choose one of: own, unit, subtree, all.",
        "custom_fields.account.points.kind: 'nmber' is none of the choices. Choose one of: text, choice, number, day, "
        "moment, flag, tags, url, email, phone, money.",
        "vocabularies.kinds.a: Expected a text, not 1.",
        "drivres: There is no section [drivres]. Did you mean drivers?",
        "crm.plugins[2]: 'a' is listed twice. Remove one of them.",
    ]


def test_a_broken_list_of_plugins_is_one_mistake() -> None:
    assert mistakes({"crm": {"plugins": "key_accounts"}}) == ["crm.plugins: Expected a list, not 'key_accounts'."]
    assert mistakes({"crm": 5}) == ["crm: Expected a table, not 5."]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"time_zone": "Asia/Shanghi"}, "crm.time_zone: 'Asia/Shanghi' is no time zone. Did you mean Asia/Shanghai?"),
        ({"time_zone": "!"}, "Did you mean Asia/Shanghai?"),
        ({"time_zone": "../etc"}, "is no time zone"),
        ({"currency": "yuan"}, "crm.currency: 'yuan' is no currency. Write it as CNY or EUR."),
        ({"locale": "Chinese"}, "crm.locale: 'Chinese' is no locale. Write it as en, zh_CN or zh_Hans_CN."),
        ({"database": "crm.db"}, "crm.database: This is no address of a database. Write sqlite:///crm.db"),
        ({"database": "mysql://x/y"}, "crm.database: 'mysql' is not supported."),
        ({"database": "postgresql://u:secret@h:port/x"}, "crm.database: This is no address of a database."),
    ],
)
def test_values_that_no_type_can_check_are_checked(section: dict[str, str], words: str) -> None:
    (problem,) = mistakes({"crm": section})

    assert words in problem
    assert "secret" not in problem


def test_values_given_as_an_object_are_checked_too() -> None:
    assert mistakes(BuildFile(crm=CrmSection(currency="x"))) == [
        "crm.currency: 'x' is no currency. Write it as CNY or EUR."
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("sqlite:///crm.db", "sqlite:///{folder}/crm.db"),
        ("sqlite:///data/crm.db?timeout=5", "sqlite:///{folder}/data/crm.db?timeout=5"),
        ("sqlite:////var/crm.db", "sqlite:////var/crm.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://crm@localhost/acme", "postgresql://crm@localhost/acme"),
    ],
)
def test_a_relative_database_lies_beside_the_build_file(tmp_path: Path, address: str, expected: str) -> None:
    file, problems = read(write(tmp_path, f'[crm]\ndatabase = "{address}"'))

    assert problems == []
    assert file.database == expected.format(folder=tmp_path)


def test_without_a_file_the_database_stays_as_it_is() -> None:
    assert BuildFile().database == "sqlite:///crm.db"
    assert BuildFile().where == "the build file"


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"There is no build file .*crm\.toml\. Create one by 'crm init'"):
        read(tmp_path / "crm.toml")


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"is no TOML: .*line 2"):
        read(write(tmp_path, "[crm]\nname = Acme"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [("[" * 5000, "nested too deeply"), ("{a=" * 150 + "1" + "}" * 150, "nested too deeply"), ("9" * 5000, "digits"),
     ("1e99999999999999999999", "1e9999")],
)  # fmt: skip
def test_values_that_nothing_could_hold_are_told(tmp_path: Path, value: str, reason: str) -> None:
    path = write(tmp_path, f"[crm]\nname = {value}")
    with pytest.raises(BuildError, match=f"is no TOML: .*{reason}"):
        read(path)
    assert disabled_in(path) == frozenset()
    with pytest.raises(BuildError, match="is no lock of a build"):
        read_lock(path)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "crm.toml"
    path.write_bytes(b'[crm]\nname = "\xb0\xa1"')

    with pytest.raises(BuildError, match="a text file in UTF-8"):
        read(path)
    with pytest.raises(BuildError, match="cannot be read"):
        read(tmp_path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "crm.toml"
    path.write_text('[crm]\nname = "Acme"', encoding="utf-8-sig")

    assert read(path)[0].crm.name == "Acme"

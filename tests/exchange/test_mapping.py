"""Mistakes in a mapping: all of them are told at once, with their path, and nothing is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm_core.assembly import Crm
from crm_core.domain.accounts import Account
from crm_core.errors import ExchangeError
from crm_core.exchange import ImportReport, read_mapping, run_import

Load = Callable[..., ImportReport]


def problems(error: pytest.ExceptionInfo[ExchangeError]) -> dict[str, str]:
    assert error.value.exit_code == 4
    return {problem.path: str(problem) for problem in error.value.problems}


class TestReading:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"[source", "is no TOML"),
            (b"a = " + b"[" * 5000, "is no TOML: it is nested too deeply"),
            (b"a = " + b"[" * 150 + b"]" * 150, "is no TOML: it is nested too deeply"),
            (b"a = " + b"{a=" * 150 + b"1" + b"}" * 150, "is no TOML: it is nested too deeply"),
            (b"a = " + b"9" * 5000, "is no TOML: .*digits"),
            (b"a = 1e99999999999999999999", "is no TOML: .*1e99999999999999999999"),
            (b"\xff\xfe[source]", "cannot be read"),
            (None, "There is no mapping"),
        ],
    )
    def test_a_file_that_is_none(self, tmp_path: Path, content: bytes | None, words: str) -> None:
        path = tmp_path / "mapping.toml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ExchangeError, match=words):
            read_mapping(path)

    def test_an_empty_mapping(self, tmp_path: Path) -> None:
        (tmp_path / "mapping.toml").write_text("")
        with pytest.raises(ExchangeError) as error:
            read_mapping(tmp_path / "mapping.toml")
        assert set(problems(error)) == {"source.system", "section"}

    def test_everything_wrong_is_told_with_its_path(self) -> None:
        with pytest.raises(ExchangeError) as error:
            read_mapping(
                {
                    "source": {"system": 7, "encodin": "utf-8"},
                    "sections": [],
                    "section": [
                        5,
                        {"record": "account", "file": "a.csv", "key": ["id", 5], "on_update": "merge"},
                        {"record": "account", "file": "a.csv", "key": "id", "fields": 3},
                        {
                            "record": "account",
                            "file": "a.csv",
                            "key": {"template": "{id}"},
                            "fields": {
                                "name": 5,
                                "note": {"colum": "x"},
                                "employees": {"column": "x", "transform": ["int", 5, {"path": "x"}]},
                                "address": {"city": 5},
                                "website": {"lookup": 5},
                            },
                        },
                    ],
                }
            )
        told = problems(error)
        assert told["sections"].endswith("Did you mean section?")
        assert "'utf-8'" in told["source.encodin"] or "encoding" in told["source.encodin"]
        assert told["source.system"] == "source.system: Expected a text, not 7."
        assert told["section[0]"] == "section[0]: Expected a table, not 5."
        assert "reject" not in told["section[1].on_update"] and "date" in told["section[1].on_update"]
        assert "section[1].key" in told
        assert told["section[2].fields"] == "section[2].fields: Expected a table, not 3."
        assert told["section[3].fields.name"].endswith("Expected a table, not 5.")
        assert "Did you mean column" in told["section[3].fields.note.colum"]
        assert "section[3].fields.employees.transform[1]" in told
        assert "It is missing" in told["section[3].fields.employees.transform[2].name"]
        assert "section[3].fields.address.parts.city" in told
        assert "section[3].fields.website.lookup" in told


class TestFitting:
    def wrong(self, load: Load, data: str, section: Mapping[str, Any], **options: Any) -> dict[str, str]:
        with pytest.raises(ExchangeError) as error:
            load(data, section, **options)
        return problems(error)

    def test_columns_fields_transforms(self, load: Load) -> None:
        told = self.wrong(
            load,
            "id,name,Name2,twice,twice\n1,A,B,C,D\n",
            {
                "key": "{id}/{nam}",
                "only_if": {"nmae": "x", "name": 5},
                "match": "nam",
                "on_update": "date",
                "fields": {
                    "nmae": "name",
                    "industry": "twice",
                    "note": {"column": "name", "value": "x"},
                    "employees": {"column": "Name2", "transform": ["strp", {"name": "xml"}]},
                    "address": {"amount": "name"},
                    "revenue": {"currency": "name"},
                    "email": {"template": "{name"},
                    "website": {"column": "name", "parts": {"city": {"column": "name"}}},
                    "phone": {"transform": "strip"},
                },
            },
        )
        assert told["section[0].key"].endswith("has no column 'nam'. Did you mean name?")
        assert "has no column 'nmae'" in told["section[0].only_if"]
        assert "5 is no test" in told["section[0].only_if.name"]
        assert "is no text field that this section maps" in told["section[0].match"]
        assert "does not fit here" in told["section[0].on_update"]
        assert told["section[0].fields.nmae"].endswith("account has no field 'nmae'. Did you mean name?")
        assert "several columns 'twice'" in told["section[0].fields.industry"]
        assert "names 2 sources" in told["section[0].fields.note"]
        assert told["section[0].fields.employees.transform[0]"].endswith("Did you mean strip?")
        assert "path" in told["section[0].fields.employees.transform[1]"]
        assert "A address has no 'amount'" in told["section[0].fields.address"]
        assert "needs the part amount" in told["section[0].fields.revenue"]
        assert "names no column" in told["section[0].fields.email.template"]
        assert "A url has no 'city'" in told["section[0].fields.website"]
        assert "names no sources" in told["section[0].fields.phone"]
        assert "A new account needs name" in told["section[0]"]

    @pytest.mark.parametrize(("key", "near"), [
        ("客户ID", "客户编号, Address, 名称"),  # nothing is near: the least unlike
        ("address ", "Address"), ("ADRESS", "Address"),
    ])  # fmt: skip
    def test_a_column_that_is_not_there(self, load: Load, key: str, near: str) -> None:
        told = self.wrong(load, "客户编号,名称,级别,Address\n1,A,B,C\n", {"key": key, "fields": {"name": "名称"}})
        assert told["section[0].key"].endswith(f"has no column {key!r}. Did you mean {near}?")

    def test_records_and_lookups(self, load: Load) -> None:
        lookups = {
            "account_id": {"column": "id", "lookup": "acount"},
            "user_id": {"lookup": {"record": "account", "key": "id"}},
            "scope": {"column": "id", "lookup": {"record": "user", "by": "logn", "take": "nme"}},
            "reason": {"column": "id", "lookup": {"record": "account", "by": "employees", "take": "address"}},
            "role": {"column": "id", "lookup": {"record": "user", "key": "id"}},
        }
        told = self.wrong(load, "id\n1\n", {"record": "ownership", "fields": lookups})
        assert told["section[0].fields.account_id.lookup.record"].endswith("Did you mean account?")
        assert "refers to a user, not to a account" in told["section[0].fields.user_id.lookup.record"]
        assert "user has no field 'logn'" in told["section[0].fields.scope.lookup.by"]
        assert "user has no field 'nme'" in told["section[0].fields.scope.lookup.take"]
        assert "cannot be used for a look-up" in told["section[0].fields.reason.lookup.by"]
        assert "cannot be used for a look-up" in told["section[0].fields.reason.lookup.take"]
        assert "Remove column" in told["section[0].fields.role"]
        told = self.wrong(load, "id\n1\n", {"record": "acount"})
        assert told == {
            "section[0].record": "section[0].record: There is no record 'acount' in this build. Did you mean account?"
        }

    def test_keys_of_other_systems_are_no_record_of_theirs(self, load: Load) -> None:
        fields = {"system": "id", "record_type": "id", "key": "id", "record_id": "id"}
        told = self.wrong(load, "id\n1\n", {"record": "external_ref", "fields": fields})
        assert "the import keeps them itself" in told["section[0].record"]
        told = self.wrong(load, "id\n1\n", {"fields": {"name": {"column": "id", "lookup": "external_ref"}}})
        assert "the import keeps them itself" in told["section[0].fields.name.lookup.record"]

    @pytest.mark.parametrize("name", ["x" * 300, "a\x00b", "x/" * 3000])
    def test_a_name_that_no_file_can_have(self, load: Load, name: str) -> None:
        told = self.wrong(load, "id\n1\n", {"file": name})
        assert "There is no file" in told["section[0].file"]

    def test_files(self, load: Load, tmp_path: Path) -> None:
        (tmp_path / "empty.csv").write_text("")
        (tmp_path / "quotes.csv").write_text('"a"b,c\n')
        (tmp_path / "gbk.csv").write_bytes("名称\n".encode("gb18030"))
        for options, words in (
            ({"file": "dat.csv"}, "Did you mean data.csv?"),
            ({"file": "empty.csv"}, "is empty"),
            ({"file": "quotes.csv"}, "cannot be read"),
            ({"file": "gbk.csv", "encoding": "utf-8"}, "is not written in utf-8"),
            ({"encoding": "utf-9"}, "There is no encoding 'utf-9'"),
            ({"delimiter": ";;"}, "is not one character"),
            ({"time_zone": "Asia/Peking"}, "There is no time zone"),
        ):
            with pytest.raises(ExchangeError) as error:
                load("id\n1\n", {"on_create": "skip"} | options)
            assert words in str(error.value), options
        with pytest.raises(ExchangeError, match=r"There is no file 'data\.csv' in"):
            run_import_from_nowhere(load, tmp_path)

    def test_a_file_beside_the_mapping(self, crm: Crm, tmp_path: Path) -> None:
        (tmp_path / "mapping.toml").write_text(
            '[source]\nsystem = "old"\n[[section]]\nrecord = "account"\nfile = "mine.csv"\nkey = "id"\n'
            'fields.name = "name"\n'
        )
        (tmp_path / "mine.csv").write_text("id,name\n1,Acme\n")
        data = tmp_path / "data"
        data.mkdir()
        assert run_import(crm, tmp_path / "mapping.toml", data).created == 1

    def test_nothing_is_imported(self, crm: Crm, load: Load) -> None:
        with pytest.raises(ExchangeError):
            load("id,name\n1,A\n", {"fields": {"name": "name"}}, {"fields": {"name": "nam"}})
        with crm.system_session("test", read_only=True) as session:
            assert session.scalars(select(Account)).all() == []


def run_import_from_nowhere(load: Load, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    (tmp_path / "data.csv").unlink()
    mapping = {"source": {"system": "x"}, "section": [{"record": "account", "file": "data.csv", "key": "id"}]}
    crm: Crm = load.__closure__[0].cell_contents  # type: ignore[attr-defined]
    run_import(crm, mapping, missing)

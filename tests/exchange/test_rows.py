"""What becomes of rows: created, updated, left alone, skipped or rejected with a reason."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from crm_core.assembly import Crm
from crm_core.domain import ownership
from crm_core.domain.accounts import Account, AccountRelation
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership
from crm_core.errors import PermissionDenied
from crm_core.exchange import ImportReport, Progress
from crm_core.fields import Address, Money
from crm_core.store.session import CrmSession

Load = Callable[..., ImportReport]
NAMES: dict[str, Any] = {"fields": {"name": "name"}}


@pytest.fixture
def look(crm: Crm) -> Callable[[], CrmSession]:
    return lambda: crm.system_session("test", read_only=True)


def counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    assert report.read == (report.created + report.updated + report.unchanged + report.skipped + report.rejected)
    return report.created, report.updated, report.unchanged, report.skipped, report.rejected


def reasons(report: ImportReport) -> dict[int, str]:
    return {each.line: each.reason for each in report.first_rejects}


class TestUpdating:
    def test_a_second_run_updates_what_differs(self, load: Load, look: Callable[[], CrmSession]) -> None:
        section = {"fields": {"name": "name", "industry": "industry"}}
        assert counts(load("id,name,industry\n1,A,x\n2,B,y\n", section)) == (2, 0, 0, 0, 0)
        report = load("id,name,industry\n1,A,x\n2,B,z\n3,C,\n", section)
        assert counts(report) == (1, 1, 1, 0, 0)
        with look() as session:
            assert {a.name: a.industry for a in session.scalars(select(Account))} == {"A": "x", "B": "z", "C": None}
        assert counts(load("id,name,industry\n1,A,\n", section)) == (0, 1, 0, 0, 0)

    def test_only_mapped_fields_are_compared(self, crm: Crm, load: Load, look: Callable[[], CrmSession]) -> None:
        load("id,name\n1,A\n", NAMES)
        with crm.system_session("x") as session:
            session.execute(update(Account).values(grade="A", note="ours"))
        assert load("id,name\n1,A\n", NAMES).change_set is None
        assert counts(load("id,name\n1,B\n", NAMES)) == (0, 1, 0, 0, 0)
        with look() as session:
            account = session.scalars(select(Account)).one()
            assert (account.name, account.grade, account.note) == ("B", "A", "ours")

    def test_on_update_skip_and_on_create_skip(self, load: Load) -> None:
        load("id,name\n1,A\n", NAMES)
        assert counts(load("id,name\n1,B\n2,C\n", {**NAMES, "on_update": "skip"})) == (1, 0, 0, 1, 0)
        assert counts(load("id,name\n1,B\n9,C\n", {**NAMES, "on_create": "skip"})) == (0, 1, 0, 1, 0)
        report = load("id,name\n1,B\n9,C\n", {**NAMES, "on_create": "reject"})
        assert counts(report) == (0, 0, 1, 0, 1)
        assert "There is no account with the key '9'" in reasons(report)[3]

    def test_a_change_of_a_dated_row_can_begin_a_new_one(self, crm: Crm, load: Load) -> None:
        with crm.system_session("init") as session:
            session.add_all([User(login="li", name="Li"), User(login="wang", name="Wang")])
        owner = {
            "record": "ownership", "on_update": "date",
            "fields": {"account_id": {"column": "id", "lookup": "account"},
                       "user_id": {"column": "owner", "lookup": {"record": "user", "by": "login"}}},
        }  # fmt: skip
        load("id,name,owner\n1,A,li\n", NAMES, owner)
        before = dt.datetime.now(dt.UTC)
        report = load("id,name,owner\n1,A,wang\n", NAMES, owner)
        assert counts(report) == (0, 1, 1, 0, 0)
        assert load("id,name,owner\n1,A,wang\n", NAMES, owner).change_set is None
        with crm.system_session("test", read_only=True) as session:
            account = session.scalars(select(Account)).one()
            assert ownership.owner(session, account).login == "wang"
            assert ownership.owner(session, account, at=before).login == "li"
        assert report.change_set is not None
        with crm.system_session("undo") as session:
            session.undo(report.change_set)
            assert ownership.owner(session, session.scalars(select(Account)).one()).login == "li"

    def test_a_dated_row_that_has_ended_is_corrected(self, crm: Crm, load: Load) -> None:
        section = {
            "record": "account_relation", "key": "id", "on_update": "date",
            "fields": {"account_id": {"lookup": {"record": "account", "key": "id"}}, "kind": "kind",
                       "other_id": {"value": "1", "lookup": "account"}, "valid_to": "until"},
        }  # fmt: skip
        data = "id,name,kind,until\n1,A,partner,2020-01-01\n"
        load(data, NAMES, section)
        assert load(data.replace("partner", "branch"), NAMES, section).updated == 1
        with crm.system_session("test", read_only=True) as session:
            rows = session.scalars(select(AccountRelation), execution_options={"all_dates": True}).all()
            assert [row.kind for row in rows] == ["branch"]

    def test_a_deleted_record_comes_back_unless_the_section_only_updates(self, crm: Crm, load: Load) -> None:
        load("id,name\n1,A\n2,B\n", NAMES)
        with crm.system_session("clean") as session:
            session.delete(session.scalars(select(Account).where(Account.name == "A")).one())
        assert counts(load("id,name\n1,A\n2,B\n", {**NAMES, "on_create": "skip"})) == (0, 0, 1, 1, 0)
        assert counts(load("id,name\n1,A\n2,B\n", NAMES)) == (1, 0, 1, 0, 0)

    def test_records_without_a_key_can_be_matched(self, crm: Crm, load: Load, look: Callable[[], CrmSession]) -> None:
        with crm.system_session("init") as session:
            session.add_all([User(login="li", name="Li"), User(login="twin", name="1"), User(login="twin", name="2")])
        section = {"record": "user", "match": "login", "fields": {"login": "login", "name": "name"}}
        data = "id,login,name\n1,li,Li Wei\n2,wang,Wang\n3,twin,Three\n4,li,Other\n"
        report = load(data, section)
        assert counts(report) == (2, 1, 0, 0, 1)
        assert "Several records have this value" in reasons(report)[4]
        with look() as session:
            assert sorted(user.name for user in session.scalars(select(User).where(User.login == "li"))) == [
                "Li Wei", "Other",
            ]  # fmt: skip
            assert session.count(ExternalRef) == 3
        assert counts(load(data, section)) == (0, 0, 3, 0, 1)
        assert counts(load("id,login,name\n9,wang,New\n", {**section, "on_update": "skip"})) == (1, 0, 0, 0, 0)
        with crm.system_session("init") as session:
            session.add(User(login="chen", name="Chen"))
        assert counts(load("id,login,name\n8,chen,New\n", {**section, "on_update": "skip"})) == (0, 0, 1, 0, 0)


class TestRejecting:
    def test_ragged_rows(self, load: Load) -> None:
        report = load("id,name\n1,A\n2,B,C\n3\n\n4,D\n", NAMES)
        assert counts(report) == (2, 0, 0, 0, 2)
        assert reasons(report)[3].startswith("The line has 3 cells, the header 2.")
        assert reasons(report)[4].startswith("The line has 1 cells, the header 2.")

    def test_a_ragged_line_is_told_once(self, load: Load) -> None:
        report = load("id,name\n1,A,B\n", NAMES, {**NAMES, "name": "again"})
        assert (report.rejected, report.section("again").skipped) == (1, 1)

    def test_values_that_do_not_fit(self, load: Load) -> None:
        section = {
            "fields": {"name": "name", "employees": "employees", "kind": "kind", "email": "mail", "score": "score",
                       "revenue": {"amount": "score", "currency": "kind"}}
        }  # fmt: skip
        report = load(
            "id,name,employees,kind,mail,score\n"
            "1,A,many,company,a@b.de,\n2,,1,company,,\n3,C,1,planet,,\n4,D,1,,me,1.234\n5,E,,,,1\n",
            section,
        )
        assert counts(report) == (1, 0, 0, 0, 4)
        told = reasons(report)
        assert told[2].startswith("employees: 'many' is no number.")
        assert told[3].startswith("name: A value is needed.")
        assert "planet" in told[4]
        assert "score: " in told[5] and "email: 'me' is no e-mail address" in told[5]

    def test_keys(self, load: Load) -> None:
        report = load(f"id,name\n,A\n{'x' * 201},B\n1,C\n1,D\n", NAMES)
        assert counts(report) == (1, 0, 0, 0, 3)
        told = reasons(report)
        assert "The row has no key" in told[2]
        assert "201 characters" in told[3]
        assert "The key '1' came in line 4 already" in told[5]

    @pytest.mark.parametrize(("wanted", "name"), [("first", "n0"), ("last", "n2999")])
    def test_duplicates_over_several_batches(
        self, load: Load, look: Callable[[], CrmSession], wanted: str, name: str
    ) -> None:
        data = "id,name\n" + "".join(f"{number % 3},n{number}\n" for number in range(3000)) + "5,x,y\n"
        tests = {"skip_if": {"name": ["n2"]}, "only_if": {"id": True}, "require": {"id": True}}
        section = {**NAMES, "duplicates": wanted, **tests}
        report = load(data, section)
        assert counts(report)[0] == 3
        names = {"first": {"n0", "n1", "n5"}, "last": {"n2997", "n2998", "n2999"}}
        with look() as session:
            assert set(session.scalars(select(Account.name))) == names[wanted]
        assert load(data, section).change_set is None

    def test_duplicates_over_several_batches_are_rejected(self, load: Load) -> None:
        data = "id,name\n" + "".join(f"{number},n\n" for number in range(1500)) + "7,n\n"
        report = load(data, NAMES)
        assert counts(report) == (1500, 0, 0, 0, 1)
        assert "came in line 9 already" in reasons(report)[1502]

    def test_conditions(self, load: Load) -> None:
        data = "id,name,type,end\n1,A,x,\n2,B,y,\n3,C,x,2020\n4,D,z,\n"
        section = {**NAMES, "only_if": {"type": ["x", "z"]}, "skip_if": {"end": True}, "require": {"type": "x"}}
        report = load(data, section)
        assert counts(report) == (1, 0, 0, 2, 1)
        assert reasons(report)[5].startswith("Required: type.")

    def test_orphans_and_unclear_lookups(self, crm: Crm, load: Load) -> None:
        with crm.system_session("init") as session:
            session.add_all([User(login=login, name=login) for login in ("twin", "twin", "li")])
        owner = {
            "record": "ownership",
            "fields": {"account_id": {"column": "acc", "lookup": "account"},
                       "user_id": {"column": "owner", "lookup": {"record": "user", "by": "login"}}},
        }  # fmt: skip
        report = load("id,name,acc,owner\n1,A,1,twin\n2,B,7,li\n3,C,3,nobody\n4,D,,li\n", NAMES, owner)
        told = reasons(report)
        assert told[2].startswith("user_id: Several records of type user have the value 'twin'.")
        assert told[3].startswith("account_id: There is no account with the key '7'.")
        assert told[4].startswith("user_id: There is no user with the key 'nobody'.")
        assert told[5].startswith("account_id: A value is needed.")

    def test_the_rejects_file(self, load: Load, tmp_path: Path) -> None:
        data = "id,name,employees\n1,A,many\n2,B,1,2\n=3,C,x\n"
        section = {"fields": {"name": "name", "employees": "employees"}}
        report = load(data, section, rejects_path=tmp_path / "rejects.csv")
        assert report.rejects == tmp_path / "rejects.csv"
        with (tmp_path / "rejects.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(row["section"], row["file"], row["line"]) for row in rows] == [
            ("account", "data.csv", "3"), ("account", "data.csv", "2"), ("account", "data.csv", "4"),
        ] or [row["line"] for row in rows] == ["2", "3", "4"]  # fmt: skip
        by_line = {row["line"]: row for row in rows}
        assert json.loads(by_line["2"]["cells"]) == {"id": "1", "name": "A", "employees": "many"}
        assert json.loads(by_line["3"]["cells"]) == ["2", "B", "1", "2"]
        assert by_line["4"]["key"] == "'=3"
        assert (tmp_path / "rejects.csv").stat().st_mode & 0o077 == 0
        load(data, section, rejects_path=tmp_path / "rejects.jsonl")
        lines = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
        assert {line["line"]: line["key"] for line in lines} == {2: "1", 3: None, 4: "=3"}
        report = load("id,name,employees\n1,A,1\n", section, rejects_path=tmp_path / "rejects.csv")
        assert report.rejects is None and not (tmp_path / "rejects.csv").exists()

    def test_the_report_is_json(self, load: Load) -> None:
        report = load("id,name\n1,A\n2\n", NAMES)
        found = json.loads(json.dumps(report.as_json()))
        assert (found["created"], found["rejected"], found["sections"][0]["read"]) == (1, 1, 2)
        assert found["first_rejects"][0]["line"] == 3

    def test_progress_is_told(self, load: Load) -> None:
        heard: list[Progress] = []
        load("id,name\n" + "".join(f"{n},x\n" for n in range(2500)), NAMES, progress=heard.append)
        assert [each.rows for each in heard] == [1000, 2000, 2500, 2500]
        assert (heard[-1].section, heard[-1].number, heard[-1].of, heard[-1].share) == ("account", 1, 1, 1.0)

    def test_reasons_can_be_translated(self, load: Load) -> None:
        report = load("id,name\n1,\n", NAMES, translate=lambda text: text.replace("A value is needed", "值缺失"))
        assert "值缺失" in reasons(report)[2]


class TestLookups:
    UNITS = {"record": "unit", "fields": {"name": "name", "parent_id": {"column": "above", "lookup": "unit"}}}  # noqa: RUF012

    def test_rows_may_refer_to_later_rows(self, load: Load, look: Callable[[], CrmSession]) -> None:
        names = ["d,c", "c,b", "b,a", "a,", "x,y", "y,x", "z,nowhere"]
        data = "id,name,above\n" + "".join(f"{each.split(',')[0]},{each}\n" for each in names)
        report = load(data, self.UNITS)
        assert counts(report) == (4, 0, 0, 0, 3)
        assert "There is no unit with the key 'nowhere'" in str(reasons(report))
        with look() as session:
            unit = session.scalars(select(Unit).where(Unit.name == "d")).one()
            path = []
            above: Unit | None = unit
            while above is not None:
                path.append(above.name)
                above = above.parent
            assert path == ["d", "c", "b", "a"]
        assert load(data, self.UNITS).change_set is None

    def test_an_optional_reference_to_nowhere_stays_empty(self, load: Load, look: Callable[[], CrmSession]) -> None:
        above = {"column": "above", "lookup": {"record": "unit", "missing": "empty"}}
        report = load(
            "id,name,above\n1,A,2\n2,B,9\n", {"record": "unit", "fields": {"name": "name", "parent_id": above}}
        )
        assert counts(report) == (2, 0, 0, 0, 0)
        with look() as session:
            found = {unit.name: unit.parent.name if unit.parent else None for unit in session.scalars(select(Unit))}
            assert found == {"A": "B", "B": None}

    def test_a_value_can_be_taken_from_the_record_found(self, load: Load, look: Callable[[], CrmSession]) -> None:
        taken = {"lookup": {"record": "account", "key": "id", "take": "name"}}
        by = {"column": "name", "lookup": {"record": "account", "by": "name", "take": "industry"}}
        load("id,name,industry\n1,Acme,steel\n", {"fields": {"name": "name", "industry": "industry"}})
        load("id,name\n1,Acme\n", {"system": "other", "fields": {"name": "name", "industry": by}})
        report = load(
            "id,name\n1,Acme\n",
            {"record": "unit", "system": "third", "fields": {"name": {"lookup": {**taken["lookup"], "system": "old"}}}},
        )
        assert report.created == 1
        with look() as session:
            assert session.scalars(select(Unit.name)).one() == "Acme"
            assert session.scalars(select(Account.industry)).all() == ["steel", "steel"]

    def test_a_custom_field_can_take_a_value(self, load: Load, look: Callable[[], CrmSession]) -> None:
        first = {"record": "activity", "fields": {"kind": {"value": "call"}, "subject": "id", "started_at": "at"}}
        seen = {"lookup": {"record": "activity", "key": "id", "take": "started_at"}}
        data = "id,at\n1,2026-01-01\n"
        assert load(data, first, {"fields": {"name": "id", "seen": seen}}).created == 2
        with look() as session:
            assert session.scalars(select(Account)).one().custom == {"seen": "2025-12-31T16:00:00.000000+00:00"}
        assert load(data, first, {"fields": {"name": "id", "seen": seen}}).change_set is None

    def test_many_lookups_do_not_grow(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crm_core.exchange.lookups._REMEMBERED", 10)
        owner = {"record": "account_address", "fields": {"account_id": {"column": "id", "lookup": "account"},
                                                         "address": {"city": "name"}}}  # fmt: skip
        data = "id,name\n" + "".join(f"{n},x\n" for n in range(2500))
        assert load(data, NAMES, owner).created == 5000


class TestOneTransaction:
    def test_a_dry_run_reports_and_keeps_nothing(self, load: Load, look: Callable[[], CrmSession]) -> None:
        report = load("id,name\n1,A\n2\n", NAMES, dry_run=True)
        assert counts(report) == (1, 0, 0, 0, 1)
        assert report.change_set is None and report.dry_run
        with look() as session:
            assert session.count(Account) == session.count(ExternalRef) == 0
        assert load("id,name\n1,A\n2\n", NAMES).created == 1

    def test_an_import_is_one_change_set(self, crm: Crm, load: Load, look: Callable[[], CrmSession]) -> None:
        data = "id,name\n" + "".join(f"{n},x\n" for n in range(2500))
        report = load(data, NAMES, {"fields": {"name": {"value": "y"}}, "name": "again"}, reason="go-live")
        assert report.change_set is not None
        with crm.system_session("undo") as session:
            undone = session.undo(report.change_set)
            assert undone.undone.reason == "go-live" and undone.undone.source == "import"
        with look() as session:
            assert session.count(Account) == session.count(ExternalRef) == 0
        assert load(data, NAMES).created == 2500

    def test_a_failure_leaves_nothing(self, load: Load, look: Callable[[], CrmSession], tmp_path: Path) -> None:
        def stop(_: Progress) -> None:
            raise KeyboardInterrupt

        path = tmp_path / "rejects.csv"
        with pytest.raises(KeyboardInterrupt):
            load("id,name\n1,A\n2\n", NAMES, progress=stop, rejects_path=path)
        with look() as session:
            assert session.count(Account) == 0
        assert list(tmp_path.glob("rejects*")) == []


class TestRights:
    @pytest.fixture
    def people(self, crm: Crm) -> Iterator[None]:
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="East"))
            for name, role in (("li", "importer"), ("wang", "importer"), ("boss", "sales")):
                user = session.add_one(User(login=name, name=name))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role=role))
        yield

    def test_a_user_needs_the_permission(self, load: Load, people: None) -> None:
        with pytest.raises(PermissionDenied, match="boss may not import data"):
            load("id,name\n1,A\n", NAMES, login="boss")

    def test_a_user_owns_what_they_import(self, crm: Crm, load: Load, people: None) -> None:
        assert load("id,name\n1,A\n", NAMES, login="li").created == 1
        with crm.session("li") as session:
            assert session.count(Account) == 1
        with crm.session("wang") as session:
            assert session.count(Account) == 0

    def test_a_user_changes_only_what_they_may(self, crm: Crm, load: Load, people: None) -> None:
        load("id,name\n1,A\n", NAMES, login="li")
        report = load("id,name\n1,B\n", NAMES, login="wang")
        assert counts(report) == (0, 0, 0, 0, 1)
        assert "belongs to no account that may be changed here" in reasons(report)[2]
        report = load("id,name\n1,\n", {"record": "unit", "fields": {"name": {"value": "x"}}}, login="wang")
        assert "may not create records of type unit" in reasons(report)[2]

    def test_many_refused_rows_are_found_among_good_ones(self, crm: Crm, load: Load, people: None) -> None:
        with crm.system_session("init") as session:
            account = session.add_one(Account(name="Foreign"))
            session.add(ExternalRef(system="old", record_type="account", key="f", record_id=account.id))
        section = {"record": "account_address", "fields": {"account_id": {"column": "of", "lookup": "account"},
                                                           "address": {"city": "name"}}}  # fmt: skip
        owned = load("id,name,of\n1,A,1\n2,B,f\n", NAMES, login="li")
        assert owned.created == 2
        report = load("id,name,of\n1,A,1\n2,B,f\n", section, login="li")
        assert report.rejected == 2  # the role may not write addresses at all


class TestDatedRows:
    def test_two_owners_at_once_are_rejected_one_by_one(self, crm: Crm, load: Load) -> None:
        with crm.system_session("init") as session:
            session.add(User(login="li", name="Li"))
        owner = {
            "record": "ownership",
            "fields": {"account_id": {"column": "acc", "lookup": "account"},
                       "user_id": {"value": "li", "lookup": {"record": "user", "by": "login"}},
                       "valid_from": "from", "valid_to": "to"},
        }  # fmt: skip
        data = (
            "id,name,acc,from,to\n1,A,1,2020-01-01,2021-01-01\n2,B,1,2020-06-01,\n3,C,1,2021-01-01,\n"
            "4,D,4,2022-01-01,2021-01-01\n5,E,5,,\n"
        )
        report = load(data, NAMES, owner)
        told = reasons(report)
        assert "would hold at the same time" in told[3]
        assert "before it begins" in told[5]
        with crm.system_session("test", read_only=True) as session:
            rows = session.scalars(select(Ownership), execution_options={"all_dates": True}).all()
            starts = {row.valid_from for row in rows}
        # Midnight in Shanghai, where this build's days begin.
        assert starts == {
            None,
            dt.datetime(2019, 12, 31, 16, tzinfo=dt.UTC),
            dt.datetime(2020, 12, 31, 16, tzinfo=dt.UTC),
        }
        assert load(data, NAMES, owner).change_set is None


class TestCustomFields:
    def test_custom_fields_of_every_kind(self, crm: Crm, load: Load, look: Callable[[], CrmSession]) -> None:
        custom: dict[str, Any] = {name: name for name in ("slogan", "score", "since", "seen", "labels", "size")}
        section = {"fields": {"name": "id", "custom": custom, "budget": {"amount": "score"}}}
        data = "id,slogan,score,since,seen,labels,size\n1,hi,1.50,2020-02-29,2020-01-01 08:00,a;b,small\n2,,,,,,\n"
        assert load(data, section).created == 2
        with look() as session:
            account = session.scalars(select(Account).where(Account.name == "1")).one()
            assert account.custom == {
                "slogan": "hi", "score": "1.50", "since": "2020-02-29", "labels": ["a", "b"], "size": "small",
                "seen": "2020-01-01T00:00:00.000000+00:00", "budget": {"amount": "1.50", "currency": "CNY"},
            }  # fmt: skip
            assert session.count(Account, "score > 1 and size == 'small'") == 1
        assert load(data, section).change_set is None
        report = load("id,slogan,score,since,seen,labels,size\n1,,,,,,huge\n1,,,,,,large\n", section)
        assert counts(report) == (0, 1, 0, 0, 1)
        with look() as session:
            assert session.scalars(select(Account).where(Account.name == "1")).one().custom == {"size": "large"}


class TestParts:
    def test_addresses_and_amounts(self, load: Load, look: Callable[[], CrmSession]) -> None:
        section = {
            "fields": {"name": "id", "address": {"street": "s", "country": {"column": "c", "default": "CN"}},
                       "revenue": {"amount": {"column": "a", "transform": {"name": "decimal", "comma": True}},
                                   "currency": "cur"}}
        }  # fmt: skip
        assert load('id,s,c,a,cur\n1,Rd 1,DE,"1.234,50",EUR\n2, ,,3,\n3,,,,\n', section).created == 3
        with look() as session:
            found = {a.name: (a.address, a.revenue) for a in session.scalars(select(Account))}
        assert found == {
            "1": (Address(street="Rd 1", country="DE"), Money(Decimal("1234.50"), "EUR")),
            "2": (Address(country="CN"), Money(3, "CNY")),
            "3": (Address(country="CN"), None),
        }

    def test_a_field_with_a_default_keeps_its_value(self, crm: Crm, load: Load, look: Callable[[], CrmSession]) -> None:
        section = {"fields": {"name": "id", "kind": "kind", "active": "active"}}
        load("id,kind,active\n1,,\n2,outlet,no\n", section)
        with look() as session:
            assert {a.name: (a.kind, a.active) for a in session.scalars(select(Account))} == {
                "1": ("company", True), "2": ("outlet", False),
            }  # fmt: skip
        assert load("id,kind,active\n2,,\n", section).change_set is None

import pytest

from crm_core.cli import cursors


def test_a_filter_and_an_order(company, crm):
    listed = crm("list", "account", "--where", 'grade in ("B", "C")', "--order", "name desc", "--json").json
    assert [each["name"] for each in listed["records"]] == ["华东轴承", "Acme Bearings"]
    assert listed["next"] is None


def test_pages(company, crm):
    seen, cursor = [], None
    while True:
        more = ["--after", cursor] if cursor else []
        page = crm("list", "account", "--order", "created_at desc, grade", "--limit", 1, "--json", *more).json
        seen += [each["id"] for each in page["records"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == crm("list", "account", "--count", "--json").json["count"] == 4
    assert "--after" in crm("list", "account", "--limit", 1).err
    assert crm("list", "account", "--count").out == "4\n"


@pytest.mark.parametrize("cursor", ["x", "!!", "bnVsbA", "W3siZGF5IjoieCJ9XQ"])
def test_a_word_that_is_no_cursor(company, crm, cursor):
    assert "is no cursor" in crm("list", "account", "--after", cursor, code=4).err


def test_cursors_of_every_kind():
    import datetime as dt
    from decimal import Decimal

    from crm_core.domain.accounts import Stage

    values = (None, "文", 3, True, Decimal("1.50"), dt.date(2025, 3, 1), dt.datetime(2025, 3, 1, tzinfo=dt.UTC))
    assert cursors.read(cursors.write(values)) == values
    assert cursors.read(cursors.write([Stage.LOST])) == ("lost",)


def test_fields(company, crm):
    shown = crm("list", "account", "--fields", "id, name, vehicles,version,created_by,created_at,email").out
    assert "Vehicles" in shown
    assert "12" in shown
    listed = crm("list", "account", "--fields", "name,vehicles", "--where", 'grade == "C"', "--json").json
    assert listed["records"] == [{"name": "Acme Bearings", "vehicles": 12}]
    assert "account has no field 'nam'. Did you mean name?" in crm("list", "account", "--fields", "nam", code=6).err


def test_dated_rows(company, crm):
    assert len(crm("list", "ownership", "--json").json["records"]) == 1
    assert len(crm("list", "ownership", "--all-dates", "--json").json["records"]) == 2
    row = crm("list", "ownership", "--at", "2025-12-31", "--json").json["records"][0]
    assert row["valid_to"] == "2025-12-31T16:00:00.000000+00:00"
    assert "2026-01-01" in crm("list", "ownership", "--all-dates", "--order", "account.name").out
    assert crm("list", "ownership", "--at", "2025-12-31T23:59", "--json").json["records"][0] == row
    assert crm("list", "ownership", "--at", "2025-12-31T17:00Z", "--json").json["records"][0] != row


def test_an_error_points_at_the_character(company, crm):
    said = crm("list", "account", "--where", 'name == "华东" and grade > 1', code=4).err
    line, mark = said.splitlines()[1:3]
    assert line.strip() == 'name == "华东" and grade > 1'
    assert mark.index("^") > line.index(">")


def test_types_are_suggested(company, crm):
    assert "Did you mean account" in crm("list", "acount", code=6).err


def test_nothing_to_list(company, crm):
    assert "Name" in crm("list", "contact", "--where", 'name == "x"').out


def test_many_kinds_of_values(company, crm):
    crm("shell", "-c", """
from crm_core import Money
from decimal import Decimal
import datetime as dt
a = session.list(Account, 'grade == "C"')[0]
a.revenue = Money("0.0625", "CNY")
session.list(Contact)[0].birthday = dt.date(1990, 5, 1)
session.list(crm.types["account_relation"].cls)[0].share = Decimal("0.25")
session.commit()""")  # fmt: skip
    assert "0.0625 CNY" in crm("show", "account", "Acme Bearings").out
    assert "1990-05-01" in crm("show", "contact", "陈小明").out
    assert crm("list", "contact", "--json").json["records"][0]["birthday"] == "1990-05-01"
    relation = crm("list", "account_relation", "--json").json["records"][0]
    assert relation["share"] == "0.25"
    assert "0.25" in crm("show", "account_relation", relation["id"]).out
    group = crm("show", "account", "Acme Bearings", "--json").json["overview"]["group"]
    assert [(each["name"], each["share"]) for each in group["below"]] == [("华东轴承", "0.25")]


def test_fields_that_the_build_no_longer_knows(company, crm):
    file = company / "crm.toml"
    text = file.read_text(encoding="utf-8")
    start, end = text.index("[custom_fields"), text.index("[roles")
    file.write_text(text[:start] + text[end:], encoding="utf-8")
    assert "vehicles" in crm("show", "account", "Acme Bearings").out
    assert crm("show", "account", "Acme Bearings", "--json").json["record"]["custom"] == {"vehicles": 12}

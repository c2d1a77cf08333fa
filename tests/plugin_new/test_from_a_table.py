"""A record proposed from a table, and the mapping that imports it."""

from __future__ import annotations

import json

import openpyxl
import pytest
from click.testing import CliRunner

from crm_core import Crm
from crm_core.authoring import new_plugin, propose
from crm_core.authoring.mapping import mapping
from crm_core.errors import ExchangeError
from crm_core.exchange import run_import

ROWS = 40


def table(tmp_path, name="table.csv", **columns):
    """A CSV file with the columns; each is a list of values that is repeated."""
    lines = [",".join(columns)]
    for row in range(ROWS):
        lines.append(",".join(f'"{values[row % len(values)]}"' for values in columns.values()))
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def field(tmp_path, header, values):
    keys = [f"K-{number}" for number in range(ROWS)]
    proposal = propose(table(tmp_path, **{"code": keys, header: values}))
    return next(each for each in proposal.fields if each.column == header)


@pytest.mark.parametrize(("header", "values", "call"), [
    ("note", ["short", "a little longer than that"] + [f"x{n}" for n in range(38)], "text(40)"),
    ("quantity", ["1", "20", "1,300"], "number(0)"),
    ("weight", ["1.5", "0.125"], "number(3)"),
    ("weight", ["1.234,50", "7,25"], "number(2)"),
    ("share", ["10%", "2.5 %"], "number(1)"),
    ("unitPrice", ["1.5", "20"], "money(2)"),
    ("paid", ["¥ 1,200.50", "¥3"], "money(2)"),
    ("paid", ["12 EUR", "3.5 EUR"], "money(2)"),
    ("since", ["2024-01-31", "2024-12-01"], "day()"),
    ("since", ["31.01.2024", "01.12.2024"], "day()"),
    ("since", ["2024年1月31日"], "day()"),
    ("since", ["1996-07-04 00:00:00.000"], "day()"),
    ("since", ["2024-01-31 09:30", "2024-12-01 18:00"], "moment()"),
    ("since", ["2024/01/31 09:30"], "moment()"),
    ("active", ["yes", "no"], "flag()"),
    ("discontinued", ["0", "1"], "flag()"),
    ("status", ["open", "closed", "won"], "choice(Status)"),
    ("mail", ["a@example.com", "b@example.com"], "email(default=None, personal=True)"),
    ("mobile", ["+86 10 6552 9988", "(171) 555-2222"], "phone(default=None, personal=True)"),
    ("FirstName", ["Ann", "Bob"], "text(20, personal=True)"),
    ("联系人", ["陈静", "王伟"], "text(20, personal=True, label=\"联系人\")"),
    ("手机", ["138 0013 8000", "139 0013 9000"], "phone(default=None, personal=True, label=\"手机\")"),
    ("Telephone", ["none", "ask"], "text(20, personal=True)"),
    ("date of birth", ["1980-01-31"], "day(default=None, personal=True, label=\"date of birth\")"),
    ("Name", ["Ball", "Bearing"], "choice(Name)"),
    ("site", ["https://example.com", "http://example.org/x"], "url()"),
    ("supplierID", ["1", "2"], "text(20)"),
    ("zip", ["01234", "00001", *(f"{n:05}" for n in range(38))], "text(20)"),
    ("number", ["1" * 19], "text(40)"),
    ("rate", [".0200", "-.5", "1"], "number(4)"),
    ("longitude", ["116.40739900000001"], "text(40)"),
])  # fmt: skip
def test_kinds_follow_from_values(tmp_path, header, values, call):
    found = field(tmp_path, header, values)
    assert found.call == call
    assert found.why.endswith(".")


def test_an_empty_cell_makes_a_field_optional_and_what_stands_for_nothing_is_seen(tmp_path):
    path = table(tmp_path, code=[f"K{n}" for n in range(ROWS)], city=["Berlin", "", "NULL", *map(str, range(37))])
    proposal = propose(path)
    assert proposal.nothing == ("NULL",)
    assert proposal.fields[1].annotation == "str | None"
    assert 'null_values = ["", "NULL"]' in mapping("x", proposal)


def test_chinese_headers_become_pinyin_with_the_original_as_label(tmp_path):
    keys = [f"HT-{number}" for number in range(ROWS)]
    proposal = propose(table(tmp_path, 合同编号=keys, 客户名称=["北京机床厂", "上海电机厂"], 合同金额=["1200.50"]))
    assert [each.name for each in proposal.fields] == ["he_tong_bian_hao", "he_tong_jin_e"]
    assert [each.label for each in proposal.fields] == ["合同编号", "合同金额"]
    assert 'label="合同编号"' in proposal.fields[0].call
    assert (proposal.key, proposal.account, proposal.fields[1].kind) == (("合同编号",), "客户名称", "money")


def test_names_are_unique_and_take_nobody_elses(tmp_path):
    columns = {"A b": ["x"], "a_b": ["y"], "class": ["z"], "2nd": ["1"]}
    path = table(tmp_path, id=[f"K{n}" for n in range(ROWS)], **columns)
    assert [each.name for each in propose(path).fields] == ["id_2", "a_b", "a_b_2", "class_2", "n_2nd"]


def test_rows_that_only_several_columns_tell_apart_are_known_by_them(tmp_path):
    path = table(tmp_path, orderID=[str(n // 4) for n in range(ROWS)], productID=[str(n % 4) for n in range(ROWS)])
    assert propose(path).key == ("orderID", "productID")


@pytest.mark.parametrize(("text", "problem"), [
    ("", "is empty"), ("a,b\n", "has no rows"), ("a,a\n1,2\n", "2 columns called 'a'"),
])  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path, text, problem):
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExchangeError, match=problem):
        propose(path)


def test_json_lines_are_refused_since_they_name_no_columns(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n', encoding="utf-8")
    with pytest.raises(ExchangeError, match="names no columns"):
        propose(path)


ERASE = """
import sys
from crm_core import Contact, Crm, contacts
with Crm.open(sys.argv[1]) as crm, crm.system_session("test") as session:
    (ann,) = session.list(Contact, 'name == "Ann0 Dan9"')
    contacts.erase(session, ann, reason="asked for")
"""


def rendered(tmp_path, name, proposal):
    new_plugin(name, tmp_path / name, proposal=proposal)
    return (tmp_path / name / f"crm_{name}" / "records.py").read_text(encoding="utf-8")


def people(tmp_path, **more):
    names = [f"{first}{number}" for number in range(10) for first in ("Ann", "Bob", "Cid", "Dan")]
    return table(
        tmp_path, "people.csv", code=[f"K{n}" for n in range(ROWS)], FirstName=names, LastName=names[::-1],
        Telephone=["+86 138 0013 8000"], Email=["a@example.com"], **more,
    )  # fmt: skip


def test_what_is_about_people_is_seen_by_few_and_can_be_erased(tmp_path):
    proposal = propose(people(tmp_path))
    assert [each.column for each in proposal.personal] == ["FirstName", "LastName", "Telephone", "Email"]
    assert any("FirstName, LastName, Telephone, Email" in text.format_map(values) for text, values in proposal.notes)
    source = rendered(tmp_path, "people_table", proposal)
    assert "public" not in source
    assert 'access=via("contact_id")' in source
    assert source.count("personal=True") == source.count("# Personal: it is erased with the contact.") == 4
    assert 'contact_id: Mapped[int | None] = ref("contact", default=None' in source


def test_its_tests_pass_too(tmp_path, tests_of):
    """Those beside the conformance kit, whose rows are about somebody at the account."""
    folder = tmp_path / "crm-people"
    new_plugin("people", folder, proposal=propose(people(tmp_path)))
    done = tests_of(folder, "tests/test_people.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_beside_an_account_the_record_stays_with_it(tmp_path):
    source = rendered(tmp_path, "people_there", propose(people(tmp_path, customerID=["C1", "C2"])))
    assert 'access=via("account_id")' in source
    assert 'contact_id: Mapped[int | None] = ref("contact", default=None' in source


def test_a_table_without_people_stays_public(tmp_path):
    source = rendered(tmp_path, "things", propose(table(tmp_path, code=[f"K{n}" for n in range(ROWS)], size=["1"])))
    assert "access=public()" in source
    assert "contact" not in source.replace("Contact", "contact").partition("class Use")[0]


def test_whoever_a_row_is_about_becomes_a_contact_and_is_erased_as_one(tmp_path, in_project):
    """By the mapping as it is: contacts and places of work are made, and erasing a contact empties the row."""
    proposal = propose(people(tmp_path, customerID=["C1", "C2"]))
    folder = tmp_path / "crm-people"
    new_plugin("people", folder, proposal=proposal)
    build = tmp_path / "crm.toml"
    build.write_text(f'[crm]\ndatabase = "sqlite:///{tmp_path / "crm.db"}"\nplugins = ["people"]\n')

    def crm(*arguments):
        done = in_project(folder, "-c", RUN, "--build", str(build), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    crm("migrate")
    report = json.loads(crm("import", "imports/people.toml", "--data", str(tmp_path), "--json"))
    assert {each["name"]: each["created"] for each in report["sections"]} == {
        "accounts": 2, "contacts": ROWS, "places of work": ROWS, report["sections"][-1]["name"]: ROWS,
    }  # fmt: skip
    assert in_project(folder, "-c", ERASE, str(build)).returncode == 0
    rows = json.loads(crm("list", f"people.{proposal.record}", "--json", "--limit", "100"))["records"]
    (gone,) = [each for each in rows if each["email"] is None]
    assert (gone["telephone"], "Ann0" in gone["first_name"], "Dan9" in gone["last_name"]) == (None, False, False)


# -- the whole way -------------------------------------------------------------------------------------------------

RUN = "import sys; from crm_core.cli.running import run; sys.exit(run(sys.argv[1:]))"


@pytest.mark.parametrize(("file", "records"), [("products", 77), ("orders", None), ("customers", None)])
def test_crm_import_takes_the_mapping_as_it_is(shared_data, tmp_path, in_project, file, records):
    data = shared_data / "northwind"
    proposal = propose(data / f"{file}.csv")
    folder = tmp_path / "crm-northwind"
    new_plugin("northwind_table", folder, proposal=proposal)
    build = tmp_path / "crm.toml"
    build.write_text(f'[crm]\ndatabase = "sqlite:///{tmp_path / "crm.db"}"\nplugins = ["northwind_table"]\n')
    assert in_project(folder, "-c", RUN, "--build", str(build), "migrate").returncode == 0
    done = in_project(
        folder, "-c", RUN, "--build", str(build), "import", f"imports/{proposal.record}.toml",
        "--data", str(data), "--dry-run", "--json",
    )  # fmt: skip
    report = json.loads(done.stdout)
    section = report["sections"][-1]
    assert section["created"] == (records or proposal.rows), done.stdout + done.stderr
    # What is rejected is what could not be read: lines with a comma too many.
    assert sum(each["rejected"] for each in report["sections"]) == section["read"] - proposal.rows


@pytest.mark.timeout(600)
def test_the_tests_of_a_plugin_from_a_table_pass(shared_data, tmp_path, tests_of):
    """A table with accounts, choices, telephone numbers and empty cells; the leak test is asked of the usual record."""
    folder = tmp_path / "crm-shop"
    new_plugin("shop", folder, proposal=propose(shared_data / "northwind" / "customers.csv", "shop"))
    conformance = folder / "tests" / "test_conformance.py"
    line = conformance.read_text(encoding="utf-8")
    quick = line.replace("database_url=database_url", 'database_url=database_url, skip=["leaks-reads", "together"]')
    conformance.write_text(quick, encoding="utf-8")
    assert quick != line
    done = tests_of(folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_shows_what_it_would_make_of_a_table(tmp_path):
    from crm_core.cli import Application
    from crm_core.cli.commands.plugin_new import command

    path = table(tmp_path, "deals.csv", code=[f"K{n}" for n in range(ROWS)], customerID=["C1", "C2"], price=["1.5"])
    arguments = ["deals", "--to", str(tmp_path / "new"), "--from-csv", str(path), "--dry-run"]
    shown = CliRunner().invoke(command, arguments, obj=Application({}), catch_exceptions=False)
    assert "price" in shown.stdout
    assert "nothing was written" in shown.stdout
    printed = CliRunner().invoke(command, [*arguments, "--json"], obj=Application({}), catch_exceptions=False)
    found = json.loads(printed.stdout)
    assert (found["record"], found["account"], found["key"]) == ("deal", "customerID", ["code"])
    assert [each["kind"] for each in found["fields"]] == ["text", "money"]
    assert not (tmp_path / "new").exists()


def test_the_command_says_it_in_chinese(tmp_path):
    from crm_core.cli import Application
    from crm_core.cli.commands.plugin_new import command

    application = Application({"LANG": "zh_CN.UTF-8"})
    arguments = ["deals", "--to", str(tmp_path / "new")]
    said = CliRunner().invoke(command, arguments, obj=application, catch_exceptions=False).stdout
    assert "已将" in said
    assert (tmp_path / "new" / "pyproject.toml").is_file()


def test_accounts_of_the_table_are_made_once(tmp_path, in_project):
    path = table(tmp_path, "deals.csv", code=[f"K{n}" for n in range(ROWS)], 客户=["北京机床厂", "上海电机厂", ""])
    proposal = propose(path)
    assert (proposal.account, proposal.account_optional) == ("客户", True)
    text = mapping("deals", proposal)
    assert 'skip_if = { "客户" = false }' in text
    only_accounts = tmp_path / "accounts.toml"
    only_accounts.write_text(text.partition('[[section]]\nrecord = "deals.')[0], encoding="utf-8")
    with Crm.open({"crm": {"database": f"sqlite:///{tmp_path / 'crm.db'}"}}, check=False) as crm:
        crm.migrate()
        report = run_import(crm, only_accounts, tmp_path)
    assert report.sections[0].created == 2


def test_a_number_that_does_not_fit_is_a_text_for_a_reason(tmp_path):
    found = field(tmp_path, "longitude", ["116.40739900000001", "39.9"])
    assert "up to 17 digits, 14 of them decimals" in found.why


def test_names_that_methods_use(tmp_path):
    keys = [f"K-{number}" for number in range(ROWS)]
    proposal = propose(table(tmp_path, **{"code": keys, "self": ["a note", "another"], "cls": ["x y", "z"]}))
    assert [each.name for each in proposal.fields] == ["code", "self_2", "cls_2"]
    made = new_plugin("reserved", tmp_path / "made", proposal=proposal)
    assert (made.folder / "crm_reserved" / "records.py").is_file()


@pytest.mark.parametrize("ending", ["vcf", "ICS"])
def test_address_books_and_calendars_are_no_tables(tmp_path, ending):
    path = tmp_path / f"people.{ending}"
    path.write_text("BEGIN:VCARD\nFN:A\nEND:VCARD\n")
    with pytest.raises(ExchangeError, match="no table but an address book or a calendar"):
        propose(path)


def test_sheets_that_were_not_looked_at(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "first"
    book.active.append(["code", "note"])
    book.active.append(["a", "b"])
    book.create_sheet("second").append(["x"])
    book.create_sheet("hidden").sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    assert ("Only the first sheet was looked at, not: {sheets}.", {"sheets": "second"}) in propose(
        tmp_path / "a.xlsx"
    ).notes

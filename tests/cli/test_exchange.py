import csv
import json

import openpyxl
import pytest

MAPPING = """\
[source]
system = "old"

[[section]]
record = "account"
file = "customers.csv"
key = "no"
fields = { name = "name", grade = "grade" }
"""


@pytest.fixture
def data(company):
    (company / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    rows = ["no,name,grade", "1,Northern Mill,A", f"2,{'x' * 300},B", "3,Southern Mill,B"]
    (company / "customers.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return company


def test_an_import(data, crm):
    tried = crm("import", "mapping.toml", "--dry-run")
    assert "It was a dry run: nothing was changed." in tried.out
    assert "customers.csv, line 3: " in tried.out
    assert "'--rejects FILE' writes all of them" in tried.out
    done = crm("import", "mapping.toml", "--data", ".", "--rejects", "rejects.csv", "--reason", "the old CRM")
    assert "All 1 rejected rows: rejects.csv" in done.out
    assert "To take it back: crm undo" in done.out
    assert crm("undo", "--json").json["change_sets"][0]["reason"] == "the old CRM"
    assert crm("show", "account", "old:3", "--json").json["record"]["name"] == "Southern Mill"
    again = crm("import", "mapping.toml", "--json").json
    assert (again["created"], again["updated"], again["unchanged"], again["rejected"]) == (0, 0, 2, 1)
    assert "Nothing was changed." in crm("import", "mapping.toml").out


def test_reasons_are_in_the_readers_language(data, crm):
    assert "最多 200 个" in crm("--lang", "zh_CN", "import", "mapping.toml", "--dry-run").out


def test_an_import_as_a_user(data, crm):
    assert "may not import data" in crm("--user", "zhao.min", "import", "mapping.toml", code=5).err
    crm("--user", "li.wei", "import", "mapping.toml")
    assert crm("undo", "--json").json["change_sets"][0]["principal"] == "li.wei"


def test_a_mapping_that_is_wrong(data, crm):
    assert "There is no mapping nothing.toml." in crm("import", "nothing.toml", code=4).err
    (data / "mapping.toml").write_text(MAPPING.replace('"grade"', '"grad"'), encoding="utf-8")
    assert "Nothing was imported." in crm("import", "mapping.toml", code=4).err


def test_an_export(company, crm):
    done = crm("export", "account", "--where", 'grade == "C"', "--to", "out.csv", "--fields", "name, grade")
    assert "Wrote 1 records to out.csv." in done.out
    with (company / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["grade"]) == ("Acme Bearings", "C")
    assert (
        crm("export", "account", "--to", "all.txt", "--format", "jsonl", "--order", "name", "--json").json["records"]
        == 4
    )
    lines = (company / "all.txt").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["name"] == "Acme Bearings"
    done = crm("export", "ownership", "--to", "o.jsonl", "--all-dates", "--keys", "erp", "--json").json
    assert done == {"type": "ownership", "file": "o.jsonl", "records": 2}
    assert crm("export", "ownership", "--to", "p.jsonl", "--at", "2025-06-01", "--json").json["records"] == 1


def test_an_export_shows_only_what_one_may_see(company, crm):
    assert crm("--user", "zhao.min", "export", "account", "--to", "x.jsonl", "--json").json["records"] == 0
    assert crm("export", "account", "--to", "x.jsonl", "--as", "zhao.min", "--json").json["records"] == 0


def test_an_export_that_cannot_be_written(company, crm):
    assert "End its name in .csv, .jsonl or .xlsx." in crm("export", "account", "--to", "x.doc", code=4).err
    assert "cannot be written" in crm("export", "account", "--to", "no/where/x.csv", code=4).err
    assert "--format" in crm("export", "account", "--to", "x", "--format", "doc", code=2).err


def test_a_spreadsheet_there_and_back(data, crm):
    crm("import", "mapping.toml")
    done = crm("export", "account", "--where", 'contains(name, "Mill")', "--to", "out.xlsx", "--keys", "old")
    assert "Wrote 2 records to out.xlsx." in done.out
    book = openpyxl.load_workbook(data / "out.xlsx")
    rows = list(book["account"].values)
    assert [dict(zip(rows[0], row, strict=True))["key"] for row in rows[1:]] == ["1", "3"]
    other = book.create_sheet("second", 0)
    for row in (["no", "name", "grade"], [4, "Western Mill", "A"], [5e15, "Far Mill", "B"], [6, None, "A"]):
        other.append(row)
    book.save(data / "customers.xlsx")
    (data / "mapping.toml").write_text(MAPPING.replace("customers.csv", "customers.xlsx"), encoding="utf-8")
    assert "has no column 'no'" in crm("import", "mapping.toml", "--sheet", "account", code=4).err
    done = crm("import", "mapping.toml", "--sheet", "second", "--rejects", "rejects.xlsx")
    assert "customers.xlsx, line 3: no: 5000000000000000 was taken for a number" in done.out
    assert "All 1 rejected rows: rejects.xlsx" in done.out
    assert openpyxl.load_workbook(data / "rejects.xlsx")["account"]["A2"].value == 6


CARDS = """BEGIN:VCARD\r
VERSION:3.0\r
UID:1\r
FN:Wei Li\r
ORG:Acme Bearings;Purchasing\r
EMAIL:wei@acme.example\r
PHOTO:x\r
X-A:1\r
X-A:2\r
END:VCARD\r
BEGIN:VCARD\r
TEL:1\r
END:VCARD\r
"""


def test_an_address_book(company, crm):
    (company / "people.vcf").write_text(CARDS, encoding="utf-8")
    tried = crm("import", "people.vcf", "--dry-run")
    assert "people.vcf, line 11: The card names nobody." in tried.out
    told = " ".join(tried.out.split())
    assert "PHOTO: Pictures, sounds and keys are not kept. X-A: There is no field for it. (2)" in told
    assert "It was a dry run" in tried.out and "Rejected rows: 1." in tried.out
    done = crm("import", "people.vcf", "--rejects", "r.csv", "--system", "phone", "--known-companies", "--json").json
    assert (done["created"], done["rejected"], done["accounts"]) == (1, 1, 0)
    assert (done["affiliations"], done["points"]) == (1, 1)
    assert crm("show", "contact", "phone:1", "--json").json["record"]["name"] == "Wei Li"
    assert "Nothing was changed." in crm("import", "people.vcf", "--system", "phone").out
    done = crm("export", "contact", "--to", "out.vcf", "--where", 'name == "Wei Li"', "--card-version", "3.0")
    assert "Wrote 1 records to out.vcf." in done.out
    text = (company / "out.vcf").read_text(encoding="utf-8")
    assert "VERSION:3.0" in text and "ORG:Acme Bearings;Purchasing" in text
    assert crm("export", "contact", "--to", "out.vcf", "--json").json["records"] >= 1
    assert "Only contacts become vCards" in crm("export", "account", "--to", "a.vcf", code=4).err
    assert "cannot be read: No such file" in crm("import", "nothing.vcf", code=4).err


def test_only_the_first_of_many_cards_are_shown(company, crm):
    cards = [f"BEGIN:VCARD\nFN:Person {number}\nX-A:1\nEND:VCARD\n" for number in range(25)]
    (company / "people.vcf").write_text("".join(cards), encoding="utf-8")
    done = crm("import", "people.vcf")
    assert "Entries with something that was not taken: 25." in done.out
    assert "Person 19" in done.out and "Person 20" not in done.out
    assert len(crm("import", "people.vcf", "--json").json["cards"]) == 25


EVENTS = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
UID:1\r
SUMMARY:Visit\r
DTSTART:20260901T010000Z\r
RRULE:FREQ=WEEKLY;COUNT=3\r
X-A:1\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:2\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_a_calendar(company, crm):
    (company / "a.ics").write_text(EVENTS, encoding="utf-8")
    window = ("--since", "2026-01-01", "--until", "2026-09-10")
    tried = crm("import", "a.ics", "--dry-run", *window)
    assert "a.ics, line 9: The event has no beginning." in tried.out
    assert "X-A" in tried.out and "It was a dry run" in tried.out
    done = crm("import", "a.ics", "--for", "li.wei", *window, "--json").json
    assert (done["read"], done["created"], done["rejected"]) == (2, 2, 1)
    assert "Nothing was changed." in crm("import", "a.ics", "--for", "li.wei", *window).out
    assert crm("calendar", "--user", "li.wei", "--to", "li.ics", "--json").json["records"] >= 2
    assert "Nobody is named" in crm("calendar", "--to", "x.ics", code=4).err
    assert "Wrote" in crm("--user", "li.wei", "calendar", "--to", "mine.ics").out
    assert "Wrote" in crm("export", "activity", "--to", "all.ics", "--where", 'subject == "Visit"').out
    assert (company / "all.ics").read_text(encoding="utf-8").count("BEGIN:VEVENT") == 2
    assert crm("export", "activity", "--to", "all.ics", "--json").json["type"] == "activity"
    assert "Only activities" in crm("export", "account", "--to", "a2.ics", code=4).err

"""``crm import draft``, and that ``crm import`` goes on as before beside it."""

import json
import tomllib

import pytest

TABLE = "customer no,company name,city,country,headcount\n" + "".join(
    f"C{number},Mill {number} Ltd,London,United Kingdom,{10 + number}\n" for number in range(8)
)


@pytest.fixture
def table(company):
    (company / "data").mkdir()
    (company / "data" / "customers.csv").write_text(TABLE, encoding="utf-8")
    return company


def test_a_draft_is_written_rehearsed_and_imported(table, crm):
    done = crm("import", "draft", "data/customers.csv", "--output", "mapping.toml")
    assert "customers.csv   account" in done.out
    assert "Wrote 1 sections to mapping.toml." in done.out
    assert done.out.strip().splitlines()[-1] == "Next: crm import mapping.toml --data data --dry-run"
    text = (table / "mapping.toml").read_text(encoding="utf-8")
    assert "'crm import mapping.toml --data data --dry-run'" in text.replace("\n# ", " ")
    (section,) = tomllib.loads(text)["section"]
    assert section["fields"]["employees"] == "headcount"
    tried = crm("import", "mapping.toml", "--data", "data", "--dry-run", "--json").json
    assert (tried["created"], tried["rejected"]) == (8, 0)
    crm("import", "mapping.toml", "--data", "data")
    assert crm("show", "account", "customers:C1", "--json").json["record"]["name"] == "Mill 1 Ltd"


def test_without_a_file_to_write_it_is_printed(table, crm):
    done = crm("import", "draft", "data")
    assert tomllib.loads(done.out)["section"][0]["key"] == "customer no"
    assert "--output mapping.toml" in done.err
    assert "crm import mapping.toml --data data --dry-run" in done.err


def test_a_file_that_is_there_is_kept_unless_one_insists(table, crm):
    (table / "mapping.toml").write_text("mine", encoding="utf-8")
    refused = crm("import", "draft", "data", "--output", "mapping.toml", code=4)
    assert "mapping.toml is there already. Name another file, or replace it by --force." in refused.err
    assert (table / "mapping.toml").read_text(encoding="utf-8") == "mine"
    crm("import", "draft", "data", "--output", "mapping.toml", "--force")
    assert "[source]" in (table / "mapping.toml").read_text(encoding="utf-8")


def test_as_json(table, crm):
    (table / "data" / "colours.csv").write_text("colour\nred\nblue\n", encoding="utf-8")
    found = crm("import", "draft", "data", "--json").json
    assert found["output"] is None
    assert found["next"] == "crm import mapping.toml --data data --dry-run"
    (file,) = found["files"]
    assert (file["record"], file["rows"]) == ("account", 8)
    name = next(each for each in file["sections"][0]["fields"] if each["field"] == "name")
    assert name == {
        "field": "name", "value": "company name", "columns": ["company name"], "certainty": 0.9,
        "because": "its header is another name for the field", "remarks": [], "alternatives": [],
    }  # fmt: skip
    assert found["left_out"] == [{"file": "colours.csv", "reason": "no record of this build has what its columns say"}]
    written = crm("import", "draft", "data", "--output", "m.toml", "--json")
    assert json.loads(written.out)["output"] == "m.toml"
    assert "colours.csv was left out: " in crm("import", "draft", "data", "--output", "n.toml").err


def test_the_record_can_be_named(table, crm):
    found = crm("import", "draft", "data/customers.csv", "--record", "unit", "--json", code=4)
    assert "a new unit needs name, which no column says" in found.err
    assert "There is no record type 'acount'" in crm("import", "draft", "data", "--record", "acount", code=None).err
    assert (
        crm("import", "draft", "data/customers.csv", "--record", "account", "--json").json["files"][0]["certainty"] == 1
    )


def test_reasons_are_in_the_readers_language(table, crm):
    text = crm("--lang", "zh_CN", "import", "draft", "data").out
    assert "确定 (0.90): 列名是字段的别名" in text
    assert tomllib.loads(text)["section"][0]["record"] == "account"
    assert "没有名为 nothing 的文件或文件夹" in crm("--lang", "zh_CN", "import", "draft", "nothing", code=4).err


def test_the_database_is_not_opened(table, crm):
    for file in table.glob("*.db*"):
        file.unlink()
    assert crm("import", "draft", "data").out
    assert not list(table.glob("*.db*"))


def test_help_names_the_subcommand_and_its_own_usage(company, crm):
    assert "draft  Propose a mapping for a table" in crm("import", "--help").out
    usage = crm("import", "draft", "--help").out
    assert "crm import draft [OPTIONS] FILE|FOLDER" in usage
    assert "'FILE|FOLDER' is missing" in crm("import", "draft", code=2).err


def test_a_mapping_that_is_called_draft_can_be_named_with_its_folder(table, crm):
    crm("import", "draft", "data", "--output", "draft")
    assert crm("import", "./draft", "--data", "data", "--dry-run", "--json").json["created"] == 8


def test_other_words_are_mappings_as_ever(company, crm):
    assert "There is no mapping drafts.toml." in crm("import", "drafts.toml", code=4).err

"""Tables of another system: recognised by their shape, mapped by what is known of it, and by what plugins add."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_core.assembly import Build, assemble
from crm_core.errors import ExchangeError
from crm_core.exchange.drafting import as_toml, draft
from crm_core.exchange.drafting.foreign import REMARK_LABELS, foreign_names

from .conftest import BUILD

Make = Callable[..., Path]
SYSTEM = {"IsDeleted": ["false"], "SystemModstamp": ["2024-01-01T00:00:00Z"], "CreatedById": ["005"],
          "LastModifiedById": ["005"], "OwnerId": ["0051", "0052"]}  # fmt: skip
CONTACT = {
    "Id": [f"003{n}" for n in range(12)], **SYSTEM, "AccountId": ["0011"], "FirstName": ["Ann"], "LastName": ["Smith"],
    "Email": [f"p{n}@example.com" for n in range(12)], "Title": ["Buyer"], "ReportsToId": [""], "MailingStreet": ["x"],
    "HomePhone": [""], "Department": ["Sales"],
}  # fmt: skip
ACCOUNT = {
    "Id": [f"001{n}" for n in range(12)], **SYSTEM, "Name": [f"Acme {n} Ltd" for n in range(12)],
    "NumberOfEmployees": ["12"], "AccountSource": ["Web"], "BillingStreet": ["High Street 1"],
    "BillingCity": ["London"],
    "BillingCountry": ["United Kingdom"], "ShippingCity": [""], "AnnualRevenue": ["1000"], "Website": ["example.com"],
    "Rating": ["Hot"], "Region__c": ["East"],
}  # fmt: skip
OPPORTUNITY = {
    "Id": [f"006{n}" for n in range(12)], **SYSTEM, "AccountId": ["0010"], "Name": ["Third line"], "Amount": ["1000"],
    "StageName": ["Prospecting", "Closed Won"], "CloseDate": ["2024-12-31"], "Probability": ["10", "100"],
    "IsWon": ["false"], "IsClosed": ["false"], "ForecastCategory": ["Pipeline"],
}  # fmt: skip


def snake(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns as a data pipeline writes them."""
    import re

    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): values for name, values in columns.items()}


@pytest.mark.parametrize("shaped", [dict, snake])
def test_objects_are_recognised_however_they_are_written(make: Make, drafted: Any, tmp_path: Path, shaped: Any) -> None:
    make("stg_account.csv", shaped(ACCOUNT))
    make("Contact.csv", shaped(CONTACT))
    found, toml = drafted(tmp_path)
    assert [(each.system, each.record) for each in found.files] == [
        ("salesforce", "account"),
        ("salesforce", "contact"),
    ]
    assert toml["source"]["system"] == "salesforce"
    assert toml["source"]["time_zone"] == "UTC"
    sections = {section["name"]: section for section in toml["section"]}
    header = {"street": "BillingStreet", "city": "BillingCity", "country": "BillingCountry"}
    written = dict(zip(header, shaped(dict.fromkeys(header.values())), strict=True))
    accounts = sections["accounts"]["fields"]
    assert accounts["address"]["street"] == written["street"]
    assert accounts["address"]["country"] == {"column": written["country"], "transform": "country_code"}
    # What Salesforce keeps without a scheme becomes a web address.
    assert accounts["website"]["transform"] == {"name": "prefix", "text": "https://"}
    assert sections["owners"]["on_update"] == "date"
    given, family = shaped({"FirstName": None, "LastName": None})
    assert sections["contacts"]["fields"]["name"] == {"columns": [given, family], "transform": "join"}
    assert sections["affiliations"]["only_if"] == {next(iter(shaped({"AccountId": None}))): True}
    assert "telephones" not in sections  # the table has no such column
    assert sections["contacts"]["skip_if"] == {next(iter(shaped({"IsDeleted": None}))): ["true", "TRUE"]}


def test_an_object_is_recognised_by_its_columns_alone(make: Make, drafted: Any) -> None:
    assert drafted(make("export-1.csv", CONTACT))[0].files[0].sections[0].name == "contacts"


def test_values_that_no_field_would_take_stay_out(make: Make, drafted: Any) -> None:
    garbled = {**ACCOUNT, "Website": ["9CcfAt8q=="], "NumberOfEmployees": ["x/y", "z"]}
    found, toml = drafted(make("account.csv", garbled))
    assert not {"website", "employees"} & toml["section"][0]["fields"].keys()
    assert {"Website", "NumberOfEmployees"} <= {each.column for each in found.files[0].unmapped}


def test_custom_fields_of_the_build_take_what_is_left(make: Make, drafted: Any) -> None:
    given = assemble({**BUILD, "custom_fields": {"account": {"source": {"kind": "text"}, "owner": {"kind": "text"}}}})
    (section, *_) = drafted(make("account.csv", ACCOUNT), given)[1]["section"]
    assert section["fields"]["source"] == "AccountSource"


@pytest.mark.parametrize(
    ("name", "columns", "reason"),
    [
        ("opportunity.csv", OPPORTUNITY, "Opportunity of Salesforce, of which nothing becomes in this build"),
        ("account.csv", {**ACCOUNT, "_fivetran_start": ["2024-01-01"], "_fivetran_end": ["2024-02-01"]},
         "it holds former states of records of Salesforce"),
        ("case.csv", {"Id": ["1", "2"], **SYSTEM, "CaseNumber": ["7", "8"]},
         "it is of Salesforce, and nothing here knows what becomes of it"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_left_out(make: Make, drafted: Any, name: str, columns: Any, reason: str) -> None:
    with pytest.raises(ExchangeError) as raised:
        drafted(make(name, columns))
    assert reason in str(raised.value)


def test_a_record_that_is_named_outranks_the_shape(make: Make, drafted: Any) -> None:
    found, toml = drafted(make("account.csv", ACCOUNT), record="account")
    assert found.files[0].system == ""
    assert toml["section"][0]["fields"]["name"] == "Name"


SECTION = "system = 'salesforce'\n[[object]]\nname = 'Account'\n[[object.section]]\nrecord = 'account'\n"
KRM = """
    system = "krm"
    label = "KRM"
    marks = ["krm_id", "krm_stand", "krm_mandant"]
    [[object]]
    name = "Kunde"
    files = ["kunden"]
    [[object.section]]
    record = "account"
"""
KUNDEN = {"KRM_ID": [str(n) for n in range(12)], "KRM_STAND": ["1"], "KRM_MANDANT": ["1"],
          "Bezeichnung": [f"Acme {n}" for n in range(12)]}  # fmt: skip


class TestWhatPluginsAdd:
    @pytest.fixture
    def added(self, build: Build, tmp_path: Path) -> Callable[[str], Build]:
        """A build in which a plugin brings this file."""

        def added_(text: str) -> Build:
            file = tmp_path / "foreign.toml"
            file.write_text(text, encoding="utf-8")
            return attrs.evolve(build, foreign_names=(("mine", file),))

        return added_

    def test_an_object_gets_further_sections(self, make: Make, added: Any) -> None:
        given = added("""
            system = "salesforce"
            [[object]]
            name = "Account"
            [[object.section]]
            record = "lifecycle"
            key = "Id"
            [object.section.fields]
            account_id = { column = "Id", lookup = "account" }
            stage = { value = "customer" }
            [[object.section]]
            record = "not_here.record"
            key = "Id"
            [object.section.fields]
            name = "Name"
        """)
        toml = tomllib.loads(as_toml(draft(given, make("account.csv", ACCOUNT)), "crm import"))
        assert [section["record"] for section in toml["section"]] == [
            "account", "account_address", "ownership", "lifecycle",
        ]  # fmt: skip

    def test_another_system_is_recognised(self, make: Make, added: Any) -> None:
        given = added(KRM + """
            key = "krm_id"
            remark = "Look at them."
            match = "name"
            [object.section.fields]
            name = "bezeichnung"
            phone = ["telefon1", "telefon2"]
            local_name = { template = "{bezeichnung} {ort}" }
        """)  # fmt: skip
        found = draft(given, make("kunden.csv", {**KUNDEN, "Telefon2": ["030 1234567"]}))
        text = as_toml(found, "crm import")
        (section,) = tomllib.loads(text)["section"]
        assert (found.system, section["key"], section["match"]) == ("krm", "KRM_ID", "name")
        assert section["fields"] == {"name": "Bezeichnung", "phone": "Telefon2"}
        assert "# Look at them." in text and "KRM calls it so" in text

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("system = ", "cannot be read"),
            ("label = 'x'", "system: It is missing. Add it."),
            ("system = 'x'\nobjects = []", "'objects' is not known here. Did you mean object?"),
            ("system = 'x'\n[[object]]\nname = 'A'\n[[object.section]]\nrecord = 'account'",
             "object.A: A section needs record, key, fields."),
            ("system = 'salesforce'\n[[object]]\nname = 'Account'\n[[object.section]]\nrecord = 'account'\nkey = 'Id'\n"
             "fields = { nam = 'Name' }",
             "The foreign names of salesforce speak of nam, which account does not have. Did you mean name?"),
            (SECTION + "key = 'Id'\nfields = 'Name'", "object.Account.fields: Expected a table, not 'Name'."),
            (SECTION + "key = 'Id'\non_updates = 'skip'\nfields = { name = 'Name' }",
             "object.Account.on_updates: 'on_updates' is not known here. Did you mean on_update"),
            (SECTION + "key = 'Id'\nsheet = 'A'\nfields = { name = 'Name' }",
             "object.Account.sheet: Foreign names say nothing of the file."),
            (SECTION + "key = 'Id'\nfields = { name = ['Name', { colum = 'Name' }] }",
             "'colum' is not known here. Did you mean column"),
            (SECTION + "key = 'Id'\nfields = { address = { city = [1] } }", "Expected a table, not 1."),
            (SECTION + "key = '{Id'\nfields = { name = 'Name' }", "object.Account.key: '{Id' is no template"),
            (SECTION + "key = 'Id'\nfields = { parent_id = { lookup = { record = 'account', key = '{' } } }",
             "object.Account.fields.parent_id.lookup.key: '{' is no template"),
        ],
    )  # fmt: skip
    def test_mistakes_are_told(self, make: Make, added: Any, text: str, words: str) -> None:
        with pytest.raises(ExchangeError) as raised:
            draft(added(text), make("account.csv", ACCOUNT))
        assert words in raised.value.text()

    def test_a_section_is_written_as_in_a_mapping(self, make: Make, added: Any) -> None:
        """With a key of several columns, a template without any, and what else a section may say."""
        given = added(KRM + """
            key = ["krm_mandant", "krm_id"]
            system = "krm-accounts"
            [object.section.fields]
            name = "bezeichnung"
            industry = { template = "Handel" }
        """)  # fmt: skip
        text = as_toml(draft(given, make("kunden.csv", KUNDEN)), "crm import")
        (section,) = tomllib.loads(text)["section"]
        assert (section["key"], section["system"]) == ("{KRM_MANDANT}/{KRM_ID}", "krm-accounts")
        assert section["fields"] == {"name": "Bezeichnung", "industry": {"template": "Handel"}}

    def test_the_file_of_a_plugin_is_named(self, make: Make, added: Any) -> None:
        with pytest.raises(ExchangeError, match=r"mine: .*foreign\.toml"):
            draft(added("system = "), make("account.csv", ACCOUNT))


def test_what_the_kernel_knows_speaks_of_fields_that_are_there(build: Build) -> None:
    for system in foreign_names():
        for each in system.object:
            for section in each.section:
                fields = build.types[section["record"]].by_name
                assert set(section["fields"]) <= set(fields), (each.name, section.get("name"))
                assert {field.name for field in fields.values() if field.required} <= set(section["fields"])


def test_remarks_can_be_translated() -> None:
    remarks = {
        section["remark"] for system in foreign_names() for each in system.object for section in each.section
        if "remark" in section
    }  # fmt: skip
    assert remarks == set(REMARK_LABELS)


def test_each_system_is_a_file_of_its_name() -> None:
    files = {each.name for each in resources.files("crm_core.exchange").joinpath("foreign").iterdir()}
    assert {f"{system.system}.toml" for system in foreign_names()} == {name for name in files if name.endswith(".toml")}

"""What the rows of a table are, and what comes of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from stdnum.cn import uscc

from crm_core import Account, Contact, ContactPoint
from crm_core.assembly import Crm, assemble
from crm_core.errors import ExchangeError, NotFound
from crm_core.exchange import run_import
from crm_core.exchange.drafting import as_json, as_toml, draft

from .conftest import BUILD, chinese

pytestmark = pytest.mark.any_database  # a mapping is drafted from a file

Make = Callable[..., Path]
CODES = [base + uscc.calc_check_digit(base) for base in (f"91310000{600037341 + 7 * number}" for number in range(12))]
COMPANIES = [f"华东{char}机床有限公司" for char in "甲乙丙丁戊己庚辛壬癸子丑"]
PEOPLE = [f"{name}小明" for name in "王李张刘陈杨赵黄周吴徐孙"]
CHINESE = {
    "公司名称": COMPANIES, "统一社会信用代码": CODES, "联系人": PEOPLE, "职务": ["采购经理", "厂长"],
    "手机": [f"1380013{8000 + number}" for number in range(12)],
    "电话": [f"021-6552{1000 + number}" for number in range(12)],
    "邮箱": [f"a{number}@example.cn" for number in range(12)],
    "地址": [f"中山路{number}号" for number in range(12)], "城市": ["北京", "上海"], "国家": ["中国"],
    "行业": ["机械", "汽车"], "客户类型": ["企业", "供应商"], "业务员": ["li.wei", "zhao.min"], "备注": ["老客户"],
    "内部评分": ["3", "4"],
}  # fmt: skip


def pairs(found: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    return {(record, name) for record, fields in found.items() for name in fields}


class TestAChineseTable:
    """Companies, each with a person and whoever is responsible, in GB 18030."""

    @pytest.fixture
    def file(self, make: Make) -> Path:
        return make("导出.csv", CHINESE, encoding="gb18030")

    def test_all_but_one_column_find_their_place(self, file: Path, drafted: Any) -> None:
        found, toml = drafted(file)
        (table,) = found.files
        assert table.record == "account"
        assert table.certainty > 0.85
        assert [each.column for each in table.unmapped] == ["内部评分"]
        assert [section["record"] for section in toml["section"]] == [
            "account", "contact", "affiliation", "contact_point", "contact_point", "contact_point", "ownership",
        ]  # fmt: skip
        account, contact, affiliation, mobile, phone, mail, owner = (section["fields"] for section in toml["section"])
        assert account == {
            "name": "公司名称", "registration_number": "统一社会信用代码", "industry": "行业", "note": "备注",
            "kind": {
                "column": "客户类型", "transform": {"name": "map", "values": {"企业": "company", "供应商": "partner"}},
            },
            "address": {
                "street": "地址", "city": "城市", "country": {"column": "国家", "transform": "country_code"},
            },
        }  # fmt: skip
        assert contact == {"name": "联系人"}
        assert affiliation["title"] == "职务"
        assert (mobile["value"], phone["value"], mail["value"]) == ("手机", "电话", "邮箱")
        assert {each["contact_id"]["lookup"] for each in (mobile, phone, mail)} == {"contact"}
        assert owner["user_id"] == {"column": "业务员", "lookup": {"record": "user", "by": "login"}}
        assert {section["key"] for section in toml["section"]} == {
            "统一社会信用代码", *(f"{kind} {{统一社会信用代码}}" for kind in ("mobile", "phone", "email")),
        }  # fmt: skip

    def test_it_is_imported_as_it_is(self, file: Path, build: Any, database_url: str, tmp_path: Path) -> None:
        mapping = tmp_path / "mapping.toml"
        mapping.write_text(as_toml(draft(build, file, labels=[chinese(build)]), "crm import"), encoding="utf-8")
        with Crm.open(BUILD, database=database_url, check=False) as crm:
            crm.store.create_all()
            report = run_import(crm, mapping, tmp_path, dry_run=True)
        assert [(each.record, each.created) for each in report.sections] == [
            ("account", 12), ("contact", 12), ("affiliation", 12), *[("contact_point", 12)] * 3, ("ownership", 0),
        ]  # fmt: skip
        assert all("There is no user" in each.reason for each in report.first_rejects)

    def test_no_value_is_shown(self, file: Path, build: Any) -> None:
        text = as_toml(draft(build, file, labels=[chinese(build)]), "crm import")
        assert [value for value in [*COMPANIES, *PEOPLE, *CHINESE["手机"], *CHINESE["邮箱"]] if value in text] == []
        assert '# "内部评分": whole numbers, 2 distinct, longest 1' in text

    def test_without_the_labels_in_chinese_the_table_of_synonyms_remains(self, file: Path, build: Any) -> None:
        (table,) = draft(build, file).files
        assert table.mapped >= 9


CELLS = {
    "company": [f"Acme {number} Ltd" for number in range(12)], "person": PEOPLE,
    "mail": [f"a{number}@example.cn" for number in range(12)], "phone": [f"021-6552{1000 + n}" for n in range(12)],
    "mobile": [f"1380013{8000 + number}" for number in range(12)], "text": ["采购经理", "厂长", "工程师"],
}  # fmt: skip
WHOSE = [
    # What stands behind the person is the person's.
    ("公司名称:company 联系人:person 职务:text 电话:phone 邮箱:mail 地址:text", {"电话": "phone", "邮箱": "email"}, {}),
    ("單位名稱:company 聯繫人:person 聯繫電話:phone 電子郵箱:mail", {"聯繫電話": "phone", "電子郵箱": "email"}, {}),
    ("客户:company 联系人:person 座机:phone 手机:mobile 邮箱:mail",
     {"座机": "phone", "手机": "mobile", "邮箱": "email"}, {}),
    ("Company:company Contact:person Title:text Phone:phone E-mail:mail Website:text", {"Phone": "phone",
                                                                                    "E-mail": "email"}, {}),
    ("Company Name:company Contact Person:person Mobile:mobile Email Address:mail", {"Mobile": "mobile",
                                                                                  "Email Address": "email"}, {}),
    ("Firma:company Ansprechpartner:person Position:text Telefon:phone E-Mail:mail", {"Telefon": "phone",
                                                                                    "E-Mail": "email"}, {}),
    # So it is where something stands between that says nothing of the company.
    ("公司:company 联系人:person 性别:text 邮箱:mail", {"邮箱": "email"}, {}),
    ("Company:company First Name:person Last Name:person E-mail:mail", {"E-mail": "email"}, {}),
    # What stands before the person, or behind something else about the company, is the company's.
    ("客户名称:company 电话:phone 联系人:person 手机:mobile 邮箱:mail", {"手机": "mobile", "邮箱": "email"},
     {"电话": "phone"}),
    ("Company:company Phone:phone E-mail:mail Contact:person", {}, {"Phone": "phone", "E-mail": "email"}),
    ("CompanyName:company ContactName:person ContactTitle:text Address:text City:text Phone:phone", {},
     {"Phone": "phone"}),
    # So is what says so itself.
    ("单位名称:company 联系人:person 联系电话:phone 公司邮箱:mail", {"联系电话": "phone"}, {"公司邮箱": "email"}),
    ("公司名称:company 联系人:person 公司电话:phone 手机:mobile", {"手机": "mobile"}, {"公司电话": "phone"}),
    # Where there are two of a kind, the second is not lost.
    ("客户名称:company 联系人:person 联系人电话:phone 电话:phone", {"联系人电话": "phone"}, {"电话": "phone"}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "persons", "companys"), WHOSE)
@pytest.mark.parametrize("labelled", [True, False], ids=["labels in Chinese", "no labels"])
def test_whose_a_telephone_or_an_address_for_mail_is(
    make: Make, build: Any, table: str, persons: dict[str, str], companys: dict[str, str], labelled: bool
) -> None:
    columns = {}
    for header, kind in re.findall(r"(\S[^:]*):(\S+)", table):
        columns[header] = CELLS[kind]
    found = draft(build, make("客户.csv", columns), labels=[chinese(build)] if labelled else [])
    toml = tomllib.loads(as_toml(found, "crm import"))
    points = {each["fields"]["value"]: each["fields"]["kind"]["value"]
              for each in toml["section"] if each["record"] == "contact_point"}  # fmt: skip
    (account,) = [each["fields"] for each in toml["section"] if each["record"] == "account"]
    assert points == persons
    assert {account[name]: name for name in ("phone", "email") if name in account} == companys
    assert all("contact_id" in each["fields"] for each in toml["section"] if each["record"] == "contact_point")


def test_a_draft_says_why_a_telephone_is_the_persons_and_that_it_may_be_the_companys(make: Make, build: Any) -> None:
    file = make("x.csv", {"公司名称": COMPANIES, "联系人": PEOPLE, "邮箱": CHINESE["邮箱"]})
    text = as_toml(draft(build, file), "crm import")
    assert "it stands behind the name of the person" in text and "account.email" in text


def test_an_address_for_mail_behind_a_person_arrives_there(
    make: Make, build: Any, database_url: str, tmp_path: Path
) -> None:
    file = make("x.csv", {"公司名称": COMPANIES, "联系人": PEOPLE, "职务": ["厂长"], "邮箱": CHINESE["邮箱"]})
    (tmp_path / "mapping.toml").write_text(as_toml(draft(build, file), "crm import"), encoding="utf-8")
    with Crm.open(BUILD, database=database_url, check=False) as crm:
        crm.store.create_all()
        assert run_import(crm, tmp_path / "mapping.toml", tmp_path).rejected == 0
        with crm.system_session("look", read_only=True) as session:
            (person,) = session.list(Contact, f'name == "{PEOPLE[3]}"')
            (point,) = session.list(ContactPoint, f"contact_id == {person.id}")
            assert (point.kind.value, point.value) == ("email", "a3@example.cn")
            assert not session.list(Account, "email is not None")


def test_people_of_whom_several_work_at_one_company(make: Make, drafted: Any) -> None:
    file = make("list.csv", {
        "ID": [f"P{number}" for number in range(12)], "First Name": [f"Ann{number}" for number in range(12)],
        "Last Name": ["Smith", "Miller"], "Company": ["Acme Ltd", "Hansa GmbH"], "Job Title": ["Buyer"],
        "E-mail": [f"p{number}@example.com" for number in range(12)], "City": ["London", ""],
    })  # fmt: skip
    found, toml = drafted(file)
    assert found.files[0].record == "contact"
    company, contact, affiliation, mail = toml["section"]
    assert company["record"] == "account"
    assert (company["key"], company["duplicates"], company["on_update"], company["match"]) == (
        "Company", "first", "skip", "name",
    )  # fmt: skip
    assert company["fields"] == {"name": "Company", "address": {"city": "City"}}
    assert contact["key"] == "ID"
    assert contact["fields"]["name"] == {"columns": ["First Name", "Last Name"], "transform": "join"}
    assert affiliation["fields"]["account_id"] == {"column": "Company", "lookup": "account"}
    assert affiliation["fields"]["contact_id"] == {"column": "ID", "lookup": "contact"}
    assert affiliation["fields"]["title"] == "Job Title"
    assert (mail["key"], mail["fields"]["value"]) == ("email {ID}", "E-mail")


def test_a_name_in_chinese_begins_with_the_family(make: Make, fields: Any) -> None:
    file = make(
        "联系人.csv",
        {"编号": [str(n) for n in range(12)], "姓": ["王", "李"], "名": ["小明", "伟"], "手机": ["13800138000"]},
    )
    assert fields(file)["contact"]["name"] == {"columns": ["姓", "名"], "transform": {"name": "join", "separator": ""}}


def test_contact_points_of_a_company_without_a_person_are_its_own(make: Make, drafted: Any) -> None:
    file = make("companies.csv", {"Company": [f"Acme {n} Ltd" for n in range(12)], "Mobile": ["13800138000"]})
    (account, point) = drafted(file)[1]["section"]
    assert (account["key"], point["record"]) == ("Company", "contact_point")
    assert point["fields"]["account_id"] == {"column": "Company", "lookup": "account"}


def test_values_say_what_headers_do_not(make: Make, fields: Any) -> None:
    file = make("x.csv", {"Firma": COMPANIES, "Feld 1": CODES, "Feld 2": [f"a{n}@example.cn" for n in range(12)]})
    found = fields(file)["account"]
    assert (found["registration_number"], found["email"]) == ("Feld 1", "Feld 2")


def test_a_table_that_says_nothing_is_no_draft(make: Make, drafted: Any) -> None:
    file = make("x.csv", {"foo": ["1", "2"], "bar": ["red", "blue"]})
    with pytest.raises(ExchangeError, match=r"No mapping can be drafted from .*x\.csv") as raised:
        drafted(file)
    assert "no record of this build has what its columns say" in str(raised.value)
    assert "--record" in raised.value.mend


class TestARecordThatIsNamed:
    def test_it_is_taken(self, make: Make, drafted: Any) -> None:
        file = make("x.csv", {"no": [str(n) for n in range(12)], "name": PEOPLE})
        found, toml = drafted(file, record="contact")
        assert found.files[0].certainty == 1
        assert [section["record"] for section in toml["section"]] == ["contact"]
        assert drafted(file, record="unit")[1]["section"][0]["record"] == "unit"

    def test_what_it_needs_is_told(self, make: Make, drafted: Any) -> None:
        file = make("x.csv", {"no": [str(n) for n in range(12)], "name": PEOPLE})
        with pytest.raises(ExchangeError, match="a new ownership needs account_id, user_id, which no column says"):
            drafted(file, record="ownership")

    def test_a_record_that_is_not_drafted_by_itself_can_be_named(self, make: Make, drafted: Any) -> None:
        file = make("x.csv", {"account id": ["1"], "user id": ["2"], "reason": ["asked"]})
        assert drafted(file, record="share")[1]["section"][0]["record"] == "share"

    def test_it_must_be_in_the_build(self, make: Make, drafted: Any) -> None:
        with pytest.raises(NotFound, match="There is no record type 'acount' in this build"):
            drafted(make("x.csv", {"name": PEOPLE}), record="acount")

    def test_it_is_for_one_table(self, make: Make, drafted: Any, tmp_path: Path) -> None:
        make("a.csv", {"name": PEOPLE})
        make("b.csv", {"name": PEOPLE})
        with pytest.raises(ExchangeError, match="has 2 tables; they are not all of account"):
            drafted(tmp_path, record="account")


class TestAFolder:
    def test_files_come_after_those_that_they_refer_to(self, make: Make, drafted: Any, tmp_path: Path) -> None:
        make("activities.csv", {
            "activity id": [f"V{n}" for n in range(12)], "subject": ["Spring visit"], "customer id": ["C1", "C2"],
            "employee id": ["E1", "E2"], "type": ["visit", "call"], "visit date": ["2024-03-01"],
        })  # fmt: skip
        make("customers.csv", {"customer id": [f"C{n}" for n in range(12)], "company": COMPANIES,
                               "sales person": ["E1", "E2"]})  # fmt: skip
        make("employees.csv", {"employee id": [f"E{n}" for n in range(12)], "name": PEOPLE,
                               "username": [f"u{n}" for n in range(12)]})  # fmt: skip
        found, toml = drafted(tmp_path)
        assert [each.table.path.name for each in found.files] == ["employees.csv", "customers.csv", "activities.csv"]
        users, accounts, owners, activities = toml["section"]
        assert (users["record"], users["match"], users["fields"]["login"]) == ("user", "login", "username")
        assert accounts["key"] == "customer id"
        assert owners["fields"]["user_id"] == {"column": "sales person", "lookup": "user"}
        assert activities["fields"]["account_id"] == {"column": "customer id", "lookup": "account"}
        assert activities["fields"]["user_id"] == {"column": "employee id", "lookup": "user"}
        assert activities["fields"]["kind"] == "type"
        assert activities["fields"]["started_at"] == "visit date"

    def test_keys_of_two_files_do_not_meet(self, make: Make, drafted: Any, tmp_path: Path) -> None:
        make("customers.csv", {"id": [str(n) for n in range(12)], "company name": COMPANIES})
        make("suppliers.csv", {"id": [str(n) for n in range(12)], "company name": [f"{each}二" for each in COMPANIES]})
        make("contacts.csv", {"id": [f"K{n}" for n in range(12)], "contact name": PEOPLE, "supplier_id": ["1", "2"]})
        toml = drafted(tmp_path)[1]
        by_file = {section["file"]: section for section in toml["section"] if section["record"] == "account"}
        assert {file: section["key"] for file, section in by_file.items()} == {
            "customers.csv": "customer {id}", "suppliers.csv": "supplier {id}",
        }  # fmt: skip
        assert by_file["suppliers.csv"]["fields"]["kind"] == {"value": "partner"}
        affiliation = next(section for section in toml["section"] if section["record"] == "affiliation")
        assert affiliation["fields"]["account_id"] == {
            "lookup": {"record": "account", "key": "supplier {supplier_id}"}
        }  # fmt: skip

    def test_a_company_may_be_referred_to_by_its_name(self, make: Make, drafted: Any, tmp_path: Path) -> None:
        make("customers.csv", {"customer no": [f"C{n}" for n in range(12)], "customer name": COMPANIES})
        make("contacts.csv", {"contact no": [f"K{n}" for n in range(12)], "contact name": PEOPLE,
                              "customer": COMPANIES[:2]})  # fmt: skip
        toml = drafted(tmp_path)[1]
        (place,) = [section["fields"] for section in toml["section"] if section["record"] == "affiliation"]
        assert place["account_id"] == {"column": "customer", "lookup": {"record": "account", "by": "name"}}

    def test_what_is_no_table_is_left_out_with_the_reason(self, make: Make, drafted: Any, tmp_path: Path) -> None:
        make("customers.csv", {"company name": COMPANIES})
        make("colours.csv", {"colour": ["red", "blue"]})
        (tmp_path / "empty.csv").write_text("", encoding="utf-8")
        (tmp_path / "README.md").write_text("Read me", encoding="utf-8")
        found, _ = drafted(tmp_path)
        left = {name: template for name, (template, _) in found.left_out}
        assert left == {
            "colours.csv": "no record of this build has what its columns say",
            "empty.csv": "{file} is empty.",
        }
        text = as_toml(found, "crm import")
        assert "# empty.csv: " in text and "README" not in text

    def test_rows_that_cannot_be_read_are_told(self, make: Make, drafted: Any, tmp_path: Path) -> None:
        path = make("customers.csv", {"company": COMPANIES})
        path.write_text(path.read_text(encoding="utf-8") + "a,b,c\n", encoding="utf-8")
        found, _ = drafted(path)
        text = as_toml(found, "crm import")
        assert "# 1 rows cannot be read and were passed over." in text
        assert as_json(found)["files"][0]["remarks"] == ["1 rows cannot be read and were passed over."]

    def test_a_folder_without_tables(self, drafted: Any, tmp_path: Path) -> None:
        with pytest.raises(ExchangeError, match="has no tables: no CSV files, no spreadsheets"):
            drafted(tmp_path)

    def test_what_is_not_there(self, drafted: Any, tmp_path: Path) -> None:
        with pytest.raises(ExchangeError, match="There is no file and no folder"):
            drafted(tmp_path / "nowhere")


def test_sheets_of_a_spreadsheet_are_tables(tmp_path: Path, drafted: Any, build: Any) -> None:
    book = openpyxl.Workbook()
    first = book.active
    first.title = "Customers"
    first.append(["Customer No", "Company Name", "Employees"])
    people = book.create_sheet("Contacts")
    people.append(["Contact No", "Contact Name", "Customer No"])
    for number in range(6):
        first.append([f"C{number}", COMPANIES[number], 10 + number])
        people.append([f"K{number}", PEOPLE[number], f"C{number}"])
    book.create_sheet("Remarks")
    path = tmp_path / "export.xlsx"
    book.save(path)
    found, toml = drafted(path)
    assert [(section["record"], section["sheet"]) for section in toml["section"]] == [
        ("account", "Customers"), ("contact", "Contacts"), ("affiliation", "Contacts"),
    ]  # fmt: skip
    assert toml["section"][0]["fields"]["employees"] == "Employees"
    assert as_json(found)["files"][0]["sheet"] == "Customers"
    assert [name for name, _ in found.left_out] == ["export.xlsx: Remarks"]


def test_a_file_that_cannot_be_read_is_an_error_of_its_own(tmp_path: Path, drafted: Any) -> None:
    (tmp_path / "broken.xlsx").write_bytes(b"no archive")
    with pytest.raises(ExchangeError, match="is no spreadsheet"):
        drafted(tmp_path / "broken.xlsx")


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"customer no": [f"C{n}" for n in range(12)], "company": COMPANIES}, "customer no"),
        ({"company": COMPANIES, "手机号": [f"1380013{8000 + n}" for n in range(12)]}, "company"),
        ({"x": ["1"], "company": [*COMPANIES[:6], *COMPANIES[:6]], "city": ["a", "b", "c", "d", "e", "f", "g"]},
         ["company", "city"]),
        ({"{odd} id": [str(n) for n in range(12)], "company": COMPANIES}, "company"),
    ],
)  # fmt: skip
def test_keys(make: Make, drafted: Any, values: dict[str, list[str]], key: Any) -> None:
    section = drafted(make("customers.csv", values))[1]["section"][0]
    wanted = key if isinstance(key, str) else "/".join("{" + each + "}" for each in key)
    assert set(section["key"].split("/")) == set(wanted.split("/"))


def test_rows_that_nothing_tells_apart(make: Make, drafted: Any) -> None:
    section = drafted(make("customers.csv", {"company": COMPANIES[:2], "city": ["a", "b"]}))[1]["section"][0]
    assert section["duplicates"] == "first"


def test_users_get_a_login(make: Make, fields: Any) -> None:
    numbers = [str(n) for n in range(12)]
    names = {"First Name": [f"Ann{n}" for n in range(12)], "Last Name": ["Smith"]}
    mail = {"E-mail": [f"p{n}@example.com" for n in range(12)]}
    by_mail = fields(make("employees.csv", {"id": numbers, **names, **mail}))["user"]
    assert by_mail["login"] == {"column": "E-mail", "transform": [{"name": "part", "separator": "@"}, "lower"]}
    by_name = fields(make("employees.csv", {"id": numbers, **names}))["user"]
    assert by_name["login"] == {"template": "{First Name}.{Last Name}", "transform": "lower"}
    by_key = fields(make("employees.csv", {"staff number": numbers, "employee name": PEOPLE}))["user"]
    assert by_key["login"] == {"template": "{staff number}"}


def test_what_a_custom_field_is_for(make: Make, drafted: Any) -> None:
    given = assemble({**BUILD, "custom_fields": {"account": {"fleet": {"kind": "number", "label": "Vehicles"}}}})
    file = make("customers.csv", {"company": COMPANIES, "Vehicles": ["3", "4"]})
    assert drafted(file, given)[1]["section"][0]["fields"]["fleet"] == "Vehicles"


def test_an_activity_of_a_kind_that_nothing_says_is_a_guess(make: Make, drafted: Any) -> None:
    file = make("x.csv", {"customer id": ["C1", "C2"], "subject": [f"S{n}" for n in range(12)], "result": ["good"],
                          "next step": ["call again"], "due date": ["2024-01-01"]})  # fmt: skip
    found, toml = drafted(file)
    assert toml["section"][0]["fields"]["kind"] == {"value": "task"}
    kind = next(each for each in found.files[0].sections[0].fields if each.name == "kind")
    assert kind.certainty == 0.2
    assert toml["section"][0]["fields"]["account_id"] == {
        "column": "customer id", "lookup": {"record": "account", "missing": "empty"},
    }  # fmt: skip


def test_a_table_of_ways_to_reach_people(make: Make, drafted: Any) -> None:
    file = make("points.csv", {"contact id": [f"K{n}" for n in range(12)], "E-mail": ["a@example.com", ""],
                               "mobile": ["13800138000"]})  # fmt: skip
    mobile, mail = sorted(drafted(file, record="contact_point")[1]["section"], key=lambda section: section["key"])[::-1]
    assert mobile["fields"] == {
        "contact_id": {"column": "contact id", "lookup": {"record": "contact", "missing": "empty"}},
        "kind": {"value": "mobile"}, "value": "mobile",
    }  # fmt: skip
    assert (mail["key"], mail["only_if"]) == ("email {contact id}", {"E-mail": True})


def test_what_only_begins_like_xml_is_a_text(make: Make, drafted: Any) -> None:
    found, _ = drafted(make("customers.csv", {"company": COMPANIES, "survey": ["<a>1</b>"]}))
    assert [each.column for each in found.files[0].unmapped] == ["survey"]
    many = "<s>" + "".join(f"<f{n}>1</f{n}>" for n in range(70)) + "</s>"
    found, _ = drafted(make("customers.csv", {"company": COMPANIES, "survey": [many]}))
    assert [each.column for each in found.files[0].unmapped] == ["survey"]


def test_xml_is_looked_into(make: Make, drafted: Any, tmp_path: Path) -> None:
    path = tmp_path / "stores.csv"
    lines = ["id;store name;survey"]
    lines += [f"{n};Shop {n} Ltd;<s><Employees>{n}</Employees><Colour at='x'>red</Colour></s>" for n in range(9)]
    path.write_text("\n".join(lines), encoding="utf-8")
    found, toml = drafted(path)
    assert toml["section"][0]["fields"]["employees"] == {
        "column": "survey", "transform": {"name": "xml", "path": "Employees"},
    }  # fmt: skip
    assert [each.column for each in found.files[0].unmapped] == ["survey: Colour/@at", "survey: Colour"]


def test_a_draft_is_toml_whatever_columns_are_called(make: Make, drafted: Any, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(b'company,"a ""b"" \\ c\td","new\nline"\n' + b"".join(
        f'"Acme {n} Ltd",x{n},y{n}\n'.encode() for n in range(5)))  # fmt: skip
    found, toml = drafted(path)
    assert toml["section"][0]["fields"] == {"name": "company"}
    assert [each.column for each in found.files[0].unmapped] == ['a "b" \\ c\td', "new\nline"]


def test_a_draft_is_toml_whatever_files_are_called(make: Make, drafted: Any) -> None:
    file = make("customers\nrecord = 1.csv", {"company": COMPANIES})
    assert drafted(file)[1]["section"][0]["file"] == file.name


def test_braces_in_the_name_of_a_file_are_no_column(make: Make, drafted: Any) -> None:
    columns = {"Kind": ["visit", "call"], "Company ID": ["C1", "C2"], "Start": ["2024-01-01"],
               "Visit ID": [f"V{n}" for n in range(12)]}  # fmt: skip
    _, toml = drafted(make("my {visits} 1.csv", columns), record="activity")
    assert toml["section"][0]["fields"]["subject"] == {"template": "my {{visits}} 1 {Visit ID}"}


@pytest.mark.parametrize("header", ["Company}", "{Company}"])
def test_a_column_that_no_key_could_name_is_in_none(make: Make, drafted: Any, header: str) -> None:
    """The companies of people are known by their names, and a template cannot name a column with braces."""
    mails = [f"a{n}@example.com" for n in range(12)]
    file = make("contacts.csv", {"Name": PEOPLE, "Email": mails, header: COMPANIES[:2]})
    found, toml = drafted(file)
    assert [section["record"] for section in toml["section"]] == ["contact", "contact_point"]
    assert [each.column for each in found.files[0].unmapped] == [header]


def test_a_place_in_xml_counts_for_its_own_column_only(make: Make, drafted: Any, tmp_path: Path) -> None:
    path = tmp_path / "stores.csv"
    lines = ["id;store name;survey;other"]
    lines += [f"{n};Shop {n} Ltd;<s><Employees>{n}</Employees></s>;<o><Employees>7</Employees></o>" for n in range(9)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert "other: Employees" in [each.column for each in drafted(path)[0].files[0].unmapped]


def test_a_place_in_xml_is_no_part_of_a_key(make: Make, drafted: Any, tmp_path: Path) -> None:
    """A template names whole cells: companies cannot be known by a name that stands inside of one."""
    path = tmp_path / "contacts.csv"
    lines = ["Name;Email;survey"]
    lines += [f"{name};a{number}@example.com;<s><Company>Acme Ltd</Company><Birthdate>1990-01-0{number % 9 + 1}"
              "</Birthdate></s>" for number, name in enumerate(PEOPLE)]  # fmt: skip
    path.write_text("\n".join(lines), encoding="utf-8")
    _, toml = drafted(path)
    assert [section["record"] for section in toml["section"]] == ["contact", "contact_point"]
    birthday = {"column": "survey", "transform": {"name": "xml", "path": "Birthdate"}}
    assert toml["section"][0]["fields"]["birthday"] == birthday


def test_a_column_with_braces_may_still_be_a_field(make: Make, fields: Any) -> None:
    file = make("customers.csv", {"Company": COMPANIES, "Website {URL}": ["https://example.com"]})
    assert fields(file)["account"]["website"] == "Website {URL}"

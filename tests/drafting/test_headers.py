"""What headers mean: however they are written, in English and Chinese."""

from __future__ import annotations

import pytest

from crm_core.assembly import assemble
from crm_core.exchange.drafting.headers import plain, singular, words
from crm_core.exchange.drafting.targets import Targets

from .conftest import BUILD


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("billingCity", ("billing", "city")),
        ("Billing City *", ("billing", "city")),
        ("BILLING_CITY", ("billing", "city")),
        ("billing-city", ("billing", "city")),
        ("ＢｉｌｌｉｎｇＣｉｔｙ", ("billing", "city")),
        ("VATNumber", ("vat", "number")),
        ("AddressLine2", ("address", "line", "2")),
        ("金额（万元）", ("金额",)),
        ("(none)", ("none",)),
        ("", ()),
    ],
)
def test_words(header: str, expected: tuple[str, ...]) -> None:
    assert words(header) == expected


def test_traditional_and_simplified_are_one() -> None:
    assert plain("統一社會信用代碼") == plain("统一社会信用代码")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("companies", "company"), ("customers", "customer"), ("addresses", "address"), ("boxes", "box"), ("bus", "bus"),
     ("gas", "gas"), ("address", "address"), ("ties", "tie")],
)  # fmt: skip
def test_singular(word: str, expected: str) -> None:
    assert singular(word) == expected


def names(targets: Targets, header: str) -> set[str]:
    return {hit.target.name for hit in targets.named(header)}


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("Company", "account.name"), ("CompanyName", "account.name"), ("companyname", "account.name"),
        ("公司名称", "account.name"), ("客户名称", "account.name"), ("單位名稱", "account.name"),
        ("统一社会信用代码", "account.registration_number"), ("VAT No.", "account.registration_number"),
        ("E-Mail", "account.email"), ("邮箱", "account.email"), ("電話", "account.phone"),
        ("手机", "contact_point.value.mobile"), ("cell phone", "contact_point.value.mobile"),
        ("联系人", "contact.name"), ("contact_name", "contact.name"), ("职务", "affiliation.title"),
        ("地址", "account.address.street"), ("所在城市", "account.address.city"),
        ("ZIP", "account.address.postal_code"),
        ("年营业额", "account.revenue.amount"), ("业务员", "ownership.user_id"), ("Industry", "account.industry"),
        ("行业", "account.industry"), ("Yearly revenue", "account.revenue.amount"),
    ],
)  # fmt: skip
def test_names_and_labels(targets: Targets, header: str, target: str) -> None:
    assert target in names(targets, header)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("customer_city", "account.address.city"), ("客户电话", "account.phone"),
        ("联系人手机", "contact_point.value.mobile"),
        ("联系人邮箱", "contact_point.value.email"), ("Billing Street", "account.address.street"),
        ("shipping_city", "account_address.address.city"), ("收货地址", "account_address.address.street"),
        ("主要电话", "account.phone"), ("unitName", "unit.name"),
    ],
)  # fmt: skip
def test_words_in_front_say_whose_it_is(targets: Targets, header: str, target: str) -> None:
    assert target in names(targets, header)


def test_what_is_said_of_something_else_is_no_name_of_ours(targets: Targets) -> None:
    assert names(targets, "productName") == set()
    assert names(targets, "billingPhone") == set()


def test_a_number_may_be_called_otherwise() -> None:
    given = {**BUILD, "custom_fields": {"account": {"contract_number": {"kind": "text"}}}}
    targets = Targets(assemble(given))
    assert names(targets, "contractID") == {"account.contract_number"}
    assert names(targets, "contract no") == {"account.contract_number"}


def test_a_label_in_another_language_counts_only_where_it_is_given(build) -> None:
    header = "登记国家"
    assert names(Targets(build), header) == set()
    there = Targets(build, [lambda label, plugin: header if label == "Registration country" else label])
    assert names(there, header) == {"account.registration_country"}


def test_what_many_records_have_says_little(targets: Targets) -> None:
    (company,) = targets.named("company name")
    assert company.evidence == 1
    assert all(hit.evidence < 0.6 for hit in targets.named("name"))


@pytest.mark.parametrize(
    ("name", "record", "weight"),
    [
        ("customers", "account", 1), ("客户资料表", "account", 1), ("Sales.vStoreWithContacts", "contact", 1),
        ("Sales.vStoreWithContacts", "account", 0.5), ("Sales.vSalesPerson", "user", 1),
        ("Sales.vSalesPerson", "contact", 0.5), ("visits 2024", "activity", 1), ("拜访记录", "activity", 1),
    ],
)  # fmt: skip
def test_names_of_files(targets: Targets, name: str, record: str, weight: float) -> None:
    assert targets.of_file(name).get(record) == weight


def test_words_of_vocabularies_and_choices(targets: Targets) -> None:
    assert targets.words_in("account", "kind", "suppliers") == "partner"
    assert targets.words_in("account", "kind", "门店清单") == "outlet"
    assert targets.words_in("activity", "kind", "products") is None
    assert targets.word_of("activity", "kind", "拜访") == "visit"
    assert targets.word_of("activity", "status", "Done") == "held"
    assert targets.word_of("activity", "status", "planned") == "planned"
    assert targets.word_of("activity", "status", "whatever") is None

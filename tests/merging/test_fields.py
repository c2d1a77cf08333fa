"""Which of two values survives."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from crm_core import Account, Address, BuildError, Crm, MergeReport, Money, PermissionDenied, ValidationError, merging
from crm_core.domain.quality import Steward
from crm_core.fields.field import Field
from crm_core.fields.kinds import NumberKind, TextKind

from .conftest import Company
from .records import POLICY, Machine, Rating

CUSTOM = {
    "account": {
        "vehicles": Field(NumberKind(0), name="vehicles", optional=True, default=None),
        "colour": Field(TextKind(80), name="colour", optional=True, default=None),
    }
}


def merged(company: Company, one: int, other: int, login: str | None = None, **options: Any) -> MergeReport:
    with company.session(login) as session:
        return merging.merge(session, session.require(Account, one), session.require(Account, other), **options)


def test_by_default_the_target_counts_where_it_says_something(company: Company) -> None:
    one = company.account("li", name="Acme", tags=frozenset({"a"}), revenue=Money("5", "CNY"))
    other = company.account(
        "li", name="Acme Bearings", tags=frozenset({"b"}), website="https://acme.example", revenue=Money("9", "EUR"),
        address=Address(city="Berlin"), note="",
    )  # fmt: skip
    report = merged(company, one, other, "li")
    with company.session("li") as session:
        account = session.require(Account, one)
        assert (account.name, account.website, account.revenue) == ("Acme", "https://acme.example", Money("5", "CNY"))
        assert (account.tags, account.address) == (frozenset({"a", "b"}), Address(city="Berlin"))
        assert [found.id for found in session.list(Account, 'icontains(name, "acme")')] == [one]
    choices = {choice.field: (choice.rule, choice.chosen) for choice in report.fields}
    assert choices == {
        "name": ("filled", "target"), "revenue": ("filled", "target"), "website": ("filled", "source"),
        "address": ("filled", "source"), "tags": ("union", "both"), "note": ("filled", "source"),
    }  # fmt: skip


def test_rules_of_the_build_and_choices(company: Company) -> None:
    rules = {"account": {"name": "longest", "industry": "source", "grade": "newest", "website": "source"}}
    company = company.with_policy(attrs.evolve(POLICY, merge=rules))
    one = company.account(
        "li", name="Acme", industry="steel", grade="A", website="https://a.example", phone="+86105555"
    )
    other = company.account("li", name="Acme Bearings", industry="ships", grade="B", phone="+86105556")
    with company.session() as session:
        session.require(Account, one).grade = "C"
    planned = merged(company, one, other, dry_run=True, choose={"phone": "source", "grade": "target"})
    assert {choice.field: choice.value for choice in planned.fields} == {
        "name": "Acme Bearings", "industry": "ships", "grade": "C", "website": "https://a.example",
        "phone": "+86105556",
    }  # fmt: skip
    report = merged(company, one, other)
    assert {choice.field: choice.value for choice in report.fields}["grade"] == "C"  # written last
    with company.session() as session:
        assert session.require(Account, one).industry == "ships"
    company.store.close()


def test_newest_is_whoever_was_written_last(company: Company) -> None:
    one, other = company.account("li", grade="A"), company.account("li", grade="B")
    report = merged(company, one, other, choose={"grade": "newest"}, dry_run=True)
    assert report.fields[-1].value == "B"
    with company.session() as session:
        session.require(Account, one).grade = "C"
    report = merged(company, one, other, choose={"grade": "newest"}, dry_run=True)
    assert report.fields[-1].value == "C"


def test_a_choice_counts_even_where_it_is_empty(company: Company) -> None:
    one, other = company.account("li", grade="A"), company.account("li")
    merged(company, one, other, choose={"grade": "source"})
    with company.session() as session:
        assert session.require(Account, one).grade is None


def test_a_registration_number_keeps_its_country(company: Company) -> None:
    number = "91110000600037341L"
    one = company.account("li", registration_country="DE")
    other = company.account("li", registration_country="CN", registration_number=number)
    third = company.account("li", registration_number=number)
    merged(company, one, other)
    with company.session() as session:
        account = session.require(Account, one)
        assert (account.registration_country, account.registration_number) == ("CN", number)
    merged(company, third, one)
    with company.session() as session:
        assert session.require(Account, third).registration_country == "CN"


def test_custom_fields_each_by_itself(company: Company) -> None:
    company = company.with_policy(attrs.evolve(POLICY, custom=CUSTOM))
    one, other = company.account("li"), company.account("li")
    with company.session() as session:
        session.require(Account, one).custom = {"colour": "red"}
        session.require(Account, other).custom = {"colour": "blue", "vehicles": 3}
    report = merged(company, one, other, choose={"custom.colour": "source"})
    assert [choice.field for choice in report.fields] == ["custom.colour", "custom.vehicles"]
    with company.session() as session:
        assert session.require(Account, one).custom == {"colour": "blue", "vehicles": 3}
        merging.split(session, other)
    with company.session() as session:
        assert session.require(Account, one).custom == {"colour": "red"}
    company.store.close()


def test_extensions_are_merged_by_the_same_rules(company: Company) -> None:
    one, other = company.account("li"), company.account("li")
    with company.session() as session:
        for id_, stars, remark in ((one, 2, "short"), (other, 5, "much longer")):
            rating = Rating(stars=stars, remark=remark, labels=frozenset({remark}))
            rating.id = id_
            session.add(rating)
    choose = {"merge_probe.rating.stars": "source", "merge_probe.rating.remark": "longest"}
    report = merged(company, one, other, "li", choose=choose)
    assert [choice.field for choice in report.fields] == [
        f"merge_probe.rating.{name}" for name in ("stars", "remark", "labels")
    ]
    with company.session() as session:
        (rating,) = session.list(Rating)
        assert (rating.id, rating.stars, rating.remark, len(rating.labels)) == (one, 5, "much longer", 2)


def test_closed_fields_pass_by_unseen(company: Company) -> None:
    limited = {**POLICY.roles, "sales": attrs.evolve(POLICY.roles["reader"], name="sales", grants=tuple(
        (pattern, scope) for scope in (POLICY.roles["sales"].grants[0][1],)
        for pattern in ("*.read", "*.update", "*.create", "account.merge")
    ))}  # fmt: skip
    company = company.with_policy(attrs.evolve(POLICY, roles=limited))
    one, other = company.account("li"), company.account("li")
    with company.session() as session:
        for id_, secret in ((one, None), (other, "hidden")):
            rating = Rating(secret=secret)
            rating.id = id_
            session.add(rating)
    report = merged(company, one, other, "li", dry_run=True)
    assert report.fields == []
    with pytest.raises(PermissionDenied, match="may not read secret"):
        merged(company, one, other, "li", choose={"merge_probe.rating.secret": "source"})
    merged(company, one, other, "li")
    with company.session() as session:
        assert session.require(Rating, one).secret == "hidden"
    company.store.close()


def test_key_fields_are_a_stewards(company: Company) -> None:
    roles = {**POLICY.roles, "sales": attrs.evolve(POLICY.roles["sales"], grants=tuple(
        (name, POLICY.roles["sales"].grants[0][1]) for name in ("*.read", "*.update", "account.merge")
    ))}  # fmt: skip
    guarded = attrs.evolve(POLICY, roles=roles, steward=Steward(key_fields={"account": ("name",)}))
    company = company.with_policy(guarded)
    one, other = company.account("li", name="Acme"), company.account("li", name="Acme Bearings")
    with pytest.raises(PermissionDenied, match="key field"):
        merged(company, one, other, "li", choose={"name": "source"})
    with pytest.raises(PermissionDenied, match="key field"):
        merged(company, one, other, "li")  # the source would lose its name to one that anybody may have written
    same = company.account("li", name="Acme")
    assert merged(company, one, same, "li").conflicts == []
    company.store.close()


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        ({"nam": "source"}, "Did you mean name"),
        ({"name": "sauce"}, "'sauce' is no rule"),
        ({"name": "union"}, "Only tags"),
        ({"employees": "longest"}, "Only texts"),
        ({"merge_probe.rating.star": "source"}, "Did you mean stars"),
    ],
)
def test_choices_that_cannot_be(company: Company, choose: dict[str, str], message: str) -> None:
    one, other = company.account("li"), company.account("li")
    with company.session() as session:
        for id_ in (one, other):
            rating = Rating()
            rating.id = id_
            session.add(rating)
    with pytest.raises(ValidationError, match=message):
        merged(company, one, other, choose=choose)


def test_what_would_refer_to_itself_refers_to_nothing(company: Company) -> None:
    acme = company.account("li")
    with company.session() as session:
        whole = session.add_one(Machine(account_id=acme, name="M"))
        part = session.add_one(Machine(account_id=acme, name="M", part_of_id=whole.id))
        screw = session.add_one(Machine(account_id=acme, name="S", part_of_id=part.id))
    with company.session() as session:
        merging.merge(session, session.require(Machine, part.id), session.require(Machine, whole.id))
    with company.session() as session:
        assert session.require(Machine, part.id).part_of_id is None
        assert session.require(Machine, screw.id).part_of_id == part.id
        merging.split(session, whole.id)
    with company.session() as session:
        assert session.require(Machine, part.id).part_of_id == whole.id


# -- the build file --------------------------------------------------------------------------------------------


def opened(url: str, **merge: Any) -> Crm:
    build = {
        "crm": {"database": url},
        "custom_fields": {"account": {"colour": {"kind": "text"}, "marks": {"kind": "tags"}}},
        "merge": merge,
    }
    return Crm.open(build, check=False)


def test_rules_are_read_from_the_build_file(database_url: str) -> None:
    rules = {"name": "longest", "custom.colour": "newest", "custom.marks": "union", "tags": "target"}
    with opened(database_url, account=rules) as crm:
        assert crm.build.policy.merge == {"account": rules}
        crm.migrate()
        with crm.system_session("init") as session:
            pair = [session.add_one(Account(name=name)) for name in ("Acme", "Acme Bearings")]
            pair[0].custom, pair[1].custom = {"marks": ["a"], "colour": "red"}, {"marks": ["b"], "colour": "blue"}
        with crm.system_session("merge") as session:
            merging.merge(session, *(session.require(Account, each.id) for each in pair))
        with crm.system_session("look") as session:
            account = session.require(Account, pair[0].id)
            assert account.name == "Acme Bearings"
            assert account.custom == {"marks": ["a", "b"], "colour": "blue"}


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        ({"acount": {"name": "longest"}}, r"merge\.acount: There is no record 'acount'. Did you mean account"),
        ({"account": {"nam": "longest"}}, r"merge\.account\.nam: There is no field 'nam'. Did you mean name"),
        ({"account": {"custom.color": "longest"}}, r'merge\.account\."custom\.color": .* Did you mean custom.colour'),
        ({"account": {"name": "best"}}, r"merge\.account\.name: 'best' is no rule"),
        ({"account": {"name": "union"}}, r"Only tags can be united"),
        ({"account": {"employees": "longest"}}, r"Only texts are longer"),
        ({"account": {"name": 1}}, r"merge\.account\.name: Expected a text"),
    ],
)
def test_mistakes_in_the_rules(database_url: str, merge: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        opened(database_url, **merge)

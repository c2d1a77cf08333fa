"""Fields that people must fill: who demands them of whom, who uses them, and how to be rid of the rest."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import event

from crm_core import Account, Contact, Crm, Money, Unit, User, organisation, ownership
from crm_core.assembly import Manifest, assemble
from crm_core.assembly import given as plugins
from crm_core.inspection import FieldReport, FieldUse, field_report
from crm_core.inspection.uses import uses

BUILD: dict[str, Any] = {
    "custom_fields": {
        "account": {
            "colour": {"kind": "text", "required": True, "label": "Colour"},
            "fleet": {"kind": "number", "scale": 0, "required": True},
            "region": {"kind": "text", "required": True},
            "spare": {"kind": "text"},
        },
        "contact": {"shirt": {"kind": "text", "required": True}},
    },
    "duties": {
        "sizes": {"record": "account", "fields": ["employees", "fleet"], "where": 'region == "east" and owner.active'},
    },
    "views": {"weights": {"people": 1, "website": 1}},
    "pools": {"open": {"where": "fleet > 3"}},
}  # fmt: skip


def report(config: dict[str, Any] | None = None, **options: Any) -> FieldReport:
    return field_report(assemble(BUILD if config is None else config), **options)


def field(found: FieldReport, name: str) -> FieldUse:
    (each,) = [each for each in found.fields if f"{each.record}.{each.field}" == name]
    return each


def test_nobody_uses_a_field_that_only_people_fill() -> None:
    found = report()
    colour = field(found, "account.colour")
    assert (colour.verdict, colour.uses, colour.custom, colour.label) == ("unused", (), True, "Colour")
    assert [(each.kind, each.where) for each in colour.demands] == [("custom", "custom_fields.account.colour.required")]
    assert {"sales", "manager", "editor", "steward"} == set(colour.roles)
    assert str(colour.proposal).startswith("Nothing is known to use account.colour. Retire it")
    assert colour in found.useless and field(found, "contact.shirt") in found.useless


@pytest.mark.parametrize("name", ["fax", "mobile", "visit", "owner_name", "other"])
def test_a_common_word_in_the_kernel_is_no_use_of_a_field_of_the_build(name: str) -> None:
    custom = {"account": {name: {"kind": "text", "required": True}}}
    each = field(report({"custom_fields": custom}), f"account.{name}")
    assert (each.verdict, each.uses) == ("unused", ())


def test_the_lines_of_the_proposal_can_be_written_into_the_file() -> None:
    lines = field(report(), "account.colour").lines
    assert tomllib.loads("\n".join(lines)) == {"retired_fields": {"account": {"colour": "text"}}}
    changed = {**BUILD, **tomllib.loads("\n".join(lines))}
    changed["custom_fields"] = {
        "account": {k: v for k, v in BUILD["custom_fields"]["account"].items() if k != "colour"}
    }
    assert not [each for each in report(changed).fields if each.field == "colour"]


def test_rules_are_uses() -> None:
    found = report()
    region = field(found, "account.region")
    assert [(each.kind, each.by, each.where) for each in region.uses if each.certain] == [
        ("rule", "duties.sizes.where", 'region == "east" and owner.active')
    ]
    assert [each.by for each in field(found, "account.fleet").uses] == ["pools.open.where"]


@pytest.mark.parametrize(
    ("expression", "used"),
    [
        ("owner.active", {"ownership.account_id", "ownership.user_id", "user.active"}),
        ('any(contacts, role == "x" and contact.language == "zh")',
         {"affiliation.account_id", "affiliation.role", "affiliation.contact_id", "contact.language"}),
        ('address.city == "x" and revenue.amount > 1', {"account.address", "account.revenue"}),
        ('owner.unit.name == "E"',
         {"ownership.account_id", "ownership.user_id", "membership.user_id", "membership.unit_id", "unit.name"}),
        ('key_accounts.tier == "key"', {"key_accounts.tier.tier"}),
        ("region != None", {"account.region"}),
    ],
)  # fmt: skip
def test_the_fields_on_the_way_are_used_too(expression: str, used: set[str]) -> None:
    config = {
        **BUILD,
        "crm": {"plugins": ["key_accounts"]},
        "duties": {"x": {"record": "account", "where": expression}},
    }
    build = assemble(config)
    found = {f"{record}.{name}" for (record, name), by in uses(build).items()
             if any(use.by == "duties.x.where" for use in by)}  # fmt: skip
    (tier,) = (each.name for each in build.types.extensions("account"))
    assert found == {each.replace("key_accounts.tier.tier", f"{tier}.tier") for each in used}


def test_settings_of_plugins_are_compared_by_name_alone() -> None:
    mentioned = {"crm": {"plugins": ["consumer_goods"]}}
    build = assemble(mentioned)
    build = attrs.evolve(build, file=attrs.evolve(build.file, plugins={"consumer_goods": {"order": "employees desc"}}))
    (use,) = [use for use in uses(build)["account", "employees"] if use.kind == "rule"]
    assert (use.by, use.certain) == ("plugins.consumer_goods.order", False)
    employees = field(field_report(build), "account.employees")
    assert employees.verdict == "perhaps"


def test_a_duty_demands_and_does_not_use() -> None:
    employees = field(report(), "account.employees")
    assert employees.verdict == "unused" and [each.kind for each in employees.demands] == ["duty"]
    assert employees.lines == ('# duties.sizes.fields: remove "employees"',)
    assert "a duty asks for it" in str(employees.proposal)


def test_completeness_demands_what_it_weighs() -> None:
    website = field(report(), "account.website")
    assert [each.kind for each in website.demands] == ["completeness"]
    assert website.verdict == "used"  # the domain finds duplicates
    usual = field(report({}), "account.employees")
    assert usual.verdict == "unused" and "part of completeness" in str(usual.proposal)


def test_required_fields_of_the_kernel_are_used() -> None:
    found = report({})
    required = [each for each in found.fields if any(demand.kind == "required" for demand in each.demands)]
    assert {f"{each.record}.{each.field}" for each in required} >= {"account.name", "activity.kind", "activity.subject"}
    assert [f"{each.record}.{each.field}" for each in required if each.verdict == "unused"] == []


def test_records_that_no_role_writes_are_left_out() -> None:
    assert not [each for each in report({}, everything=True).fields if each.record in ("external_ref", "quality_issue")]


def test_a_mapping_uses_what_it_looks_up_and_fills_the_rest() -> None:
    mapping = {
        "source": {"system": "old"},
        "section": [{
            "record": "account", "file": "a.csv", "key": "no", "match": "colour_code",
            "fields": {"colour": "colour", "name": {"lookup": {"record": "contact", "by": "shirt", "key": "x"}}},
        }],
    }  # fmt: skip
    from crm_core.exchange import read_mapping

    found = report(mappings=[read_mapping(mapping)])
    assert field(found, "account.colour").imported == ("the mapping",)
    assert [(each.kind, each.where) for each in field(found, "contact.shirt").uses] == [("mapping", "lookup by")]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manifest]:
    """A plugin that reads one custom field of accounts, and a name that may be anybody's."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    source = (
        "from crm_core import Account, hookimpl\n\n\n"
        "def coloured(session):\n    return session.list(Account, 'colour == \"red\"')\n"
    )
    (folder / "fake_inspected.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    yield Manifest(name="inspected", module="fake_inspected", version="1.0", crm_core=">=0.1,<1")
    sys.modules.pop("fake_inspected", None)


def test_plugins_use_what_their_source_reads(plugin: Manifest) -> None:
    config = {**BUILD, "crm": {"plugins": ["inspected"]}}
    found = field_report(assemble(config, discovery=plugins(plugin)))
    colour = field(found, "account.colour")
    assert [(each.by, each.where, each.certain) for each in colour.uses] == [("inspected", "fake_inspected:5", True)]
    assert (colour.verdict, colour.proposal, colour.lines) == ("used", None, ())


def test_a_name_alone_is_perhaps_a_use(plugin: Manifest, tmp_path: Path) -> None:
    (tmp_path / "plugins" / "fake_inspected.py").write_text(
        "def f(x):\n    return x.custom['colour'], x.fleet\n", encoding="utf-8"
    )
    config = {**BUILD, "crm": {"plugins": ["inspected"]}}
    found = field_report(assemble(config, discovery=plugins(plugin)))
    colour = field(found, "account.colour")
    assert (colour.verdict, [each.certain for each in colour.uses]) == ("perhaps", [False])
    assert colour in found.useless and colour.proposal is not None


def test_by_role() -> None:
    config = {**BUILD, "roles": {"desk": {"permissions": {"contact.update": "own", "contact.read": "own"}}}}
    found = report(config)
    assert [f"{each.record}.{each.field}" for each in found.by_role["desk"]] == ["contact.shirt"]
    assert "administrator" not in found.by_role and "reader" not in found.by_role


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    free = {record: {name: {**each, "required": False} for name, each in fields.items()}
            for record, fields in BUILD["custom_fields"].items()}  # fmt: skip
    with closing(Crm.open({**BUILD, "custom_fields": free}, database=database_url, check=False)) as before:
        before.migrate()
        _fill(before)  # when nothing was required yet
    with closing(Crm.open(BUILD, database=database_url, check=False)) as crm:
        yield crm


def _fill(crm: Crm) -> None:
    with crm.system_session("init") as session:
        session.add_one(Unit(name="East"))
        session.add_one(User(login="li", name="Li"))
        session.flush()
        organisation.join(session, "li", "East", role="sales")
        for number, colour in enumerate(("red", "red", "blue", None)):
            account = session.add_one(Account(name=f"A{number}", employees=number or None, revenue=Money("1", "CNY")))
            account.custom = {"colour": colour, "fleet": number} if colour else {}
            session.flush()
            if number < 2:
                ownership.assign(session, account, to="li", since_always=True)
        session.add_one(Contact(name="Ann"))


def test_how_often_they_are_filled(crm: Crm) -> None:
    statements: list[str] = []

    def note(*args: object) -> None:
        statements.append(str(args[2]))

    with crm.system_session("look", read_only=True) as session:
        session.get(Account, 1)
        event.listen(crm.store.engine, "before_cursor_execute", note)
        try:
            found = field_report(crm.build, session, everything=True)
        finally:
            event.remove(crm.store.engine, "before_cursor_execute", note)
    assert len(statements) == len({each.record for each in found.fields})
    colour, revenue = field(found, "account.colour").filling, field(found, "account.revenue").filling
    assert colour is not None and (colour.records, colour.filled, colour.distinct, colour.share) == (4, 3, 2, 0.75)
    assert revenue is not None and (revenue.filled, revenue.distinct) == (4, 1)
    assert field(found, "contact.note").filling is not None


def test_one_counts_what_one_sees(crm: Crm) -> None:
    with crm.session("li", read_only=True) as session:
        filling = field(field_report(crm.build, session), "account.colour").filling
    assert filling is not None and (filling.records, filling.distinct) == (2, 1)
    crm.build.policy.roles["sales"] = type(crm.build.policy.roles["sales"])("sales", ())  # type: ignore[index]
    with crm.session("li", read_only=True) as session:
        filling = field(field_report(crm.build, session), "account.colour").filling
    assert filling is not None and filling.records == 0 and filling.share is None

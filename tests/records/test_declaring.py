"""Each mistake in a declaration, and that a mistake leaves nothing behind."""

from __future__ import annotations

import itertools
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.domain import accounts, organisation, ownership  # noqa: F401
from crm_core.domain.accounts import Account
from crm_core.errors import CrmError, DeclarationError, NotFound, ValidationError
from crm_core.records import Dated, Record, Types, declared, extends, one_at_a_time, parent, public, record, type_of
from crm_core.records.types import link, mapper_registry

NUMBERS = itertools.count(1)


def fresh() -> str:
    """A name that no other test uses, because declarations are process-wide."""
    return f"decl_test.thing{next(NUMBERS)}"


class Colour(Enum):
    RED = "red"


def declare(annotations: dict[str, Any], name: str | None = None, base: type = Record, how=None, **options: Any):
    """A record class made of ``{field: (annotation, declaration)}``."""
    body = {field: value for field, (_, value) in annotations.items() if value is not ...}
    body["__annotations__"] = {field: annotation for field, (annotation, _) in annotations.items()}
    cls = type(f"Thing{next(NUMBERS)}", (base,), {**body, "__module__": __name__})
    if how is None:
        how = record(name or fresh(), access=public(), **options)
    return how(cls)


def with_name(**more):
    return {"name": ("Mapped[str]", f.text(20)), **more}


@pytest.mark.parametrize(
    "name",
    ["Account", "a.B", "a..b", "a__b.c", "1a.b", "a.b.c", "", "a-b.c", "ünit.x", "a_.b", "a.b_"],
)
def test_names_are_plugin_and_noun(name):
    with pytest.raises(DeclarationError, match="no record name"):
        record(name, access=public())(type("Thing", (Record,), {"__module__": __name__}))


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"name": ("str", f.text(20))}, r"name is annotated str\. Write Mapped"),
        ({"name": ("Mapped[int]", f.text(20))}, "annotated int but holds str"),
        ({"name": ("Mapped[str | None]", f.text(20))}, "disagree about None"),
        ({"name": ("Mapped[str]", f.text(20, default=None))}, "disagree about None"),
        ({"size": ("Mapped[Decimal]", f.number(0))}, "annotated Decimal but holds int"),
        ({"size": ("Mapped[int]", f.number(2))}, "annotated int but holds Decimal"),
        ({"size": ("Mapped[float]", f.number(2))}, "annotated float but holds Decimal"),
        ({"when": ("Mapped[dt.date]", f.moment())}, "annotated date but holds datetime"),
        ({"kind": ("Mapped[Other]", f.choice(Colour))}, "annotated Other but holds Colour"),
        ({"version": ("Mapped[str]", f.text(20))}, "'version' is the store's own"),
        ({"id": ("Mapped[int]", f.number(0))}, "'id' is the store's own"),
        ({"custom": ("Mapped[Any]", f.json())}, "'custom' is the store's own"),
        ({"_x": ("Mapped[str]", f.text(20))}, "'_x' is the store's own"),
        ({"crm_type": ("Mapped[str]", f.text(20))}, "'crm_type' is the store's own"),
        ({"name": ("Mapped[str]", ...)}, "not declared by a field function"),
        ({"name": ("Mapped[str]", "a default")}, "not declared by a field function"),
        ({"name": ("Mapped[str]", f.text(9, folded=True)), "name_key": ("Mapped[str]", f.text(9))}, "column name_key"),
        ({"a": ("Mapped[Money]", f.money()), "a_amount": ("Mapped[int]", f.number(0))}, "column a_amount"),
        (with_name(account=("Mapped[Account]", parent("account_id"))), "no reference 'account_id' to navigate along"),
        (with_name(account=("Mapped[Account]", parent("name"))), "no reference 'name' to navigate along"),
        ({"born": ("Mapped[dt.date]", f.day(personal=True))}, "personal"),
        ({"name": ("Mapped[str]", f.text(5, default="too long"))}, "default"),
        ({"size": ("Mapped[Decimal]", f.number(2, default=1.5))}, "default"),
    ],
)  # fmt: skip
def test_mistakes_in_fields(annotations, message):
    with pytest.raises(DeclarationError, match=message):
        declare(annotations)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"title": "nam"}, "title.*'nam'"),
        ({"indexes": [("name", "nothing")]}, "index.*'nothing'"),
        ({"technical_key": ("nothing",)}, "technical_key.*'nothing'"),
        ({"exclusive": [one_at_a_time("nothing")]}, "exclusive.*'nothing'"),
        ({"exclusive": [one_at_a_time("name", nothing=1)]}, "exclusive.*'nothing'"),
        ({"exclusive": [one_at_a_time("name")]}, "not Dated"),
    ],
)
def test_mistakes_in_options(options, message):
    with pytest.raises(DeclarationError, match=message):
        declare(with_name(), **options)


def test_a_record_is_a_record():
    with pytest.raises(DeclarationError, match="is no Record"):
        record(fresh(), access=public())(type("Thing", (), {}))


def test_table_names_fit_postgresql():
    plugin = "p" * 30
    cls = declare(with_name(), f"{plugin}.{'n' * 31}")
    assert cls.crm_type.table.name == f"{plugin}__{'n' * 31}"
    assert len(cls.crm_type.table.name) == 63
    with pytest.raises(DeclarationError, match="longer than 63 bytes"):
        declare(with_name(), f"{plugin}.{'n' * 32}")


def test_long_names_of_indexes_do_not_collide():
    long = "x" * 30
    cls = declare(
        {f"{long}_{number}": ("Mapped[str]", f.text(20, index=True)) for number in range(3)},
        f"{'p' * 25}.{'i' * 30}",
    )
    names = [index.name for index in cls.crm_type.table.indexes]
    assert len(names) == len(set(names)) == 3
    assert all(len(name) <= 63 for name in names)


def test_two_classes_cannot_be_one_record():
    name = fresh()
    first = declare(with_name(), name)
    with pytest.raises(DeclarationError, match=f"Two classes declare the record '{name}'"):
        declare(with_name(), name)
    assert declared[name].cls is first


@pytest.mark.parametrize("name", ["crm.account", "crm.anything"])
def test_the_kernels_own_name_is_taken(name):
    with pytest.raises(DeclarationError, match="record of the kernel"):
        declare(with_name(), name)


def test_technical_tables_are_taken():
    import crm_core.store.tables  # noqa: F401

    with pytest.raises(DeclarationError, match="crm_change"):
        declare(with_name(), "change")


def test_a_mistake_leaves_nothing_behind():
    name = fresh()
    for wrong in ({"technical_key": ("nothing",)}, {"indexes": [("nothing",)]}):
        with pytest.raises(DeclarationError):
            declare(with_name(), name, **wrong)
    assert name not in declared
    assert declare(with_name(), name).crm_type.name == name


def test_a_reference_to_nothing_is_found_when_the_build_is_assembled():
    cls = declare({"thing_id": ("Mapped[int]", f.ref("nowhere.nothing"))})
    with pytest.raises(DeclarationError, match=r"thing_id refers to 'nowhere.nothing', which no plugin"):
        link(Types([cls.crm_type]))


def test_restrict_stays_within_a_plugin():
    cls = declare({"account_id": ("Mapped[int]", f.ref("account", on_delete="restrict"))})
    with pytest.raises(DeclarationError, match="would block deletes of another plugin's account"):
        link(Types([Account.crm_type, cls.crm_type]))


def test_an_extension_of_nothing():
    cls = declare(with_name(), how=extends("nowhere.nothing", fresh()))
    with pytest.raises(DeclarationError, match=r"id refers to 'nowhere.nothing'"):
        link(Types([cls.crm_type]))


def test_what_a_declaration_says():
    @record(fresh(), access=public(), label="Ding", technical_key=("code",), indexes=[("code", "name")])
    class Described(Dated):
        """Something."""

        code: Mapped[str] = f.text(20)
        name: Mapped[str] = f.text(20, folded=True)
        account_id: Mapped[int | None] = f.ref("account", default=None)
        price: Mapped[f.Money | None] = f.money(default=None)
        share: Mapped[Decimal | None] = f.number(2, default=None)

        account: Mapped[Account | None] = parent("account_id")

    found = type_of(Described)
    assert (found.label, found.title, found.dated, found.doc) == ("Ding", "name", True, "Something.")
    assert found.plugin == "decl_test"
    assert [field.name for field in found.fields] == [
        "valid_from", "valid_to", "code", "name", "account_id", "price", "share",
    ]  # fmt: skip
    assert found.by_name["account_id"].label == "Account"
    assert found.field_of_column["price_currency"] is found.by_name["price"]
    assert found.field_of_column["name_key"] is found.by_name["name"]
    assert [field.name for field in found.refs] == ["account_id"]
    assert found.permission("update") == f"{found.name}.update"
    assert "account" not in Described.__annotations__
    with pytest.raises(NotFound, match=r"no field 'nam'. Did you mean name"):
        found.field("nam")
    with pytest.raises(NotFound, match=r"no record type 'acount' in this build. Did you mean account"):
        declared.find("acount")
    assert found in [type_ for type_, _ in declared.referring("account")]


def test_construction_and_assignment_are_checked():
    cls = declare({"name": ("Mapped[str]", f.text(3)), "size": ("Mapped[int]", f.number(0, default=1))}, base=Dated)
    for wrong in ({}, {"name": "abc", "colour": "red"}):
        with pytest.raises(ValidationError, match="cannot be written"):
            cls(**wrong)
    for wrong in ({"name": "abcd"}, {"name": None}, {"name": "x", "size": "1"}, {"name": "x", "valid_from": "now"}):
        with pytest.raises(ValidationError, match="cannot be written"):
            cls(**wrong)
    thing = cls(name="abc")
    assert (thing.size, thing.valid_from) == (1, None)
    for field, value in (("name", "abcd"), ("name", None), ("size", 1.5), ("valid_from", "now"), ("valid_to", 5)):
        with pytest.raises(ValidationError):
            setattr(thing, field, value)
    assert (thing.name, thing.size, thing.valid_from) == ("abc", 1, None)
    with pytest.raises(TypeError):
        cls("abc")


def test_a_navigation_is_no_argument_and_not_written():
    @record(fresh(), access=public())
    class Thing(Record):
        account_id: Mapped[int] = f.ref("account")
        account: Mapped[Account] = parent("account_id")

    with pytest.raises(ValidationError, match="account: There is no such field"):
        Thing(account_id=1, account=Account(name="x"))


def test_registries_are_one_for_each_plugin():
    one, other = declare(with_name(), "decl_one.thing"), declare(with_name(), "decl_two.thing")
    assert one.crm_type.table.metadata is not other.crm_type.table.metadata
    assert mapper_registry("decl_one") is mapper_registry("decl_one")
    assert repr(one(name="x")) == "<decl_one.thing new>"


def test_errors_are_of_one_family():
    assert issubclass(DeclarationError, CrmError)
    assert DeclarationError.exit_code == 3

"""Custom fields have their values in their JSON form; another is refused with the one that would do."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from crm_core import Account, Crm, ValidationError
from crm_core.fields import Money


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("tags", {"b", "a"}, ["a", "b"]),
        ("tags", frozenset({"a"}), ["a"]),
        ("number", Decimal("1.50"), "1.50"),
        ("money", Money(3, "CNY"), {"amount": "3", "currency": "CNY"}),
        ("day", dt.date(2026, 1, 2), "2026-01-02"),
        ("moment", dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00.000000+00:00"),
    ],
)
def test_a_value_that_is_no_json_is_refused_with_its_form(database_url: str, kind: str, value: Any, form: Any) -> None:
    build = {"crm": {"database": database_url}, "custom_fields": {"account": {"extra": {"kind": kind}}}}
    with Crm.open(build, check=False) as crm:
        crm.migrate()
        account = Account(name="Acme")
        account.custom = {"extra": value}
        with pytest.raises(ValidationError) as caught, crm.system_session("test") as session:
            session.add(account)
            session.flush()
        (problem,) = caught.value.problems
        assert problem.path == "custom.extra" and problem.values["form"] == form
        assert f"Write {form!r}." in str(caught.value)
        with crm.system_session("test") as session:
            id_ = session.add_many(Account, [{"name": "Acme", "custom": {"extra": form}}])[0]
        with crm.system_session("test", read_only=True) as session:
            assert session.require(Account, id_).custom == {"extra": form}

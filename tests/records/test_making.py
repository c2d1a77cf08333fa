"""A record says what it lacks and what it does not know, in the words of every other refusal."""

import pytest

from crm_core import Account, Activity, CrmError, Money, ValidationError
from crm_core.records import type_of


def said(error: pytest.ExceptionInfo[ValidationError]) -> list[str]:
    return [str(each) for each in error.value.problems]


def test_a_misspelt_field_is_refused_with_what_was_meant():
    with pytest.raises(ValidationError, match="account cannot be written") as error:
        Account(nam="Acme", grad="A")
    assert said(error) == [
        "nam: There is no such field. Did you mean name?",
        "grad: There is no such field. Did you mean grade?",
        "name: A value is needed. Give one.",
    ]
    assert error.value.record == "account"


def test_what_is_needed_is_named():
    with pytest.raises(ValidationError) as error:
        Account()
    assert said(error) == ["name: A value is needed. Give one."]
    with pytest.raises(ValidationError) as error:
        Activity()
    assert [each.path for each in error.value.problems] == [
        field.name for field in type_of(Activity).fields if field.required
    ]


def test_what_the_store_writes_and_what_is_assigned_afterwards():
    with pytest.raises(ValidationError) as error:
        Account(name="Acme", id=5, custom={"club": "gold"})
    assert said(error) == [
        "id: The store writes it. Leave it out.",
        "custom: It is no argument. Assign it to the record: record.custom = {...}.",
    ]
    with pytest.raises(ValidationError, match="Did you mean account_id"):
        Activity(kind="visit", subject="x", account=Account(name="Acme"))


def test_a_value_that_is_wrong_is_told_as_before():
    with pytest.raises(ValidationError, match="employees"):
        Account(name="Acme", employees="many")
    with pytest.raises(TypeError, match="positional"):
        Account("Acme")


def test_assigning_to_what_is_no_field_is_refused():
    acme = Account(name="Acme")
    with pytest.raises(CrmError, match=r"grad: There is no such field\. Did you mean grade\?"):
        acme.grad = "B"
    assert "grad" not in vars(acme)
    with pytest.raises(ValidationError):
        acme.employees = "many"
    acme.grade, acme.custom, acme.id, acme._note = "B", {"club": "gold"}, 5, "an author's own"
    acme.revenue = Money(5, "CNY")
    assert (acme.grade, acme.custom, acme.id, acme.revenue.currency) == ("B", {"club": "gold"}, 5, "CNY")

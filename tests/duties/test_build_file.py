"""Duties and key fields in the build file: every mistake is told with its path."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from crm_core.assembly import assemble
from crm_core.domain.duties import Duty
from crm_core.errors import BuildError


def mistakes(**sections: Any) -> list[str]:
    with pytest.raises(BuildError) as caught:
        assemble(sections)
    return [str(problem) for problem in caught.value.problems]


def test_duties_become_rules() -> None:
    build = assemble({
        "duties": {
            "contact_details": {
                "record": "contact_point", "fields": ["value"], "where": 'grade == "A" and owner.active',
                "who": ["owner", "manager"], "every_days": 30, "each": True, "since": dt.date(2026, 1, 1),
            },
            "grades": {"record": "account", "label": "Grades"},
        }
    })  # fmt: skip
    assert build.policy.duties["contact_details"] == Duty(
        name="contact_details", record="contact_point", fields=("value",), who=("owner", "manager"),
        where='grade == "A" and owner.active', every_days=30, each=True, since=dt.date(2026, 1, 1),
    )  # fmt: skip
    assert build.policy.duties["contact_details"].title == "Contact details"
    assert build.policy.duties["grades"].title == "Grades"
    assert build.policy.duties["grades"].every == dt.timedelta(days=90)


@pytest.mark.parametrize(
    ("duty", "expected"),
    [
        ({"record": "contakt"}, "duties.x.record: There is no record 'contakt'. Did you mean contact?"),
        ({"record": "unit"}, "duties.x.record: A unit hangs on no account. Name the account, or a record that refers "
                             "to an account or a contact."),
        ({"record": "contact", "fields": ["nme"]},
         "duties.x.fields[0]: contact has no field 'nme'. Did you mean name?"),
        ({"record": "contact", "who": ["ownr"]}, "duties.x.who[0]: 'ownr' is neither a part in a responsibility nor a "
                                                 "role. Did you mean owner?"),
        ({"record": "contact", "who": []}, 'duties.x.who: Nobody has this duty. Write who = ["owner"].'),
        ({"record": "contact", "every_days": 0}, "duties.x.every_days: Give 1 to 3650 days."),
        ({"record": "contact", "each": "yes"}, "duties.x.each: Expected true or false, not 'yes'."),
        ({}, "duties.x.record: It is missing. Add it."),
    ],
)  # fmt: skip
def test_mistakes_in_a_duty(duty: dict[str, Any], expected: str) -> None:
    assert mistakes(duties={"x": duty}) == [expected]


def test_a_mistake_in_an_expression_is_told_with_near_names() -> None:
    (found,) = mistakes(duties={"x": {"record": "contact", "where": 'gade == "A"'}})
    assert found.startswith("duties.x.where: ") and "grade" in found


def test_a_duty_needs_a_name() -> None:
    (found,) = mistakes(duties={"Contact Details": {"record": "contact"}})
    assert found == "duties.Contact Details: 'Contact Details' is no name for a duty. Write it in snake_case."


def test_mistakes_in_key_fields() -> None:
    assert mistakes(
        steward={"key_fields": {"account": ["nam"], "activity": ["subject"], "contact": ["note"]}, "stale_days": 0}
    ) == [
        "steward.stale_days: Give 1 to 3650 days.",
        "steward.key_fields.account[0]: account has no field 'nam'. Did you mean name?",
        "steward.key_fields.activity: Only account, contact have key fields, not 'activity'. Remove it.",
        "steward.key_fields.contact[0]: note is for a few to read, and proposals are for all. Remove it; whoever may "
        "write it may read it.",
    ]


def test_a_custom_field_may_be_a_key_field() -> None:
    build = assemble({
        "custom_fields": {"account": {"club": {"kind": "text"}}}, "steward": {"key_fields": {"account": ["club"]}},
    })  # fmt: skip
    assert build.policy.steward.key_fields == {"account": ("club",)}
    assert build.policy.steward.stale_days == 180

"""What "Did you mean ...?" offers."""

import pytest

from crm_core.errors import nearest

TYPES = ("account", "activity", "contact", "contact_point", "handover", "trade_fairs.visit", "works.visit_report")


@pytest.mark.parametrize(("word", "near"), [
    ("visit", "trade_fairs.visit"),
    ("vist", "trade_fairs.visit"),
    ("fairs.visit", "trade_fairs.visit"),
    ("Account", "account"),
    ("acount", "account"),
    ("contacts", "contact"),
    ("contact_", "contact"),
    ("trade_fair.visit", "trade_fairs.visit"),
])  # fmt: skip
def test_what_was_meant(word, near):
    assert nearest(word, TYPES) == near


def test_never_more_than_three():
    assert len(nearest("name", [f"name_{number}" for number in range(9)]).split(", ")) == 3
    assert len(nearest("xyz", TYPES).split(", ")) == 3
    assert nearest("xyz", TYPES, strict=True) == ""
    assert nearest("xyz", ["one", "two"]) == "one, two"
    assert nearest("xyz", []) == ""


def test_the_whole_name_comes_before_a_part():
    assert nearest("visit", ["trade.visit", "visit"]).startswith("visit, ")

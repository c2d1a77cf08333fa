"""The section [views]: fields that there are, figures that make sense."""

from __future__ import annotations

import pytest

from crm_core.assembly.load import assemble
from crm_core.domain.viewing import WEIGHTS, Views
from crm_core.errors import BuildError


def problems(**views) -> list[str]:
    custom = {"account": {"club": {"kind": "text"}}}
    with pytest.raises(BuildError) as raised:
        assemble({"views": views, "custom_fields": custom})
    return [str(problem) for problem in raised.value.problems]


def test_without_a_section_the_usual_rules_hold() -> None:
    views = assemble({}).policy.views
    assert views == Views()
    assert views.weights == WEIGHTS


def test_what_is_said_holds() -> None:
    given = {"confirm_days": 30, "weights": {"people": 1, "custom.club": 2}, "news_fields": ["custom.club", "grade"]}
    views = assemble({"views": given, "custom_fields": {"account": {"club": {"kind": "text"}}}}).policy.views
    assert views.confirm_days == 30
    assert dict(views.weights) == {"people": 1, "custom.club": 2}
    assert views.news_fields == ("custom.club", "grade")


def test_every_mistake_is_told_with_its_path() -> None:
    found = problems(weights={"industri": 1, "custom.clubs": 1, "grade": -1}, news_fields=["grade", "naem"])
    assert [each.partition(":")[0] for each in found] == [
        "views.weights.industri", 'views.weights."custom.clubs"', "views.weights.grade", "views.news_fields[1]",
    ]  # fmt: skip
    assert "Did you mean industry?" in found[0]
    assert "Did you mean custom.club?" in found[1]
    assert "Give 0 or more." in found[2]
    assert "Did you mean name?" in found[3]


@pytest.mark.parametrize(("name", "value"), [
    ("confirm_days", 0), ("quiet_days", "many"), ("depth", 11), ("look_ahead_days", -1), ("sort", 1),
])  # fmt: skip
def test_figures_make_sense(name, value) -> None:
    (found,) = problems(**{name: value})
    assert found.startswith("views")
    assert name in found

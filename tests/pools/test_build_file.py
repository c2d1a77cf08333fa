"""Pools in the build file: every mistake is found before anything starts, with its path."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest

from crm_core.assembly import assemble
from crm_core.errors import BuildError, DeclarationError
from crm_core.records import Access, Record, declared, owned, public, record

from .conftest import BUILD

WHOLE: dict[str, Any] = {
    "label": "East",
    "where": 'address.country == "CN" and (industry == "machinery" or size > 3)',
    "scope": "pumps",
    "roles": ["sales"],
    "units": ["EAST"],
    "a_day": 5,
    "in_all": {"A": 10, "*": 100},
    "cooling_days": 30,
    "show": ["name", "address.city", "size"],
    "recycle": [{"without": "held_activity", "days": 90, "warn_days": 14, "never_grades": ["A"]}],
    "assign": "round_robin",
    "members": ["li.wei"],
}


def problems(**changes: Any) -> list[str]:
    given = copy.deepcopy(BUILD)
    given["pools"] = {"east": {**copy.deepcopy(WHOLE), **changes}}
    try:
        assemble(given)
    except BuildError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_whole_pool() -> None:
    given = copy.deepcopy(BUILD)
    given["pools"] = {"east": WHOLE, "rest": {}}
    build = assemble(given)
    assert list(build.policy.pools) == ["east", "rest"]
    east = build.policy.pools["east"]
    assert (east.name, east.title, east.in_all["*"], east.recycle[0].key) == (
        "east", "East", 100, "without held_activity 90",
    )  # fmt: skip
    assert build.policy.pools["rest"].title == "rest"


RULE = WHOLE["recycle"][0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"where": 'grad == "A"'}, "pools.east.where: account has no field 'grad'. Did you mean grade"),
        ({"where": "grade =="}, "pools.east.where: "),
        ({"where": 'any(activities, note == "x")'}, "pools.east.where: activity has no field 'note'."),
        ({"roles": ["salse"]}, "pools.east.roles[0]: There is no role 'salse'. Did you mean sales?"),
        ({"show": ["name", "grad"]}, "pools.east.show[1]: An account has no field 'grad'. Did you mean grade?"),
        ({"show": ["address.cty"]}, "pools.east.show[0]: An account has no field 'address.cty'. "
                                    "Did you mean address.city?"),
        ({"colour": "red"}, "pools.east.colour: 'colour' is not known here."),
        ({"a_day": 0}, "pools.east.a_day: Nobody could claim anything."),
        ({"a_day": "5"}, "pools.east.a_day: Expected a whole number, not '5'."),
        ({"cooling_days": -1}, "pools.east.cooling_days: Give 0 to"),
        ({"in_all": {"A": -1}}, 'pools.east.in_all."A": A grade has'),
        ({"scope": "x" * 41}, "pools.east.scope: A scope has at most 40"),
        ({"recycle": [{"days": 3}]}, "pools.east.recycle[0]: A rule says either without or after."),
        ({"recycle": [RULE | {"after": "held_activity"}]}, "pools.east.recycle[0]: A rule says either"),
        ({"recycle": [{"after": "held_activity", "days": 3}]}, "recycle[0].after: Nobody loses an account for having"),
        ({"recycle": [RULE | {"without": "held_activty"}]},
         "recycle[0].without: No plugin of this build tells of 'held_activty'. Did you mean held_activity?"),
        ({"recycle": [RULE | {"days": 0}]}, "pools.east.recycle[0].days: Give 1 to"),
        ({"recycle": [RULE | {"since": dt.date(1, 1, 1)}]}, "pools.east.recycle[0].since: 0001-01-01 is no day"),
        ({"recycle": [RULE | {"since": "2026-01-01"}]}, "pools.east.recycle[0].since: Expected a day"),
        ({"recycle": [RULE | {"warn_days": 91}]}, "pools.east.recycle[0].warn_days: A warning comes"),
        ({"recycle": [RULE | {"never_grades": ["*"]}]}, "recycle[0].never_grades[0]: '*' is no grade."),
        ({"recycle": [RULE, RULE]}, "pools.east.recycle[1]: There is such a rule already."),
        ({"assign": ""}, "pools.east.members: Members are those that accounts are assigned to."),
        ({"assign": "random"}, "pools.east.assign: 'random' is none of the choices."),
        ({"members": [], "roles": [], "units": []}, "pools.east.assign: There is nobody to assign to."),
        ({"members": ["li", "li"]}, "pools.east.members[1]: 'li' is listed twice."),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_path(changes: dict[str, Any], told: str) -> None:
    assert any(told in each for each in problems(**changes)), problems(**changes)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems(where="grad", roles=["salse"], a_day=0, show=["grad"])) == 4


def test_a_name_is_in_snake_case() -> None:
    given = copy.deepcopy(BUILD)
    given["pools"] = {"East China": {}}
    with pytest.raises(BuildError, match="'East China' is no name for a pool"):
        assemble(given)


@pytest.mark.parametrize("access", [public(), owned()], ids=["public", "owned"])
def test_only_accounts_lie_in_pools(access: Access) -> None:
    """Also what says that it is owned is refused: the flag would be accepted and do nothing."""
    with pytest.raises(DeclarationError, match="cannot be poolable: only records of the type account lie in pools"):

        @record("pool_probe.thing", access=access, poolable=True)
        class Thing(Record):
            """Nobody's."""

    assert "pool_probe.thing" not in declared


def test_accounts_lie_in_pools() -> None:
    assert [name for name, each in assemble(copy.deepcopy(BUILD)).types.items() if each.poolable] == ["account"]

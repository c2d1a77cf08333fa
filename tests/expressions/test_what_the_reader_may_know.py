"""Restricted fields and invisible records answer nothing: not by value, not by order, not by an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from crm_core.errors import ExpressionError
from crm_core.expressions import Derived, order_by
from crm_core.records import Types

PROBES = [
    'secret == "x"', "secret is None", "is_empty(secret)", "length(secret) > 3", 'contains(secret, "x")',
    'name == secret', 'name in (secret, "a")', 'secret in tags', 'boss.code == "x"', "boss.mentor_id == 5",
    'boss.mentor.name == "x"', "boss.mentor is None", "any(boss.pupils)", "count(boss.pupils) > 1",
    'boss.tutor.name == "x"', "boss.tutor is None", 'vip.hidden == "x"', 'parent.vip.hidden == "x"',
    'c_secret == "x"',
    'parent.secret == "x"', 'any(branches, secret == "x")', 'any(jobs, person.code == "x")', 'chief.code == "x"',
]  # fmt: skip


def error_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ExpressionError) as caught:
        call()
    return str(caught.value)


def without_names(answer: str) -> str:
    """What is offered instead is near to the letters that were written, whether they name something or not."""
    return re.sub(r"Did you mean .*\?", "Did you mean ...?", answer)


@pytest.mark.parametrize("probe", PROBES)
def test_a_restricted_field_is_as_unknown_as_one_that_is_not_there(kit: Any, probe: str) -> None:
    hidden = re.search("secret|code|mentor_id|mentor|pupils|tutor|hidden", probe)
    assert hidden
    # The same word with its last letter changed names nothing: both answers must be one.
    wrong = hidden.group()[:-1] + "q"
    missing = probe[: hidden.start()] + wrong + probe[hidden.end() :]
    answer = error_of(lambda: kit.bind(probe))
    other = error_of(lambda: kit.bind(missing)).replace(wrong, hidden.group())
    assert without_names(answer) == without_names(other)
    mend = answer.partition("Did you mean")[2].partition("\n")[0]
    assert mend
    assert not re.search("secret|code|mentor|pupils|tutor|hidden", mend)


@pytest.mark.parametrize("probe", PROBES)
def test_whoever_has_the_permission_may_use_it(kit: Any, probe: str) -> None:
    assert kit.bind(probe, readable=lambda record_type, field: True)


@pytest.mark.parametrize("order", ["secret", "name, secret desc", "boss.code", "boss.mentor", "vip.hidden", "c_secret"])
def test_a_restricted_field_orders_nothing(kit: Any, order: str) -> None:
    word = re.search("secret|code|mentor|hidden", order)
    assert word
    missing = order.replace(word.group(), word.group()[:-1] + "q")
    answer = error_of(lambda: order_by(kit.types, kit.company, order, kit.environment()))
    other = error_of(lambda: order_by(kit.types, kit.company, missing, kit.environment()))
    assert without_names(answer) == without_names(other.replace(word.group()[:-1] + "q", word.group()))
    assert not re.search("secret|code|mentor|hidden", answer.partition("Did you mean")[2].partition("\n")[0])
    assert order_by(kit.types, kit.company, order, kit.environment(readable=lambda record_type, field: True))


def test_a_restricted_title_is_no_title(kit: Any) -> None:
    person = kit.types["probe.person"]
    secretive = attrs.evolve(person, title="code")
    types = Types([secretive, *(found for found in kit.types.values() if found is not person)])
    hidden = attrs.evolve(kit, types=types)
    for source in ('boss == "x"', 'contains(boss, "x")'):
        with pytest.raises(ExpressionError, match=r"no title|not text"):
            hidden.bind(source)


def test_permission_is_asked_for_the_field_alone(kit: Any) -> None:
    asked: list[tuple[str, str]] = []

    def readable(record_type: Any, field: Any) -> bool:
        asked.append((record_type.name, field.name))
        return False

    error_of(lambda: kit.bind('secret == "x"', readable=readable))
    assert set(asked) == {("probe.company", "secret"), ("probe.company", "c_secret"), ("vip.status", "hidden")}


def rows(kit: Any, **boss: Any) -> tuple[dict[str, Any], Any]:
    company = {"id": 1, "version": 1, "boss_id": 2, "parent_id": 3}
    parent = {"id": 3, "version": kit.hidden, "name": "Secret", "boss_id": 2}
    person = {"id": 2, "version": kit.hidden, "name": "Hidden", "age": 50, **boss}
    status = {"id": 1, "version": kit.hidden, "tier": "gold"}
    job = {"id": 4, "version": kit.hidden, "company_id": 1, "person_id": 2, "role": "chief", "level": 1,
           "valid_from": None, "valid_to": None}  # fmt: skip
    branch = {**parent, "id": 5, "parent_id": 1}
    world = kit.world(
        {
            "probe.person": {2: person},
            "probe.company": {1: company, 3: parent, 5: branch},
            "probe.job": {4: job},
            "vip.status": {1: status},
            "vip.gift": {},
        },
        kit.environment().at,
    )
    return company, world


ABSENT = [
    "boss is None", "not (boss is not None)", "boss.name is None", "boss.age is None", "parent is None",
    "parent.name is None", "parent.boss is None", "vip.tier is None", "chief is None", "chief.name is None",
    "not any(jobs)", "none(jobs)", "count(jobs) == 0", "all(jobs, level == 99)", "none(branches)", "is_empty(parent)",
]  # fmt: skip
UNKNOWN = ['boss == "Hidden"', 'boss.name != "x"', "boss.age > 1", 'parent.name == "Secret"', 'vip.tier == "gold"',
           'chief == "Hidden"', "boss == 2"]  # fmt: skip


@pytest.mark.parametrize("source", ABSENT)
def test_the_invisible_is_absent_in_memory(kit: Any, source: str) -> None:
    company, world = rows(kit)
    assert kit.bind(source).value(company, world) is True


@pytest.mark.parametrize("source", UNKNOWN)
def test_what_the_invisible_holds_is_unknown_in_memory(kit: Any, source: str) -> None:
    company, world = rows(kit)
    assert kit.bind(source).value(company, world) is None


@pytest.mark.parametrize("source", [*ABSENT, *UNKNOWN, "count(vip.gifts) > 1"])
def test_the_condition_of_visibility_is_in_every_subquery(kit: Any, source: str) -> None:
    asked: list[tuple[str, Any]] = []

    def visible(record_type: Any, table: Any) -> Any:
        asked.append((record_type.name, table))
        return table.c.version == 424242

    bound = kit.bind(source, visible=visible)
    sql = str(bound.where().compile(compile_kwargs={"literal_binds": True}))
    assert asked
    assert sql.count("424242") >= len({id(table) for _, table in asked})
    for record_type, table in asked:
        assert table is not kit.types[record_type].table, "the rows that are filtered are the caller's"


def test_a_derived_step_without_its_types_or_fields_is_not_there(kit: Any) -> None:
    with pytest.raises(ExpressionError, match="has no field 'ghost'"):
        kit.bind("boss.ghost is None")
    unknown = Derived("probe.company", "odd", "probe.person", through="probe.job", back="no_such", forward="person_id")
    with pytest.raises(ExpressionError, match="has no field 'odd'"):
        kit.bind("odd is None", derived=(unknown,))

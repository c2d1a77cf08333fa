"""Reading settings: strict about types, and every mistake at its path."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.assembly.structuring import structure
from crm_core.errors import ValidationError
from crm_core.fields import Money
from crm_core.store.policy import Scope


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


@attrs.frozen
class Tier:
    name: str
    minimum: Decimal = attrs.field(validator=attrs.validators.ge(0))


def _short(_: object, __: object, value: str) -> None:
    if len(value) > 3:
        raise ValidationError("{value!r} is too long.", mend="Shorten it.", value=value)


@attrs.frozen
class Settings:
    tiers: tuple[Tier, ...] = ()
    limit: Money | None = None
    names: list[str] = attrs.field(factory=list)
    count: int = 1
    share: float = 0.5
    on: bool = True
    begins: dt.datetime | None = None
    day: dt.date | None = None
    hour: dt.time | None = None
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    word: Word = Word.YES
    scope: Scope = Scope.OWN
    mode: Literal["fast", "slow"] = "fast"
    by_name: Mapping[str, list[Tier]] = attrs.field(factory=dict)
    pair: tuple[int, str] = (1, "")
    kinds: frozenset[str] = frozenset()
    numbers: Sequence[Decimal] = ()
    code: str = attrs.field(default="", validator=_short)


def wrong(value: Any, cls: Any = Settings) -> list[str]:
    result, problems = structure(value, cls, "plugins.k")
    assert (result is None) == bool(problems)
    return [str(problem) for problem in problems]


def test_what_fits_is_taken() -> None:
    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    value = {
        "tiers": [{"name": "A", "minimum": 3}, {"name": "B", "minimum": Decimal("2.5")}],
        "limit": "1234.50 CNY",
        "names": ["x"],
        "share": Decimal("0.25"),
        "begins": noon,
        "day": noon.date(),
        "hour": noon.time(),
        "colour": "red",
        "level": 1,
        "word": "yes",
        "scope": "subtree",
        "mode": "slow",
        "by_name": {"a": [{"name": "C", "minimum": 1}]},
        "pair": [2, "x"],
        "kinds": ["a", "a"],
        "numbers": [1, Decimal("1.5")],
    }

    settings, problems = structure(value, Settings, "")

    assert problems == []
    assert settings == Settings(
        tiers=(Tier("A", Decimal(3)), Tier("B", Decimal("2.5"))),
        limit=Money("1234.50", "CNY"),
        names=["x"],
        share=0.25,
        begins=noon,
        day=noon.date(),
        hour=noon.time(),
        level=Level.LOW,
        scope=Scope.SUBTREE,
        mode="slow",
        by_name={"a": [Tier("C", Decimal(1))]},
        pair=(2, "x"),
        kinds=frozenset("a"),
        numbers=(Decimal(1), Decimal("1.5")),
    )


def test_values_that_are_right_already_stay() -> None:
    settings, problems = structure({"limit": Money("1", "CNY"), "colour": Colour.RED, "scope": Scope.ALL}, Settings, "")

    assert problems == []
    assert settings is not None
    assert (settings.limit, settings.colour, settings.scope) == (Money("1", "CNY"), Colour.RED, Scope.ALL)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("count", "5", "Expected a whole number, not '5'."),
        ("count", True, "Expected a whole number, not True."),
        ("names", "abc", "Expected a list, not 'abc'."),
        ("names", [5], "names[0]: Expected a text, not 5."),
        ("kinds", {"a": 1}, "Expected a list, not {'a': 1}."),
        ("on", 1, "Expected true or false, not 1."),
        ("share", "much", "Expected a number, not 'much'."),
        ("share", True, "Expected a number, not True."),
        ("numbers", [Decimal("nan")], "numbers[0]: Expected a number, not Decimal('NaN')."),
        ("numbers", [[]], "numbers[0]: Expected a number, not []."),
        ("limit", "12.50", "'12.50' is no amount with a currency. Write it as 1234.50 CNY."),
        ("limit", 5, 'Expected an amount with its currency, not 5. Write "1234.50 CNY".'),
        ("limit", "1 cny", "'cny' is no currency."),
        ("begins", dt.date(2026, 1, 1), "Expected a moment such as"),
        ("begins", dt.datetime(2026, 1, 1), "has no time zone. Write it as 2026-01-01T00:00:00+08:00."),
        ("day", dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "Expected a day such as"),
        ("colour", "rad", "'rad' is none of the choices. Choose one of: red."),
        ("colour", [], "[] is none of the choices."),
        ("level", 7, "7 is none of the choices. Choose one of: 1."),
        ("word", "no", "'no' is none of the choices. Choose one of: yes."),
        ("scope", "ours", "Choose one of: own, unit, subtree, all."),
        ("mode", "sluw", "'sluw' is none of the choices. Choose one of: fast, slow."),
        ("by_name", {"b c": 7}, 'by_name."b c": Expected a list, not 7.'),
        ("by_name", {"b": [{"name": 5, "minimum": 0}]}, "by_name.b[0].name: Expected a text, not 5."),
        ("by_name", 3, "by_name: Expected a table, not 3."),
        ("pair", [1], "pair: Not enough values"),
        ("tiers", [{"name": "A", "minimum": -1}], "tiers[0]: 'minimum' must be >= 0: -1"),
        ("tiers", [{"minimum": 1}], "tiers[0].name: It is missing. Add it."),
        ("tiers", [{"name": "A", "minimum": 1, "mimimum": 2}], "tiers[0].mimimum: 'mimimum' is not known here."),
        ("tiers", [5], "tiers[0]: Expected a table, not 5."),
        ("code", "long", "plugins.k: 'long' is too long. Shorten it."),
        ("cuont", 1, "plugins.k.cuont: 'cuont' is not known here. Did you mean count?"),
    ],
)
def test_what_does_not_fit_is_told_at_its_path(key: str, value: Any, words: str) -> None:
    (problem,) = wrong({key: value})

    assert words in problem
    assert problem.startswith("plugins.k")


def test_all_mistakes_are_told_at_once() -> None:
    assert len(wrong({"count": "x", "nmaes": [], "tiers": [{"nme": "A"}, 3], "by_name": {"a": "b"}})) == 7


def test_a_section_must_be_a_table() -> None:
    assert wrong([1]) == ["plugins.k: Expected a table, not [1]."]


def test_a_class_without_fields_takes_nothing() -> None:
    @attrs.frozen
    class Empty:
        pass

    assert wrong({"a": 1}, Empty) == ["plugins.k.a: 'a' is not known here. Remove it."]


def test_settings_that_no_file_could_fill_are_the_authors_fault() -> None:
    @attrs.frozen
    class Odd:
        both: int | Decimal = 1

    (problem,) = wrong({"both": 1}, Odd)

    assert "Odd has a field that no build file can give" in problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([attribute.name for attribute in attrs.fields(Settings)]) | st.text()


@given(JSON | st.dictionaries(KEYS, JSON))
def test_whatever_stands_in_a_file_is_either_read_or_told(value: Any) -> None:
    settings, problems = structure(value, Settings, "plugins.k")

    assert (settings is None) == bool(problems)
    assert all(str(problem).startswith("plugins.k") for problem in problems)

"""Hypothesis strategies that follow from declarations: values of a field, and whole records of a type.

What they draw is what the declaration allows, at its edges too: the empty text and the longest, eighteen digits, the
first and the last year, characters of every plane. References and words of a vocabulary are the caller's to give,
because only the caller knows what exists::

    @given(values=records(Activity, kind=st.just("call"), account_id=st.just(acme.id)))
    def test_an_activity(values): ...
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from crm_core.domain.contacts import POINT_FORMS
from crm_core.fields import Address, Field, Kind, Money
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.fields.kinds import (
    AddressKind,
    ChoiceKind,
    DayKind,
    EmailKind,
    FlagKind,
    JsonKind,
    MomentKind,
    MoneyKind,
    NumberKind,
    PhoneKind,
    RefKind,
    TagsKind,
    TextKind,
    UrlKind,
)
from crm_core.records import Record, RecordType, type_of
from crm_core.store.marks import ERASED

__all__ = ["records", "values"]

_NAMES = st.sampled_from(
    ["Acme Bearings", "单小姐", "Ｆｕｌｌ　ｗｉｄｔｈ", "O'Neill \\ % _", "𠀀𠀁", "İstanbul ẞ", "\U0010ffff"]
)
_SHORT = 60
"""Longer texts say nothing new and cost time; the longest that fits is drawn besides."""


def _texts(length: int | None) -> SearchStrategy[str]:
    limit = _SHORT if length is None else min(length, _SHORT)
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    # Hypothesis draws texts that stand in source files, too; this one means that there was another: undo refuses it.
    drawn = st.text(characters, max_size=limit).filter(lambda text: text != ERASED)
    if length is None:
        return drawn | _NAMES
    return drawn | _NAMES.map(lambda name: name[:length]) | st.just("长" * length)


def _numbers(scale: int) -> SearchStrategy[Decimal]:
    limit = 10**18 - 1
    return st.integers(-limit, limit).map(lambda number: Decimal(number).scaleb(-scale))


def _moments() -> SearchStrategy[dt.datetime]:
    zones = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=8)), dt.timezone(dt.timedelta(hours=-11))])
    # A day from each end of time, whatever the zone.
    return st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=zones)


def _json() -> SearchStrategy[Any]:
    leaves = (
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _texts(None)
        | st.floats(allow_nan=False, allow_infinity=False)
    )  # fmt: skip
    grown = st.recursive(
        leaves, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(_texts(10), parts, max_size=3), max_leaves=6
    )
    return grown.filter(lambda value: value is not None)


def _addresses() -> SearchStrategy[Address]:
    parts = {part: st.none() | _texts(length).filter(bool) for part, length in ADDRESS_PARTS}
    return st.builds(Address, **parts).filter(lambda address: address != Address())


_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


def _of_kind(kind: Kind) -> SearchStrategy[Any]:
    match kind:
        case EmailKind():
            return st.builds("{}.{}@{}.example.com".format, _WORDS, _WORDS, _WORDS)
        case PhoneKind():
            return st.builds("+8613{:09d}".format, st.integers(0, 10**9 - 1)) | st.builds(
                "0{}-{:08d}".format, st.integers(10, 999), st.integers(0, 10**8 - 1)
            )
        case UrlKind():
            schemes = st.sampled_from(["http", "https"])
            return st.builds("{}://{}.example/{}?q={}".format, schemes, _WORDS, _WORDS, _WORDS)
        case TextKind():
            return _texts(kind.length)
        case ChoiceKind():
            return st.sampled_from(list(kind.enum))
        case NumberKind():
            numbers = _numbers(kind.scale)
            return numbers if kind.scale else numbers.map(int)
        case MoneyKind():
            return st.builds(Money, _numbers(kind.scale), st.sampled_from(["CNY", "EUR", "USD", "XAU"]))
        case DayKind():
            return st.dates()
        case MomentKind():
            return _moments()
        case FlagKind():
            return st.booleans()
        case TagsKind():
            tags = _texts(80).filter(lambda tag: bool(tag.strip()))
            return st.frozensets(tags, max_size=4)
        case JsonKind():
            return _json()
        case AddressKind():
            return _addresses()
        case RefKind():
            return st.integers(1, 2**63 - 1)
    raise TypeError(f"There is no strategy for the field kind {kind.name}.")


@functools.cache
def _values(kind: Kind, optional: bool) -> SearchStrategy[Any]:
    # Kept, because Hypothesis looks through every strategy that it has not seen, which takes longer than to draw of it.
    drawn = _of_kind(kind)
    return st.none() | drawn if optional else drawn


def values(field: Field) -> SearchStrategy[Any]:
    """Values that ``field`` accepts, ``None`` among them where it is optional."""
    return _values(field.kind, field.optional)


@st.composite
def _records(
    draw: Callable[[SearchStrategy[Any]], Any], record_type: RecordType, given: dict[str, SearchStrategy[Any]]
) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    for field in record_type.fields:
        strategy = given.get(field.name)
        if strategy is None:
            if isinstance(field.kind, RefKind):
                strategy = st.none()  # there is nothing that it could refer to
            elif not field.required and draw(st.booleans()):
                continue  # the default counts, too
            else:
                strategy = values(field)
        value = draw(strategy)
        if value is not None or field.optional:
            drawn[field.name] = value
    if record_type.dated and None not in (drawn.get("valid_from"), drawn.get("valid_to")):
        start, end = drawn["valid_from"], drawn["valid_to"]
        if start == end:
            del drawn["valid_to"]
        else:
            drawn["valid_from"], drawn["valid_to"] = min(start, end), max(start, end)
    if record_type.name == "contact_point" and "value" not in given and drawn["kind"] in POINT_FORMS:
        drawn["value"] = draw(_values(POINT_FORMS[drawn["kind"]], False))
    return drawn


def _kept(record_type: RecordType, row: dict[str, Any]) -> bool:
    """A rule of the kernel beyond the declaration: a login is not blank."""
    return record_type.name != "user" or bool(row["login"].strip())


def records(record: type[Record], **given: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Values by field name that a new record of type ``record`` accepts: arguments of its class, or a row for
    ``session.add_many``.

    ``given`` overrides single fields. References are left out unless given; a required one must be.
    """
    record_type = type_of(record)
    return _records(record_type, given).filter(lambda row: _kept(record_type, row))

"""Whether the values of a column can be taken by a field, and by which transform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from crm_core.exchange.drafting.looks import looks, sample, share
from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.table import Column
from crm_core.exchange.drafting.targets import POINT, Target, Targets
from crm_core.exchange.drafting.value_tests import DAYS, MOMENTS, currency_of, parses
from crm_core.exchange.transforms.values import decimal
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.fields.field import Field
from crm_core.fields.kinds import MoneyKind, NumberKind, PhoneKind, TextKind

__all__ = ["Fit", "fit"]

_SALUTATION = Target("contact", "salutation")
_TITLES = (Target("affiliation", "title"), Target("activity", "subject"))
_MOSTLY = 0.5
_WORDS = 40
"""More different words than these are not put into a table of a mapping."""


@attrs.frozen
class Fit:
    """The share of values that are taken (0 to 1), the transform that they need, and what is to be said about it.

    ``remarks`` are templates with their values. An empty column fits: nothing speaks against it.
    """

    share: float
    transform: Any = None
    remarks: tuple[Said, ...] = ()


def fit(column: Column, target: Target, targets: Targets) -> Fit:
    """How the values of a column suit a target."""
    if not column.filled:
        return Fit(1.0)
    field = targets.field(target)
    if target.record == POINT and target.field == "value":
        return _point(column, target.part)
    if target == _SALUTATION:
        return Fit(looks(column, "salutation"))
    if target in _TITLES and looks(column, "salutation") >= _MOSTLY:
        return Fit(0.0)
    if field.kind.name == "address":
        return _part(column, target.part)
    if isinstance(field.kind, MoneyKind):
        return _amount(column, field.kind) if target.part == "amount" else Fit(looks(column, "currency"))
    if field.kind.name == "choice" or field.vocabulary:
        return _chosen(column, target, targets, field)
    return _RULES.get(field.kind.name, _checked)(column, field)


def _point(column: Column, kind: str) -> Fit:
    if kind == "email":
        return Fit(looks(column, "email"))
    if kind in ("phone", "mobile", "fax"):
        return Fit(share(column, parses(PhoneKind().parse)))
    return Fit(1.0 if column.longest <= 254 else 0.5)


def _part(column: Column, part: str) -> Fit:
    length = dict(ADDRESS_PARTS)[part]
    if part == "country":
        if all(len(value.strip()) == 2 and value.strip().isupper() for value in sample(column)):
            return Fit(1.0)
        found = looks(column, "country")
        return Fit(found, "country_code", _rejecting(found))
    return _short(column, length)


def _short(column: Column, length: int | None) -> Fit:
    if length is None or column.longest <= length:
        return Fit(1.0)
    inside = share(column, lambda value: len(value) <= length)
    cut = _("values with more than {length} characters are cut", length=length)
    return Fit(inside, {"name": "shorten", "length": length}, (cut,))


def _rejecting(found: float) -> tuple[Said, ...]:
    """What is to be said of values that will not be taken."""
    if found >= 1:
        return ()
    percent = max(1, round(100 * (1 - found)))
    return (_("{percent} % of the different values cannot be read: their rows are rejected", percent=percent),)


def _text(column: Column, field: Field) -> Fit:
    assert isinstance(field.kind, TextKind)
    return _short(column, field.kind.length)


def _checked(column: Column, field: Field) -> Fit:
    found = share(column, parses(field.kind.parse))
    return Fit(found, None, _rejecting(found))


def _site(column: Column, field: Field) -> Fit:
    if looks(column, "domain") == 1 and not any("://" in value for value in sample(column)):
        return Fit(1.0, {"name": "prefix", "text": "https://"})
    return _checked(column, field)


def _time(column: Column, field: Field) -> Fit:
    """A day or a moment: each reads what is written like the other."""
    if "day" in column.possible or "moment" in column.possible:
        return Fit(1.0)
    read = {**{f"day {each}": each for each in DAYS}, **{f"moment {each}": each for each in MOMENTS}}
    found = [read[each] for each in read if each in column.possible]
    if not found:
        return _checked(column, field)
    remarks: tuple[Said, ...] = ()
    if len(found) > 1:
        remarks = (_("all values also read as {other}: look which it is", other=found[-1]),)
    return Fit(0.9 if len(found) > 1 else 1.0, {"name": field.kind.name, "format": found[0]}, remarks)


def _number(column: Column, field: Field) -> Fit:
    assert isinstance(field.kind, NumberKind)
    if looks(column, "number") < 1 and looks(column, "comma") == 1:
        return Fit(1.0, {"name": "decimal", "comma": True, "scale": field.kind.scale})
    if "percent" in column.possible:
        return Fit(1.0, "percent")
    found = share(column, parses(field.kind.parse))
    rounded = share(column, parses(decimal))
    if rounded > found:
        cut = _("values are rounded to {scale} decimals", scale=field.kind.scale)
        return Fit(rounded, {"name": "decimal", "scale": field.kind.scale}, (cut, *_rejecting(rounded)))
    return Fit(found, None, _rejecting(found))


def _amount(column: Column, kind: MoneyKind) -> Fit:
    if share(column, parses(kind.parse)) == 1:
        return Fit(1.0)
    signs = {currency_of(value) for value in sample(column)}
    if len(signs) == 1 and (pair := signs.pop()) is not None:
        sign, code = pair
        taken = _("{sign} is taken for {code}", sign=sign, code=code)
        return Fit(1.0, [{"name": "replace", "old": sign, "new": ""}, {"name": "money", "currency": code}], (taken,))
    comma = looks(column, "number") < 1 and looks(column, "comma") == 1
    found = share(column, parses(lambda text: NumberKind(kind.scale).check(decimal(text, comma=comma))))
    how: Any = {"name": "money", "comma": True} if comma else "money"
    if "万" in column.header:
        ten_thousands = _("its header says that these are ten thousands, and they are taken as they stand")
        return Fit(found * _MOSTLY, how, (ten_thousands, *_rejecting(found)))
    return Fit(found, how, _rejecting(found))


def _chosen(column: Column, target: Target, targets: Targets, field: Field) -> Fit:
    """Words are translated as far as they are understood; a field that needs none can do without the others."""
    values = sorted(set(map(str.strip, sample(column))))
    known = targets.choices(target.record, target.field)
    if all(value in known for value in values):
        return Fit(1.0)
    if len(values) > _WORDS:
        return Fit(0.0)
    found = {value: word for value in values if (word := targets.word_of(target.record, target.field, value))}
    if not found:
        return Fit(0.0)
    left = len(values) - len(found)
    how: dict[str, Any] = {"name": "map", "values": found}
    remarks: tuple[Said, ...] = ()
    if left:
        if not field.required:
            how["otherwise"] = "empty"
        remarks = (_("{count} words have no counterpart among {known}", count=left, known=", ".join(known)),)
    return Fit(len(found) / len(values), how, remarks)


def _never(column: Column, field: Field) -> Fit:
    return Fit(0.0)


_RULES: Mapping[str, Callable[[Column, Field], Fit]] = {
    "text": _text, "url": _site, "day": _time, "moment": _time, "number": _number, "ref": _never, "json": _never,
}  # fmt: skip
"""By the kind of the field, where it takes more than what it can parse."""

"""Which comparisons there are, between what."""

from __future__ import annotations

import ast
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import attrs

from crm_core.expressions.leaves import Leaf
from crm_core.expressions.nodes import MIRRORED, OPERATORS, Bound, Compare, Const, In, IsNull, Node, Not, Only, Or, Sort
from crm_core.expressions.numbers import Linear, NumberIn, NumberTest, compare_numbers, exactly
from crm_core.expressions.steps import RecordNode
from crm_core.expressions.texts import HasTag
from crm_core.expressions.times import TimesApart, compare_times

if TYPE_CHECKING:
    from crm_core.expressions.binder import Binder, Operand

__all__ = ["Listed", "absent", "compare"]

_TIMES = (Sort.DAY, Sort.MOMENT)


@attrs.frozen
class Listed(Bound):
    """Several values in brackets."""

    items: tuple[Operand, ...]
    sort: Sort = attrs.field(default=Sort.LIST, kw_only=True)


def compare(binder: Binder, sign: str, left: Operand, right: Operand) -> Node:
    """The comparison, or an error at the operand that does not fit."""
    if left.bound.sort is Sort.NULL and sign not in ("in", "not in"):
        left, right = right, left
    if right.bound.sort is Sort.NULL:
        return _with_none(binder, sign, left, right)
    if sign in ("is", "is not"):
        binder.fail(right.place, "'is' asks for None only.", "Write == or != instead.")
    if sign == "not in":
        return Not(_among(binder, left, right))
    if sign == "in":
        return _among(binder, left, right)
    for operand in (left, right):
        if not isinstance(operand.bound, Node):
            mend = "Write in before a list." if operand.bound.sort is Sort.LIST else "Compare a field with a value."
            binder.fail(operand.place, "{sort} cannot be compared with {sign}.", mend,
                        sort=operand.bound.sort.value.capitalize(), sign=sign)  # fmt: skip
    return _values(binder, sign, left, right)


def _with_none(binder: Binder, sign: str, left: Operand, none: Operand) -> Node:
    if sign not in ("==", "!=", "is", "is not"):
        binder.fail(none.place, "None is neither greater nor less than anything.", "Write is None or is not None.")
    if left.bound.sort is Sort.NULL:
        missing: Node = Const(True)
    elif isinstance(left.bound, Node):
        missing = Const(False) if isinstance(left.bound, Const) else absent(binder, left.place, left.bound)
    else:
        binder.fail(left.place, "{sort} is never absent.", "Ask for one of its fields.",
                    sort=left.bound.sort.value.capitalize())  # fmt: skip
    return missing if sign in ("==", "is") else Not(missing)


def absent(binder: Binder, place: ast.expr, node: Node) -> Node:
    """Whether a value is absent."""
    with exactly(lambda: binder.too_fine(place)):
        node.memory()  # a sum that cannot be calculated says so now
    return IsNull(node)


def _among(binder: Binder, left: Operand, right: Operand) -> Node:
    if isinstance(right.bound, Listed):
        return _in_list(binder, left, right.bound)
    if right.bound.sort is Sort.TAGS and isinstance(right.bound, Node):
        if isinstance(left.bound, Node) and left.bound.sort is Sort.TEXT:
            return HasTag(right.bound, left.bound)
        binder.fail(left.place, "A tag is text, not {sort}.", 'Write for example "vip" in tags.',
                    sort=left.bound.sort.value)  # fmt: skip
    mend = 'Write a list, such as ("A", "B"); one element needs a comma: ("A",).'
    if right.bound.sort is Sort.TEXT and not isinstance(right.bound, Const):
        mend = "Write contains(text, part) to look inside a text."
    elif right.bound.sort is Sort.COLLECTION:
        mend = "Write any(collection, condition)."
    binder.fail(right.place, "'in' needs a list, not {sort}.", mend, sort=right.bound.sort.value)


def _in_list(binder: Binder, left: Operand, listed: Listed) -> Node:
    if not isinstance(left.bound, Node):
        binder.fail(left.place, "{sort} cannot be looked for in a list.", "Write a field or a value.",
                    sort=left.bound.sort.value.capitalize())  # fmt: skip
    if not listed.items:
        return Const(False)
    parts = []
    for item in listed.items:
        if item.bound.sort is Sort.NULL:
            binder.fail(item.place, "None is never equal to anything.", "Write: ... or {what} is None.", what="it")
        parts.append(compare(binder, "==", left, item))
    return _merged(parts)


def _merged(parts: list[Node]) -> Node:
    """Equalities of one value with constants as one look-up; anything else as alternatives, each once."""
    texts: dict[Node, list[Const]] = {}
    numbers: dict[Linear, list[Decimal]] = {}
    others: list[Node] = []
    for part in dict.fromkeys(parts):
        match part:
            case Compare(left=left, right=Const() as right):
                texts.setdefault(left, []).append(right)
            case NumberTest():
                numbers.setdefault(part.linear, []).append(part.constant)
            case _:
                others.append(part)
    found: list[Node] = [In(value, tuple(constants)) for value, constants in texts.items()]
    found += [NumberIn(linear, tuple(constants)) for linear, constants in numbers.items()]
    found += others
    return found[0] if len(found) == 1 else Or(tuple(found))


def _values(binder: Binder, sign: str, left: Operand, right: Operand) -> Node:
    left, right = _as_field(binder, left, right), _as_field(binder, right, left)
    one, other = cast(Node, left.bound), cast(Node, right.bound)
    place = right.place if isinstance(other, Const) or not isinstance(one, Const) else left.place
    if one.sort in _TIMES and other.sort in _TIMES:
        return _times(binder, sign, left, right, one, other)
    if Sort.CHOICE in (one.sort, other.sort):
        return _choices(binder, sign, left, right, one, other)
    if one.sort is not other.sort:
        mend = _mend(one, other)
        binder.fail(place, "{one} cannot be compared with {other}.", mend,
                    one=one.sort.value.capitalize(), other=other.sort.value)  # fmt: skip
    if one.sort is Sort.NUMBER:
        with exactly(lambda: binder.too_fine(place)):
            return compare_numbers(sign, one, other)
    if one.sort is Sort.MONEY:
        return _money(binder, sign, one, other, place)
    if one.sort is Sort.TEXT or (one.sort is Sort.FLAG and sign in ("==", "!=")):
        return _plain(sign, one, other)
    mend = {
        Sort.TAGS: 'Write "vip" in tags, or is_empty(tags).',
        Sort.FLAG: "Use == or !=, and, or, not.",
        Sort.ADDRESS: 'Compare one of its parts, such as address.city == "Berlin".',
    }.get(one.sort, "Only is None and is not None can be asked of it.")
    binder.fail(place, "{sort} cannot be compared with {sign}.", mend, sort=one.sort.value.capitalize(), sign=sign)


def _plain(sign: str, one: Node, other: Node) -> Node:
    if None in [node.value for node in (one, other) if isinstance(node, Const)]:
        return Const(None)
    if isinstance(one, Const):
        if isinstance(other, Const):
            return Const(OPERATORS[sign](one.value, other.value))
        one, other, sign = other, one, MIRRORED[sign]
    return Compare(sign, one, other)


def _mend(one: Node, other: Node) -> str:
    sorts = {one.sort, other.sort}
    if Sort.MONEY in sorts and Sort.NUMBER in sorts:
        return 'Write money("100", "CNY"), or compare the amount: revenue.amount > 100.'
    if sorts & set(_TIMES) and Sort.TEXT in sorts:
        return 'Write date("2026-01-31"), or moment("2026-01-31T10:00:00+08:00").'
    if sorts == {Sort.NUMBER, Sort.TEXT}:
        return "Write numbers without quotation marks, and texts with them."
    if Sort.TAGS in sorts:
        return 'Write "vip" in tags.'
    return "Compare values of one kind."


def _as_field(binder: Binder, operand: Operand, other: Operand) -> Operand:
    """A record compares by its title with text, by its id with anything else."""
    record = operand.bound
    if not isinstance(record, RecordNode):
        return operand
    if other.bound.sort is Sort.TEXT:
        title = binder.names.title(record)
        if title is None:
            binder.fail(operand.place, "{record} has no title to compare with a text.", "Compare one of its fields.",
                        record=record.record_type.name)  # fmt: skip
        return attrs.evolve(operand, bound=title)
    if isinstance(other.bound, RecordNode) and other.bound.record_type is not record.record_type:
        binder.fail(other.place, "{one} and {other} are different kinds of records.", "Compare records of one kind.",
                    one=record.record_type.name, other=other.bound.record_type.name)  # fmt: skip
    return attrs.evolve(operand, bound=binder.names.id_of(record))


def _times(binder: Binder, sign: str, left: Operand, right: Operand, one: Node, other: Node) -> Node:
    try:
        return compare_times(sign, one, other, binder.env)
    except TimesApart:
        binder.fail(right.place, "A day field cannot be compared with a moment field.",
                    "Compare each with a fixed day, such as today().")  # fmt: skip
    except OverflowError:
        binder.fail(right.place, "This leads outside the calendar (the years 1 to 9999).", "Use a nearer time.")


def _choices(binder: Binder, sign: str, left: Operand, right: Operand, one: Node, other: Node) -> Node:
    if not isinstance(one, Leaf):
        left, right, one, other, sign = right, left, other, one, MIRRORED[sign]
    field = cast(Leaf, one)
    if sign not in ("==", "!="):
        binder.fail(left.place, "Choices have no order.", "Use == or !=, or in with a list.")
    choices = field.choices or []
    if isinstance(other, Leaf) and other.sort is Sort.CHOICE and one.sort is Sort.CHOICE:
        return Compare(sign, one, other)
    if not (isinstance(other, Const) and other.sort is Sort.TEXT):
        binder.fail(right.place, "A choice is compared with one of its values, not with {sort}.",
                    "Choose one of: {choices}.", sort=other.sort.value, choices=", ".join(choices))  # fmt: skip
    if other.value not in choices:
        binder.fail(right.place, "{value!r} is none of the choices of {field}.", "Choose one of: {choices}.",
                    value=other.value, field=field.label, choices=", ".join(choices))  # fmt: skip
    return Compare(sign, one, attrs.evolve(other, sort=Sort.CHOICE))


def _money(binder: Binder, sign: str, one: Node, other: Node, place: object) -> Node:
    """Amounts compare within one currency; between two the answer is unknown."""
    if isinstance(one, Const) and isinstance(other, Const):
        same = one.value.currency == other.value.currency
        return Const(OPERATORS[sign](one.value.amount, other.value.amount) if same else None)
    if isinstance(one, Const):
        one, other, sign = other, one, MIRRORED[sign]
    amount, currency = _parts(binder, one)
    other_amount, other_currency = _parts(binder, other)
    return Only(Compare("==", currency, other_currency), compare_numbers(sign, amount, other_amount))


def _parts(binder: Binder, money: Node) -> tuple[Node, Node]:
    if isinstance(money, Const):
        return Const(money.value.amount, sort=Sort.NUMBER), Const(money.value.currency, sort=Sort.TEXT)
    leaf = cast(Leaf, money)
    parts = binder.names.find_part("amount", leaf), binder.names.find_part("currency", leaf)
    return cast(tuple[Node, Node], parts)

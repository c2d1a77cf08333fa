"""The functions of the filter language."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from crm_core.errors import ValidationError, nearest
from crm_core.expressions import comparing
from crm_core.expressions.leaves import Leaf
from crm_core.expressions.members import Collection, Count, Quantified
from crm_core.expressions.nodes import Bound, Const, Node, Sort
from crm_core.expressions.steps import RecordNode
from crm_core.expressions.texts import Folded, HasTag, IsEmpty, Length, Search
from crm_core.expressions.times import MAX_SPAN, Span
from crm_core.fields import Money

if TYPE_CHECKING:
    from crm_core.expressions.binder import Binder

__all__ = ["FUNCTIONS", "bind_call"]

_AMOUNT = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")
Function = Callable[["Binder", ast.Call], Bound]


def bind_call(binder: Binder, tree: ast.Call) -> Bound:
    """What a call means."""
    name = cast(ast.Name, tree.func).id
    if name not in FUNCTIONS:
        binder.fail(tree.func, "There is no function {name!r}.", "Did you mean {near}?", name=name,
                    near=nearest(name, FUNCTIONS))  # fmt: skip
    bind, least, most, example = FUNCTIONS[name]
    if not least <= len(tree.args) <= most:
        binder.fail(tree.func, "{name} takes {count} values, not {given}.", "Write for example {example}.", name=name,
                    count=least if least == most else f"{least} or {most}", given=len(tree.args),
                    example=example)  # fmt: skip
    return bind(binder, tree)


def _text(binder: Binder, place: ast.expr) -> Node:
    """A text argument; a record stands for its title."""
    bound = binder.bind(place)
    if isinstance(bound, RecordNode):
        bound = binder.names.title(bound) or bound
    if isinstance(bound, Node) and bound.sort is Sort.TEXT:
        return bound
    binder.fail(place, "This is {sort}, not text.", "Write a text field, or a text in quotation marks.",
                sort=bound.sort.value)  # fmt: skip


def _fixed_text(binder: Binder, place: ast.expr) -> str:
    bound = binder.bind(place)
    if isinstance(bound, Const) and isinstance(bound.value, str):
        return bound.value
    binder.fail(place, "A fixed text is needed here, not {sort}.", 'Write it in quotation marks: "...".',
                sort=bound.sort.value)  # fmt: skip


def _field_text(binder: Binder, place: ast.expr) -> Node:
    text = _text(binder, place)
    if isinstance(text, Const):
        binder.fail(place, "The first text must be a field.", "Write the field first, then what to look for in it.")
    return text


def _search(how: str) -> Function:
    def bind(binder: Binder, tree: ast.Call) -> Bound:
        text, part = tree.args
        if how == "contains":
            tags = binder.bind(text)
            if isinstance(tags, Leaf) and tags.sort is Sort.TAGS:
                return HasTag(tags, _text(binder, part))
        return Search(how, _field_text(binder, text), _text(binder, part))

    return bind


def _folded(how: str) -> Function:
    def bind(binder: Binder, tree: ast.Call) -> Bound:
        text = cast(Leaf, _field_text(binder, tree.args[0]))
        if not text.field.folded or text.custom:
            binder.fail(tree.args[0], "{field} keeps no folded form, which this function looks in.",
                        "Use the function without the i, or declare the field with folded=True.",
                        field=text.label)  # fmt: skip
        return Folded(how, text, _fixed_text(binder, tree.args[1]))

    return bind


def _length(binder: Binder, tree: ast.Call) -> Bound:
    return Length(_field_text(binder, tree.args[0]))


def _is_empty(binder: Binder, tree: ast.Call) -> Bound:
    node = binder.node(tree.args[0])
    if isinstance(node, Const):
        binder.fail(tree.args[0], "A fixed value is not asked whether it is empty.", "Write a field here.")
    return IsEmpty(node) if node.sort in (Sort.TEXT, Sort.TAGS) else comparing.absent(binder, tree.args[0], node)


def _date(binder: Binder, tree: ast.Call) -> Bound:
    text = _fixed_text(binder, tree.args[0])
    try:
        if len(text) != 10:
            raise ValueError
        return Const(dt.date.fromisoformat(text), sort=Sort.DAY)
    except ValueError:
        binder.fail(tree.args[0], "{text!r} is no day.", 'Write it as date("2026-01-31").', text=text)


def _moment(binder: Binder, tree: ast.Call) -> Bound:
    text = _fixed_text(binder, tree.args[0])
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return Const(moment.astimezone(dt.UTC), sort=Sort.MOMENT)
    except (ValueError, OverflowError):
        binder.fail(tree.args[0], "{text!r} is no moment with a time zone.",
                    'Write it as moment("2026-01-31T10:00:00+08:00").', text=text)  # fmt: skip


def _today(binder: Binder, tree: ast.Call) -> Bound:
    return Const(binder.env.today, sort=Sort.DAY)


def _now(binder: Binder, tree: ast.Call) -> Bound:
    return Const(binder.env.now.astimezone(dt.UTC), sort=Sort.MOMENT)


def _span(unit: dt.timedelta, whole_days: bool) -> Function:
    def bind(binder: Binder, tree: ast.Call) -> Bound:
        count = binder.bind(tree.args[0])
        if not (
            isinstance(count, Const)
            and isinstance(count.value, Decimal)
            and count.value == count.value.to_integral_value()
        ):
            binder.fail(tree.args[0], "A whole fixed number is needed here.", "Write for example days(30).")
        if abs(count.value) > MAX_SPAN / unit:
            binder.fail(tree.args[0], "This is longer than {days} days.", "Use a shorter time.", days=MAX_SPAN.days)
        return Span(unit * int(count.value), whole_days)

    return bind


def _money(binder: Binder, tree: ast.Call) -> Bound:
    amount = binder.bind(tree.args[0])
    currency = _fixed_text(binder, tree.args[1])
    value = amount.value if isinstance(amount, Const) else None
    if isinstance(value, str):
        if not _AMOUNT.fullmatch(value):
            binder.fail(tree.args[0], "{value!r} is no amount.", 'Write money("100.50", "CNY").', value=value)
        value = Decimal(value)
    elif not isinstance(value, Decimal):
        binder.fail(tree.args[0], "This is {sort}, not a fixed amount.", 'Write money("100.50", "CNY").',
                    sort=amount.sort.value)  # fmt: skip
    try:
        return Const(Money(value, currency), sort=Sort.MONEY)
    except ValidationError:
        binder.fail(tree.args[1], "{currency!r} is no currency.", "Use three capital letters, such as CNY.",
                    currency=currency)  # fmt: skip


def _members(binder: Binder, tree: ast.Call) -> tuple[Collection, Node | None]:
    collection = binder.bind(tree.args[0])
    if not isinstance(collection, Collection):
        binder.fail(tree.args[0], "This is {sort}, not a collection.",
                    "Write the name of a collection, such as contacts.", sort=collection.sort.value)  # fmt: skip
    if len(tree.args) == 1:
        return collection, None
    return collection, binder.within(collection, tree.args[0]).condition(tree.args[1])


def _quantified(how: str) -> Function:
    def bind(binder: Binder, tree: ast.Call) -> Bound:
        return Quantified(how, *_members(binder, tree))

    return bind


def _count(binder: Binder, tree: ast.Call) -> Bound:
    return Count(*_members(binder, tree))


FUNCTIONS: dict[str, tuple[Function, int, int, str]] = {
    "contains": (_search("contains"), 2, 2, 'contains(name, "bearing")'),
    "startswith": (_search("startswith"), 2, 2, 'startswith(name, "Acme")'),
    "endswith": (_search("endswith"), 2, 2, 'endswith(name, "Ltd")'),
    "icontains": (_folded("contains"), 2, 2, 'icontains(name, "bearing")'),
    "istartswith": (_folded("startswith"), 2, 2, 'istartswith(name, "acme")'),
    "iequals": (_folded("equals"), 2, 2, 'iequals(name, "acme")'),
    "length": (_length, 1, 1, "length(name) > 40"),
    "is_empty": (_is_empty, 1, 1, "is_empty(note)"),
    "date": (_date, 1, 1, 'date("2026-01-31")'),
    "moment": (_moment, 1, 1, 'moment("2026-01-31T10:00:00+08:00")'),
    "today": (_today, 0, 0, "today()"),
    "now": (_now, 0, 0, "now()"),
    "days": (_span(dt.timedelta(days=1), True), 1, 1, "days(30)"),
    "hours": (_span(dt.timedelta(hours=1), False), 1, 1, "hours(8)"),
    "money": (_money, 2, 2, 'money("100.50", "CNY")'),
    "any": (_quantified("any"), 1, 2, 'any(contacts, role == "buyer")'),
    "all": (_quantified("all"), 2, 2, 'all(contacts, role == "buyer")'),
    "none": (_quantified("none"), 1, 2, 'none(contacts, role == "buyer")'),
    "count": (_count, 1, 2, 'count(contacts, role == "buyer") >= 2'),
}
"""Each function with the least and greatest number of its values, and an example."""

"""A record proposed from a table: fields with their kinds, and why; and the key by which imports find it again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from crm_core.authoring.naming import class_name, in_words, snake, unique
from crm_core.authoring.personal import PHONE, about_a_person
from crm_core.errors import ExchangeError
from crm_core.exchange.drafting.keys import KEY_NAMES, key_columns
from crm_core.exchange.drafting.table import Column, Table, read_table
from crm_core.exchange.drafting.value_tests import DAYS, MOMENTS, currency_of

__all__ = ["Field", "Proposal", "propose", "quoted"]

_ACCOUNT = re.compile(r"(?i)customer|client|account(?!ing)|kunde|company|客户|公司|门店")
_CUSTOMER = re.compile(r"(?i)customer|client|account(?!ing)|kunde|客户|门店")
_NAME = re.compile(r"(?i)name$|名称$|名$|客户$|customer$|client$|account$")
_MONEY = re.compile(
    r"(?i)price|amount|cost|revenue|turnover|total|fee|freight|salary|budget|payment|betrag|preis|umsatz|价|金额|费|营业额|预算|收入"
)
_DAY = re.compile(r"(?i)date|day|datum|日期|时间|日$")
_TITLE = re.compile(r"(?i)name$|title$|subject$|名称$|标题$|主题$|名$")
_ENTRIES = (".vcf", ".vcard", ".ics", ".ical")
_LENGTHS = (20, 40, 80, 120, 200, 500, 1000, 2000)
_CHOICES = 12
_PERSONAL_KINDS = ("text", "email", "phone", "day", "url")
_TAKEN = frozenset({
    "id", "version", "created_at", "created_by", "updated_at", "custom", "valid_from", "valid_to", "retired", "account",
    "account_id", "contact", "contact_id", "metadata", "registry", "ref", "parent", "fields", "record", "dt",
})  # fmt: skip


@attrs.frozen(kw_only=True)
class Field:
    """A field that is proposed: its declaration in source code, and ``because``, which says what it was made from.

    ``because`` is a template for ``values``. ``source`` is what the mapping says of it, as TOML's values; ``sample`` an
    expression that makes a value for a test. ``personal`` is what it says of a person: a field of a contact, or a way
    to reach somebody.
    """

    column: str
    name: str
    kind: str
    annotation: str
    call: str
    label: str
    because: str
    values: dict[str, Any] = attrs.field(factory=dict)
    source: Any = None
    sample: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    text: bool = False
    personal: str | None = None

    @property
    def why(self) -> str:
        """Why, in English: for a comment in the source."""
        return self.because.format_map(self.values)


@attrs.frozen(kw_only=True)
class Proposal:
    """The record that a table seems to be about.

    ``key`` are the columns by which a row is known. ``account`` is the column that names an account, ``account_name``
    the one with its name. ``notes`` are pairs of template and values: what a reader should look at.
    """

    file: str
    record: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    repeated: bool = False
    account: str | None = None
    account_name: str | None = None
    account_optional: bool = False
    nothing: tuple[str, ...] = ()
    rows: int = 0
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()

    @property
    def personal(self) -> tuple[Field, ...]:
        """The fields that are about a person."""
        return tuple(field for field in self.fields if field.personal)

    @property
    def title(self) -> Field:
        """The field that people know the record by."""
        texts = [field for field in self.fields if field.text]
        named = [field for field in texts if _TITLE.search(field.column)]
        return (named or texts or list(self.fields))[0]


def propose(file: Path, record: str | None = None) -> Proposal:
    """Read a table and propose a record for its rows, called ``record`` or after the file.

    Raises :class:`~crm_core.errors.ExchangeError` where it cannot be read, or has no rows.
    """
    if file.suffix.lower() in _ENTRIES:
        raise ExchangeError(
            "{file} is no table but an address book or a calendar.",
            mend="'crm import {file}' takes it, without a mapping and without a record of its own.",
            file=str(file),
        )
    table = read_table(file)
    account, account_name = _account(table.columns)
    key, repeated = key_columns(table)
    fields: list[Field] = []
    taken = set(_TAKEN)
    for column in table.columns:
        if column is account:
            continue
        if key == (column,) and "whole" in column.possible and len(table.columns) > 1 + (account is not None):
            continue  # a running number means nothing but which row it is
        name = unique(snake(column.header) or f"column_{column.position + 1}", taken)
        taken.add(name)
        fields.append(_field(column, name, table))
    return Proposal(
        file=file.name,
        record=record or _record_name(file),
        fields=tuple(fields),
        key=tuple(column.header for column in key),
        repeated=repeated,
        account=account.header if account else None,
        account_name=account_name.header if account_name else None,
        account_optional=bool(account and account.empty),
        nothing=table.nothing,
        rows=len(table.rows),
        notes=tuple(_notes(table, fields, key, account, repeated)),
    )


def _record_name(file: Path) -> str:
    """The name of the file, without an ending of the plural: ``products.csv`` holds records ``product``."""
    name = snake(file.stem)[:30].strip("_")
    name = re.sub(r"ies$", "y", name) if name.endswith("ies") else re.sub(r"(?<=[a-z])(?<!s)s$", "", name)
    return unique(name or "item", {"use", "terms", "account", "item_id"})


def _notes(
    table: Table, fields: Sequence[Field], key: Sequence[Column], account: Column | None, repeated: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    if table.broken:
        yield "{count} rows cannot be read and were passed over.", {"count": table.broken}
    if table.others:
        yield "Only the first sheet was looked at, not: {sheets}.", {"sheets": ", ".join(table.others)}
    if not table.complete:
        yield "Only the first {count} rows were looked at.", {"count": len(table.rows)}
    if len(key) == 1 and all(field.column != key[0].header for field in fields) and key[0] is not account:
        yield "The column {column} is the key of imports, and no field.", {"column": key[0].header}
    if repeated:
        yield "No columns tell all rows apart: rows that are the same in all that is filled count once.", {}
    if personal := [field for field in fields if field.personal]:
        yield (
            "About a person, and erased with the contact that contact_id names: {columns}. Where it is a company's, "
            "take personal=True out; where nothing is left of it, contact_id, too, and say who may see the record."
        ), {"columns": ", ".join(field.column for field in personal)}  # fmt: skip
    if account is not None and account.empty:
        yield "The column {column} is empty in some rows, which then belong to no account.", {"column": account.header}


# -- accounts and keys -----------------------------------------------------------------------------------------


def _account(columns: Sequence[Column]) -> tuple[Column | None, Column | None]:
    """The column that names an account by its key or, for want of one, by its name; and the column of its name."""
    usable = [column for column in columns if column.filled and column.longest <= 200]
    keys = [each for each in usable if _ACCOUNT.search(each.header) and KEY_NAMES.search(each.header)]
    names = [each for each in usable if _ACCOUNT.search(each.header) and _NAME.search(each.header)]
    if keys:
        return keys[0], next((name for name in names if name is not keys[0] and not name.empty), None)
    customers = [each for each in names if _CUSTOMER.search(each.header)]
    return (customers[0], None) if customers else (None, None)


# -- kinds -----------------------------------------------------------------------------------------------------


@attrs.frozen
class _Guess:
    kind: str
    python: str
    arguments: str
    because: str
    sample: str
    values: dict[str, Any] = attrs.field(factory=dict)
    transform: Any = None
    choices: tuple[tuple[str, str], ...] = ()


def _field(column: Column, name: str, table: Table) -> Field:
    personal = about_a_person(column)
    # Names of people are no choice, however few there are.
    rules = [rule for rule in _RULES if personal is None or rule not in (_choice, _other_key)]
    guess = next(found for rule in rules if (found := rule(column)) is not None)
    if guess.kind not in _PERSONAL_KINDS:
        personal = None
    # An erased text is a mark in its place; of another kind nothing is left.
    optional = bool(column.empty or (personal and guess.kind != "text"))
    enum = class_name(name)
    arguments = guess.arguments.replace("{enum}", enum)
    options = [arguments] if arguments else []
    if optional:
        options.append("default=None")
    if personal:
        options.append("personal=True")
    label = in_words(name)
    if not column.header.isascii() or " " in column.header.strip():
        label = " ".join(column.header.split())
    if label != in_words(name):
        options.append(f"label={quoted(label)}")
    python = guess.python.replace("{enum}", enum)
    source: Any = column.header
    if guess.transform is not None:
        source = {"column": column.header, "transform": guess.transform}
    return Field(
        column=column.header, name=name, kind=guess.kind,
        annotation=f"{python} | None" if optional else python, call=f"{guess.kind}({', '.join(options)})",
        label=label, because=guess.because, values={"column": column.header, "filled": column.filled, **guess.values},
        source=source, sample=guess.sample.replace("{enum}", enum), required=not optional, choices=guess.choices,
        text=guess.kind == "text", personal=personal,
    )  # fmt: skip


def quoted(text: str) -> str:
    """A text as Python writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _nothing(column: Column) -> _Guess | None:
    if column.filled:
        return None
    return _Guess("text", "str", "", "The column {column} is empty: say what it is, or take it out.", '"x"')


def _address(column: Column) -> _Guess | None:
    if "email" in column.possible:
        return _Guess("email", "str", "", "Every value is an e-mail address.", '"info@example.com"')
    if "url" in column.possible:
        return _Guess("url", "str", "", "Every value is a web address.", '"https://example.com"')
    if "phone" in column.possible and (PHONE.search(column.header) or all(v.startswith("+") for v in column.values)):
        return _Guess("phone", "str", "", "Every value looks like a telephone number.", '"+86 10 6552 9988"')
    return None


def _flag(column: Column) -> _Guess | None:
    if "flag" not in column.possible or len({value.strip().lower() for value in column.values}) != 2:
        return None
    words = ", ".join(sorted(column.values))
    return _Guess("flag", "bool", "", "There are two values only: {words}.", "False", {"words": words})


def _time(column: Column) -> _Guess | None:
    if "day" in column.possible:
        return _Guess("day", "dt.date", "", "Every value is a day.", "dt.date(2026, 1, 5)")
    if "moment" in column.possible:
        because = "Every value is a moment; without a zone it is one of the organisation's."
        return _Guess("moment", "dt.datetime", "", because, "dt.datetime(2026, 1, 5, tzinfo=dt.UTC)", {}, "moment")
    days = [each for each in DAYS if f"day {each}" in column.possible]
    if days == ["%Y%m%d"] and not _DAY.search(column.header):
        days = []
    moments = [each for each in MOMENTS if f"moment {each}" in column.possible]
    for kind, found, python, sample in (
        ("day", days, "dt.date", "dt.date(2026, 1, 5)"),
        ("moment", moments, "dt.datetime", "dt.datetime(2026, 1, 5, tzinfo=dt.UTC)"),
    ):
        if found:
            because = "Every value reads as {format}." if len(found) == 1 else (
                "Every value reads as {format}, but also as {other}: look which it is."
            )  # fmt: skip
            values = {"format": found[0], "other": found[-1]}
            return _Guess(kind, python, "", because, sample, values, {"name": kind, "format": found[0]})
    return None


def _other_key(column: Column) -> _Guess | None:
    if "whole" not in column.possible or not KEY_NAMES.search(column.header) or _MONEY.search(column.header):
        return None
    because = (
        "It looks like the key of a row of another table: make it ref('...') when that is a record, too. "
        "Until then it is a text, since nobody counts with it."
    )
    length = _length(column)
    return _Guess("text", "str", length, because, '"1"')


def _number(column: Column) -> _Guess | None:
    comma = "number" not in column.possible and "comma" in column.possible
    if "amount" in column.possible:
        return _amount(column)
    if "percent" in column.possible:
        scale = _scale(column, ".", "% ")
        because = "Every value is a percentage; the sign is taken off."
        bare = [{"name": "replace", "old": "%", "new": ""}, "decimal"]
        return _Guess("number", "Decimal", f"{max(scale, 1)}", because, 'Decimal("1")', {}, bare)
    if not comma and "number" not in column.possible:
        return None
    scale, digits = _scale(column, "," if comma else "."), max(sum(map(str.isdigit, each)) for each in column.values)
    if digits > 18 or scale > 12:
        because = (
            "Every value is a number, but with up to {digits} digits, {scale} of them decimals: a number holds 18 "
            "and 12. It is kept as a text, until the source rounds it."
        )
        return _Guess("text", "str", _length(column), because, '"1"', {"digits": digits, "scale": scale})
    because = "Every value is a number with at most {scale} decimals."
    values = {"scale": scale}
    if _MONEY.search(column.header):
        how: Any = {"name": "money", "comma": True} if comma else "money"
        because = "Its name speaks of money, and every value is a number; the currency is that of the build."
        return _Guess("money", "Money", f"{max(scale, 2)}", because, 'Money("1", "CNY")', {}, how)
    if scale == 0 and not comma:
        return _Guess("number", "int", "0", "Every value is a whole number.", "1")
    transform = {"name": "decimal", "comma": True} if comma else None
    return _Guess("number", "Decimal", f"{max(scale, 1)}", because, 'Decimal("1")', values, transform)


def _amount(column: Column) -> _Guess | None:
    found = {currency_of(each) for each in column.values}
    if len(found) != 1 or (pair := found.pop()) is None:
        return None
    sign, code = pair
    scale = _scale(column, ".", f"{sign} ")
    if scale > 12:
        return None
    how = [{"name": "replace", "old": sign, "new": ""}, {"name": "money", "currency": code}]
    because = "Every value is an amount in {sign}, which is taken for {code}."
    return _Guess(
        "money", "Money", f"{max(scale, 2)}", because, f'Money("1", "{code}")', {"sign": sign, "code": code}, how
    )


def _scale(column: Column, point: str, around: str = " ") -> int:
    return max(len(value.strip(around).partition(point)[2]) for value in column.values)


def _choice(column: Column) -> _Guess | None:
    values = sorted(column.values)
    few = len(values) <= _CHOICES and column.filled >= 5 * len(values) and len(values) > 1
    if not few or column.longest > 40 or any(value != value.strip() for value in values):
        return None
    choices: dict[str, str] = {}
    for value in values:
        choices[unique(snake(value) or "value", choices)] = value
    members = tuple((name.upper(), value) for name, value in choices.items())
    because = "{count} values occur in {filled} rows. Should a build be able to add more, use text(vocabulary=...)."
    return _Guess(
        "choice", "{enum}", "{enum}", because, f"{{enum}}.{members[0][0]}", {"count": len(values)}, None, members
    )


def _length(column: Column) -> str:
    """With a quarter to spare: what comes later may be longer."""
    wanted = column.longest + column.longest // 4
    return next((str(each) for each in _LENGTHS if each >= wanted), "None")


def _text(column: Column) -> _Guess:
    return _Guess(
        "text", "str", _length(column), "The longest of {filled} values has {longest} characters.", '"x"',
        {"longest": column.longest},
    )  # fmt: skip


_RULES: Sequence[Callable[[Column], _Guess | None]] = (
    _nothing, _address, _flag, _time, _other_key, _number, _choice, _text
)  # fmt: skip

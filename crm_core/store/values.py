"""Between records, column values and the journal's JSON: generated once per record type, because bulk work is hot."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from crm_core.errors import Problem, ValidationError
from crm_core.fields.field import NO_DEFAULT, Field
from crm_core.fields.folding import sort_key
from crm_core.fields.kinds.times import FIRST, LAST
from crm_core.records import RecordType

__all__ = [
    "Preparer",
    "column_values",
    "decode_values",
    "encode_values",
    "from_columns",
    "key_column",
    "preparer",
    "row_reader",
]

Fill: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]
Setting: TypeAlias = tuple[tuple[str, ...], Callable[[Mapping[str, Any]], tuple[Any, ...]]]

_WORTH_IT = 50
"""A function is written for as many rows."""

_FILLERS = 32
"""So many are kept for a record type; whoever gives its fields in more ways has them filled in the general way."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode_values(values: Mapping[str, Any]) -> str:
    """The journal's JSON: decimals as text, moments in ISO 8601, money and addresses as objects."""
    return _encoder.encode(values).decode()


def decode_values(record_type: RecordType | None, text: str | None) -> dict[str, Any]:
    """Back to Python values; fields that are no longer declared stay as JSON."""
    if text is None:
        return {}
    raw: dict[str, Any] = _decoder.decode(text)
    if record_type is None:
        return raw
    return {name: _decode(record_type, name, value) for name, value in raw.items()}


def _decode(record_type: RecordType, name: str, value: Any) -> Any:
    field = record_type.by_name.get(name)
    if value is None:
        return None
    if field is None:
        if name in ("created_at", "updated_at"):
            return dt.datetime.fromisoformat(value)
        return value
    try:
        return field.kind.decode(value)
    except ValidationError:
        return value  # history may hold what today's rules would refuse: show it as it was


def key_column(field: Field) -> str:
    """The column with the sort key of a folded field."""
    return f"{field.name}_key"


def column_values(field: Field, value: Any) -> dict[str, Any]:
    """A field value as column values, with its sort key."""
    if value is None:
        row: dict[str, Any] = dict.fromkeys(field.column_names)
    else:
        row = dict(zip(field.column_names, field.kind.split(value), strict=True))
    if field.folded:
        row[key_column(field)] = None if value is None else sort_key(value, surname=field.surname)
    return row


def from_columns(record_type: RecordType, row: Mapping[str, Any]) -> dict[str, Any]:
    """Field values from a row's column values; absent columns give no field."""
    return row_reader(record_type, tuple(row))(tuple(row.values()))


@functools.lru_cache(maxsize=1024)  # whoever asks for rows chooses the fields
def row_reader(
    record_type: RecordType, columns: tuple[str, ...], beside: tuple[str, ...] = ()
) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """What makes field values of rows with just these columns; those ``beside`` are no fields, and come as they are."""
    places = {name: number for number, name in enumerate(columns)}
    single = [(name, places[name]) for name in beside]
    composed: list[tuple[str, Callable[[tuple[Any, ...]], Any], list[int]]] = []
    for field in record_type.fields:
        names = field.column_names
        if names[0] not in places:
            continue
        if len(names) == 1:
            single.append((field.name, places[names[0]]))
        else:
            composed.append((field.name, field.kind.join, [places[name] for name in names]))

    def read(row: Sequence[Any]) -> dict[str, Any]:
        values = {name: row[place] for name, place in single}
        for name, join, parts in composed:
            values[name] = join(tuple([row[place] for place in parts]))
        return values

    return read


class Preparer:
    """Turns plain mappings into checked values and driver rows, for one record type and one database.

    ``columns`` are the columns in the order of ``driver_row``.
    """

    def __init__(self, record_type: RecordType, dialect: str) -> None:
        self.type, self.dialect = record_type, dialect
        self.columns: tuple[str, ...] = tuple(column.name for column in record_type.table.c)
        self.known = frozenset(field.name for field in record_type.fields) | {"custom"}
        self._fill, self.driver_row = _generate(record_type, dialect, self.columns)
        self._fillers: dict[tuple[str, ...], Fill] = {}

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """All field values of a new record, checked and completed; raises :class:`ValidationError`."""
        if not row.keys() <= self.known:
            for name in row.keys() - self.known:
                if name != "id":
                    self.type.field(name)  # raises with the nearest names
        return self._fill(row)

    def all_values(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The same for many rows, of which most give the same names: those are not looked for in each anew."""
        names = tuple(rows[0])
        fill = self._fillers.get(names)
        if fill is None:
            if len(rows) < _WORTH_IT or len(self._fillers) >= _FILLERS or not self.known.issuperset(names):
                return [self.values(row) for row in rows]
            fill = self._fillers[names] = _fill_given(self.type, frozenset(names))
        return [fill(row) if tuple(row) == names else self.values(row) for row in rows]

    def setting(self, names: frozenset[str]) -> Setting:
        """The columns of these fields (and of ``custom``), and what lays values out for the driver in their order.

        Values may be absent wherever there is a field: what is restored may lack what the build requires by now.
        """
        return _setting(self.type, self.dialect, names)

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Some field values of an existing record, checked."""
        return {
            name: value if name == "custom" else self.type.field(name).check(value, self.type.name)
            for name, value in values.items()
        }


@functools.cache
def preparer(record_type: RecordType, dialect: str) -> Preparer:
    """The one preparer of a record type and database."""
    return Preparer(record_type, dialect)


def _missing(field: Field, record: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise ValidationError(
            "{record} cannot be written.",
            [Problem(field.name, "A value is needed.", "Give one.")],
            record=record,
        )

    return fail


def _present(custom: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in custom.items() if value is not None}


def _generate(
    record_type: RecordType, dialect: str, columns: Sequence[str]
) -> tuple[Fill, Callable[..., tuple[Any, ...]]]:
    """Write two functions as source: checking a row, and laying values out for the driver.

    Per-field calls cost ten times as much as one generated function (see the design's figures); all names that appear
    in the source are field names, which the declaration limits to identifiers.
    """
    scope: dict[str, Any] = {
        "MISSING": NO_DEFAULT, "date_": dt.date, "datetime_": dt.datetime, "utc_": dt.UTC, "first_": FIRST,
        "last_": LAST, "Decimal": Decimal, "sort_key": sort_key, "present": _present,
    }  # fmt: skip
    fill = ["def fill(row):", " get = row.get", " values = {}"]
    layout: dict[str, str] = {
        "id": "id_", "version": "version", "created_at": "at", "created_by": "by", "updated_at": "updated or at",
    }  # fmt: skip
    _layout_custom(scope, layout, record_type, dialect)
    for number, field in enumerate(record_type.fields):
        _fill_field(field, number, scope, fill, record_type.name)
        _layout_field(field, number, scope, layout, record_type, dialect, optional=field.optional)
    fill += [" custom = get('custom')", " if custom: values['custom'] = present(custom)", " return values"]
    body = ", ".join(layout[name] for name in columns)
    lay = f"def lay(id_, values, version, at, by, updated=None):\n return ({body},)"
    filling = "\n".join(fill)
    exec(filling, scope)  # noqa: S102 - made of declared field names only  # nosec B102
    exec(lay, scope)  # noqa: S102 - the same  # nosec B102
    return scope["fill"], scope["lay"]


@functools.lru_cache(maxsize=1024)
def _setting(record_type: RecordType, dialect: str, names: frozenset[str]) -> Setting:
    """Write a function that lays out some fields: see :func:`_generate`."""
    scope: dict[str, Any] = {"sort_key": sort_key}
    layout: dict[str, str] = {}
    for number, field in enumerate(record_type.fields):
        if field.name in names:
            _layout_field(field, number, scope, layout, record_type, dialect, optional=True)
    if "custom" in names:
        _layout_custom(scope, layout, record_type, dialect)
    exec(f"def lay(values):\n return ({', '.join(layout.values())},)", scope)  # noqa: S102 - as above  # nosec B102
    return tuple(layout), scope["lay"]


def _fill_given(record_type: RecordType, given: frozenset[str]) -> Fill:
    """Write a function for rows that give exactly these names: all else is known beforehand."""
    scope: dict[str, Any] = {
        "date_": dt.date, "datetime_": dt.datetime, "utc_": dt.UTC, "first_": FIRST, "last_": LAST, "Decimal": Decimal,
        "present": _present,
    }  # fmt: skip
    source, items = ["def fill(row):"], []
    for number, field in enumerate(record_type.fields):
        if field.name in given:
            scope[f"check{number}"] = functools.partial(field.check, record=record_type.name)
            scope[f"kind{number}"] = field.kind
            fast = field.kind.fast(f"v{number}").replace("kind_", f"kind{number}")
            absent = f" v{number} is not None and" if field.optional else ""
            source.append(f" v{number} = row[{field.name!r}]")
            source.append(f" if{absent} not ({fast}): v{number} = check{number}(v{number})")
            items.append(f"{field.name!r}: v{number}")
        elif field.required:
            scope[f"default{number}"] = _missing(field, record_type.name)
            items.append(f"{field.name!r}: default{number}()")
        elif field.factory is not None:
            scope[f"default{number}"] = functools.partial(_made, field, record_type.name)
            items.append(f"{field.name!r}: default{number}()")
        else:
            scope[f"default{number}"] = field.default if field.default is None else field.check(field.default)
            items.append(f"{field.name!r}: default{number}")
    source.append(f" values = {{{', '.join(items)}}}")
    if "custom" in given:
        source += [" custom = row['custom']", " if custom: values['custom'] = present(custom)"]
    source.append(" return values")
    exec("\n".join(source), scope)  # noqa: S102 - made of declared field names only  # nosec B102
    fill: Fill = scope["fill"]
    return fill


def _made(field: Field, record: str) -> Any:
    return field.check(field.initial(), record)


def _fill_field(field: Field, number: int, scope: dict[str, Any], source: list[str], record: str) -> None:
    name = field.name
    scope[f"check{number}"] = lambda value, field=field: field.check(value, record)
    scope[f"kind{number}"] = field.kind
    fast = field.kind.fast("v").replace("kind_", f"kind{number}")
    source.append(f" v = get({name!r}, MISSING)")
    if field.required:
        scope[f"missing{number}"] = _missing(field, record)
        source.append(f" if v is MISSING: missing{number}()")
    else:
        scope[f"default{number}"] = field.initial
        if field.factory is None:
            # Defaults are immutable and were checked when the record was declared.
            scope[f"default{number}"] = field.default if field.default is None else field.check(field.default)
            source.append(f" if v is MISSING: v = default{number}")
        else:
            source.append(f" if v is MISSING: v = default{number}()")
    absent = " v is not None and" if field.optional else ""
    source.append(f" if{absent} not ({fast}): v = check{number}(v)")
    source.append(f" values[{name!r}] = v")


def _layout_custom(scope: dict[str, Any], layout: dict[str, str], record_type: RecordType, dialect: str) -> None:
    scope["json_"] = record_type.table.c.custom.type.to_driver(dialect)  # type: ignore[attr-defined]
    layout["custom"] = "json_(values['custom']) if values.get('custom') else None"


def _layout_field(
    field: Field,
    number: int,
    scope: dict[str, Any],
    layout: dict[str, str],
    record_type: RecordType,
    dialect: str,
    *,
    optional: bool,
) -> None:
    name, names = field.name, field.column_names
    for index, column in enumerate(names):
        part = f"values[{name!r}]"
        if len(names) > 1:
            scope[f"split{number}"] = field.kind.split
            part = f"split{number}({part})[{index}]"
        column_type = record_type.table.c[column].type
        to_driver = getattr(column_type, "to_driver", None)
        convert = to_driver(dialect) if to_driver is not None else None
        if convert is None and field.kind.name == "day" and dialect == "sqlite":
            convert = dt.date.isoformat
        if convert is not None:
            scope[f"convert{number}_{index}"] = convert
            part = f"convert{number}_{index}({part})"
        if optional and (convert is not None or len(names) > 1):
            part = f"(None if values[{name!r}] is None else {part})"
        layout[column] = part
    if field.folded:
        key = f"sort_key(values[{name!r}], surname={field.surname})"
        layout[key_column(field)] = f"(None if values[{name!r}] is None else {key})" if optional else key

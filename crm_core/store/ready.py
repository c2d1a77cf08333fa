"""Statements that somebody keeps, handed to the driver as text from the second time on.

SQLAlchemy finds what it compiled of a statement by a key that it makes of the whole each time, sets it up for the
values that are given, and lets its mapper look at what comes: that takes several times as long as a look at a few rows.
A kept statement that asks for columns needs none of it again: what is kept of it is the text, what to do with the
values that are given, and with those that come.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Integer, String, TupleType, bindparam
from sqlalchemy.engine import Result
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql import Select
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import TypeEngine

from crm_core.fields.columns import Choice

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Dialect

__all__ = ["MOST", "Ready", "ready"]

MOST = 64
"""Of more ids than this a statement is left to SQLAlchemy, since they are parameters of a text of their own."""

Converter = Callable[[Any], Any]

_SPELT = (Integer, String, Choice)
"""Types whose constants the database reads as what they are beside a column."""


@attrs.define(eq=False)
class _Text:
    """What the driver gets for lists of certain lengths; what it answers is known when it did so once."""

    sql: str
    order: Sequence[str] | None
    constants: Mapping[str, Any]
    converters: Mapping[str, Converter | None]
    answer: SimpleResultMetaData | None = None


@attrs.define(eq=False)
class Ready:
    """What is kept of a statement that asks for columns; not the statement, which is there for as long as its owner."""

    dialect: Dialect
    lists: tuple[str, ...]
    """The names of its parameters that are lists."""
    columns: Sequence[Mapping[str, Any]]
    _texts: dict[tuple[int, ...], _Text | None] = attrs.field(factory=dict)

    def execute(self, statement: Any, connection: Connection, values: Mapping[str, Any]) -> Result[Any] | None:
        """The rows of the statement; ``None`` where SQLAlchemy must execute it, or say what is missing."""
        heard: Any = connection.dispatch
        if heard.before_execute or heard.after_execute:
            return None  # whoever listens expects statements, not text
        flat, widths = dict(values), {}
        for name in self.lists:
            given = values.get(name)
            if not isinstance(given, list | tuple) or not 0 < len(given) <= MOST:
                return None
            # The last is repeated, so that there are few texts, and few plans.
            widths[name] = width = 1 << (len(given) - 1).bit_length()
            flat.update(zip(_names(name, width), [*given, *[given[-1]] * (width - len(given))], strict=True))
        key = tuple(widths.values())
        if key not in self._texts:
            self._texts[key] = self._written(statement, widths)
        text = self._texts[key]
        if text is None:
            return None
        parameters = dict(text.constants)
        for name, convert in text.converters.items():
            if name not in flat:
                return None
            parameters[name] = flat[name] if convert is None else convert(flat[name])
        ordered = parameters if text.order is None else tuple([parameters[name] for name in text.order])
        found = connection.exec_driver_sql(text.sql, ordered)
        if text.answer is None:
            text.answer = self._answer([each[1] for each in found.cursor.description])
        return IteratorResult(text.answer, iter(found.fetchall()))

    def _written(self, statement: Any, widths: Mapping[str, int]) -> _Text | None:
        """The text for lists of these lengths; ``None`` where values decide what stands in it."""
        kind: Any = type(self.dialect)
        compiled = _writer(kind)(self.dialect, statement, widths)
        if compiled.post_compile_params or compiled.literal_execute_params:
            return None
        constants: dict[str, Any] = {}
        converters: dict[str, Converter | None] = {}
        for name in compiled.bind_names.values():
            parameter = compiled.binds[name]
            convert = parameter.type.dialect_impl(self.dialect).bind_processor(self.dialect)
            if parameter.required:
                converters[name] = convert
            elif parameter.unique and parameter.callable is None:
                constants[name] = parameter.value if convert is None else convert(parameter.value)
            else:
                return None  # it may be replaced by name, or is made anew each time
        return _Text(compiled.string, compiled.positiontup, constants, converters)

    def _answer(self, kinds: Sequence[Any]) -> SimpleResultMetaData:
        """How rows are read: names, and what makes values of what the driver gives."""
        types = [each["type"].dialect_impl(self.dialect) for each in self.columns]
        readers = [each.result_processor(self.dialect, kind) for each, kind in zip(types, kinds, strict=True)]
        return SimpleResultMetaData(
            [each["name"] for each in self.columns], [(each["expr"],) for each in self.columns], _processors=readers
        )


def ready(statement: Any, dialect: Dialect) -> Ready | None:
    """A statement as text; ``None`` for one that asks for more than columns, or takes what a text can not."""
    if not isinstance(statement, Select):
        return None
    columns: Any = statement.column_descriptions
    if not all(isinstance(each["type"], TypeEngine) for each in columns):
        return None
    parts = (statement, *(option.where_criteria for option in getattr(statement, "_with_options", ())))
    parameters: list[Any] = [each for part in parts for each in iterate(part) if each.__visit_name__ == "bindparam"]
    return Ready(dialect, tuple({each.key: None for each in parameters if _is_list(each)}), columns)


def _is_list(parameter: BindParameter[Any]) -> bool:
    return parameter.expanding and parameter.required and not isinstance(parameter.type, TupleType)


@functools.cache
def _writer(dialect: Any) -> Any:
    """A compiler of a database that writes each list as so many parameters, and those that never change as they are."""

    class Writer(dialect.statement_compiler):  # type: ignore[misc]  # what is beneath depends on the database
        def __init__(self, dialect: Dialect, statement: Any, widths: Mapping[str, int]) -> None:
            self._widths = widths
            super().__init__(dialect, statement)

        def visit_bindparam(self, bindparam: BindParameter[Any], **how: Any) -> str:
            if _is_list(bindparam) and bindparam.key in self._widths:
                return f"({', '.join(self.process(each, **how) for each in _each(bindparam, self._widths))})"
            if bindparam.expanding and not bindparam.required and isinstance(bindparam.type, _SPELT):
                how["literal_binds"] = True
            written: str = super().visit_bindparam(bindparam, **how)
            return written

    return Writer


def _each(parameter: BindParameter[Any], widths: Mapping[str, int]) -> list[BindParameter[Any]]:
    return [bindparam(name, type_=parameter.type) for name in _names(parameter.key, widths[parameter.key])]


def _names(name: str, width: int) -> list[str]:
    """What the parameters of a list are called; no parameter without a name is called so."""
    return [f"each{number}_{name}" for number in range(width)]

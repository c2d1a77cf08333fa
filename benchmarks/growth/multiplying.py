"""Many times as many rows as the CRM wrote, made inside of the database: every row of every table, with other ids.

A copy is the pattern with its ids moved by a fixed distance, and another word for its mark. Which columns hold ids and
which hold the mark is read from the rows themselves, so that what the kernel keeps tomorrow is copied, too, or refused.
The tests prove that the journal of a multiplied database says what its tables say, and that no index needs mending.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from string import ascii_lowercase
from typing import Any

from sqlalchemy import Column, String, Table
from sqlalchemy.schema import CreateIndex

from benchmarks.growth.company import MARK, Pattern
from benchmarks.growth.loading import RANK, Copied, Loader, loader_for, quoted
from crm_core import Crm
from crm_core.fields.columns import Lexemes
from crm_core.store.search.texts import PART, tokens_of
from crm_core.store.tables import CHANGE, CHANGE_SET, MATCH_KEY, SEARCH_DOCUMENT, TECHNICAL_TABLES

__all__ = ["mark_of", "multiply"]

_LETTERS = len(ascii_lowercase)
_MARKS = _LETTERS ** len(MARK)
# Prime to the number of marks, so that each number has another one, and neighbours are far apart.
_STEP = 104_729
_IDS_WITHIN = 3
_IDS = re.compile(r'(?<=_id":)\d+(?=[,}])')
_WITH_IDS = {
    (CHANGE.name, "before"): _IDS,
    (CHANGE.name, "after"): _IDS,
    (MATCH_KEY.name, "key"): re.compile(r"^\d+(?= )"),
}
"""Texts that ids stand in."""


def mark_of(number: int) -> str:
    """The mark of a copy; that of the pattern, which is number 0, is :data:`MARK`."""
    rest = number * _STEP
    for letter, power in zip(MARK, range(len(MARK) - 1, -1, -1), strict=True):
        rest += ascii_lowercase.index(letter) * _LETTERS**power
    letters = ""
    for _ in MARK:
        rest, last = divmod(rest, _LETTERS)
        letters = ascii_lowercase[last] + letters
    return letters


def multiply(crm: Crm, pattern: Pattern, copies: int, note: Callable[[str], None] = lambda _text: None) -> None:
    """Let there be ``copies`` of the pattern, which itself is the first. The CRM must be opened anew afterwards."""
    if copies > _MARKS:
        raise ValueError(f"at most {_MARKS} copies have marks of their own")
    distance = pattern.high - pattern.low
    engine = crm.store.engine
    loader = loader_for(engine)
    tables = [*(each.table for each in crm.types.values()), *TECHNICAL_TABLES]
    indexes = [index for table in tables for index in table.indexes]
    engine.dispose()
    with closing(loader.connect()) as connection:
        run = connection.cursor()
        loader.begin(run)
        places = _ranked(loader, run, pattern, copies)
        copied = [found for table in tables if (found := _prepared(loader, run, table, pattern, places)) is not None]
        copied += loader.others(run, _grams(MARK))
        loader.commit(run)
        # To look every new row up in every index takes many times as long as to sort each once.
        for index in indexes:
            run.execute(f"DROP INDEX {quoted(str(index.name))}")
        for number in range(1, copies):
            values = _values(number, distance, copies)
            for each in copied:
                run.execute(each.statement(values))
            if number % 10 == 0:
                loader.commit(run)
                note(f"{number + 1} of {copies} copies")
        _move_places(run, places, copies)
        for name in (*(each.source for each in copied), RANK):
            run.execute(f"DROP TABLE {name}")
        loader.next_id(run, pattern.low + copies * distance)
        loader.commit(run)
        for index in indexes:
            note(f"index {index.name}")
            run.execute(str(CreateIndex(index).compile(dialect=engine.dialect)))
            loader.commit(run)
        loader.end(run)


def _values(number: int, distance: int, copies: int) -> dict[str, str]:
    """What tells one copy from another."""
    mark = mark_of(number)
    found = {"shift": str(number * distance), "mark": mark, "number": str(number), "copies": str(copies)}
    return found | {f"gram{place}": gram for place, gram in enumerate(_grams(mark))}


def _grams(mark: str) -> list[str]:
    return tokens_of(f"{mark}{PART}{PART}{PART}")


# -- where the change sets stand ---------------------------------------------------------------------------------


def _ranked(loader: Loader, run: Any, pattern: Pattern, copies: int) -> dict[str, str]:
    """Number the change sets since the pattern was begun, and say where in the feed each copy of one stands.

    The copies of one stand side by side: the moments of heads never run backwards along the feed.
    """
    run.execute(f"CREATE TABLE {RANK} (id BIGINT PRIMARY KEY, place BIGINT)")
    run.execute(
        f"INSERT INTO {RANK} SELECT id, row_number() OVER (ORDER BY place, id) - 1 FROM crm_change_set"
        f" WHERE id >= {pattern.low}"
    )
    count = run.execute(f"SELECT count(*) FROM {RANK}").fetchone()[0]
    return loader.places(run, count * copies)


def _rank_of(id_: str) -> str:
    return f"(SELECT r.place FROM {RANK} AS r WHERE r.id = {id_})"


def _move_places(run: Any, places: Mapping[str, str], copies: int) -> None:
    """Make room between the change sets of the pattern for those of its copies."""
    values = {"rank": _rank_of("crm_change_set.id"), "copies": str(copies), "number": "0"}
    settings = ", ".join(f"{name} = {each.format_map(values)}" for name, each in places.items())
    run.execute(f"UPDATE crm_change_set SET {settings} WHERE id IN (SELECT id FROM {RANK})")


# -- what is copied ----------------------------------------------------------------------------------------------


def _prepared(loader: Loader, run: Any, table: Table, pattern: Pattern, places: Mapping[str, str]) -> Copied | None:
    """What is copied of a table: the rows of the pattern, in a table of their own."""
    source = f"growth_{table.name}"
    inside = f"BETWEEN {pattern.low} AND {pattern.high - 1}"
    if table is CHANGE_SET:
        which = f"id IN (SELECT change_set_id FROM crm_change WHERE record_id {inside})"
    elif "record_id" in table.c and table is not SEARCH_DOCUMENT:
        which = f"record_id {inside}"
    elif "id" in table.c:
        which = f"id {inside}"
    else:
        return None
    order = ", ".join(quoted(column.name) for column in table.primary_key.columns)
    run.execute(f"CREATE TABLE {source} AS SELECT * FROM {quoted(table.name)} WHERE {which} ORDER BY {order}")
    if not run.execute(f"SELECT count(*) FROM {source}").fetchone()[0]:
        run.execute(f"DROP TABLE {source}")
        return None
    columns = {column.name: _copy_of(loader, run, source, column, pattern) for column in table.c}
    if table is CHANGE_SET:
        columns |= {name: each.replace("{rank}", _rank_of("s.id")) for name, each in places.items()}
    texts = [name for name in columns if (table.name, name) in _WITH_IDS]
    if texts:
        pieces = _take_apart(loader, run, source, table.name, texts, pattern)
        columns |= {name: _marked(each) for name, each in pieces.items()}
    return Copied(table.name, source, columns)


def _copy_of(loader: Loader, run: Any, source: str, column: Column[Any], pattern: Pattern) -> str:
    name, value = column.name, f"s.{quoted(column.name)}"
    if name == "id" or name.endswith("_id"):
        inside = f"{value} BETWEEN {pattern.low} AND {pattern.high - 1}"
        counts = f"SELECT count({value}), count(CASE WHEN {inside} THEN 1 END) FROM {source} AS s"
        there, own = run.execute(counts).fetchone()
        if own not in (0, there):
            raise ValueError(f"{source}.{name} refers to what is copied, and to what is not")
        return f"{value} + {{shift}}" if own else value
    if isinstance(column.type, Lexemes):
        return loader.tokens(run, source, name, _grams(MARK))
    if isinstance(column.type, String):
        query = f"SELECT 1 FROM {source} AS s WHERE {value} LIKE '%{MARK}%' LIMIT 1"
        return _marked(value) if run.execute(query).fetchone() else value
    return value


def _marked(expression: str) -> str:
    return f"replace({expression}, '{MARK}', '{{mark}}')"


def _take_apart(
    loader: Loader, run: Any, source: str, table: str, names: Sequence[str], pattern: Pattern
) -> dict[str, str]:
    """Cut texts around the ids of the pattern that they name, and say how to put them together for a copy."""
    parts = {name: [f"{name}_{number}" for number in range(2 * _IDS_WITHIN + 1)] for name in names}
    for columns in parts.values():
        for number, column in enumerate(columns):
            run.execute(f"ALTER TABLE {source} ADD COLUMN {column} {'BIGINT' if number % 2 else 'TEXT'}")
    rows = run.execute(f"SELECT {loader.row}, {', '.join(map(quoted, names))} FROM {source}").fetchall()
    cut = [
        (*(each for name, text in zip(names, texts, strict=True) for each in _pieces(table, name, text, pattern)), row)
        for row, *texts in rows
    ]
    added = [column for columns in parts.values() for column in columns]
    settings = ", ".join(f"{column} = {loader.parameter}" for column in added)
    run.executemany(f"UPDATE {source} SET {settings} WHERE {loader.row} = {loader.parameter}", cut)
    whole = {}
    for name, columns in parts.items():
        pairs = [
            f"coalesce(CAST(s.{number} + {{shift}} AS TEXT) || s.{text}, '')"
            for number, text in zip(columns[1::2], columns[2::2], strict=True)
        ]
        whole[name] = " || ".join((f"s.{columns[0]}", *pairs))
    return whole


def _pieces(table: str, name: str, text: str | None, pattern: Pattern) -> list[str | int | None]:
    """Text, id, text, id, ..., text; absent at the end."""
    size = 2 * _IDS_WITHIN + 1
    if text is None:
        return [None] * size
    found: list[str | int | None] = []
    last = 0
    for match in _WITH_IDS[table, name].finditer(text):
        if pattern.low <= int(match.group()) < pattern.high:
            found += [text[last : match.start()], int(match.group())]
            last = match.end()
    found.append(text[last:])
    if len(found) > size:
        raise ValueError(f"more than {_IDS_WITHIN} ids in {text}")
    return found + [None] * (size - len(found))

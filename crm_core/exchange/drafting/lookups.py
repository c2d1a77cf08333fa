"""How a mapping finds the records that rows refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_core.exchange.drafting.candidates import Candidate
from crm_core.exchange.drafting.keys import KEY_NAMES
from crm_core.exchange.drafting.looks import looks, sample
from crm_core.exchange.drafting.table import Column
from crm_core.fields.field import Field

__all__ = ["lookup_by_key", "lookup_of"]


def lookup_of(candidate: Candidate, field: Field, prefixes: Mapping[tuple[int, str], str]) -> Any:
    """How the record is found that a column refers to; ``prefixes`` stand before keys, by table and record."""
    column, reference, record = candidate.column, candidate.reference, str(field.target)
    optional: dict[str, Any] = {} if field.required or reference is not None else {"missing": "empty"}
    if reference is not None and reference.by_name:
        return {"column": column.header, "lookup": {"record": record, "by": "name"}}
    if reference is not None:
        prefix = prefixes.get((id(reference.table), record), "")
        if prefix:
            return {"lookup": {"record": record, "key": prefix + "{" + column.header + "}"}}
        return {"column": column.header, "lookup": record}
    by = _of_a_user(column) if record == "user" else None
    if record == "account" and candidate.target.record != "affiliation" and not KEY_NAMES.search(column.header):
        by = "name"
    if by:
        return {"column": column.header, "lookup": {"record": record, "by": by, **optional}}
    return {"column": column.header, "lookup": {"record": record, **optional} if optional else record}


def _of_a_user(column: Column) -> str | None:
    """By which field somebody of ours is found whom a table names, rather than by a key."""
    if looks(column, "email") == 1:
        return "email"
    if column.possible & {"whole"}:
        return None
    values = list(sample(column))
    plain_ = all(value.isascii() and " " not in value.strip() and value == value.lower() for value in values)
    return "login" if plain_ else "name"


def lookup_by_key(key: str, record: str) -> Any:
    """A look-up by a key; a single column is named as such."""
    inner = key[1:-1]
    if key.startswith("{") and key.endswith("}") and not set("{}") & set(inner):
        return {"column": inner, "lookup": record}
    return {"lookup": {"record": record, "key": key}}

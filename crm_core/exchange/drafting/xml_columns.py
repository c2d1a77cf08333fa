"""Columns that hold XML, as some systems export what they know only sometimes: each leaf is a column of its own."""

from __future__ import annotations

import attrs

from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.transforms.refusal import Refusal
from crm_core.exchange.transforms.xml import texts

__all__ = ["with_inner"]

_MOST = 60


def with_inner(table: Table) -> Table:
    """The table with the leaves of its XML as further columns."""
    inner = [each for column in table.columns for each in _leaves(column)]
    return attrs.evolve(table, columns=(*table.columns, *inner)) if inner else table


def _leaves(column: Column) -> list[Column]:
    if not column.filled or not all(value.lstrip().startswith("<") for value in column.values):
        return []
    found: dict[str, Column] = {}
    for value, count in column.values.items():
        try:
            leaves = texts(value)
        except Refusal:
            return []  # it only begins like XML
        for path, text in leaves.items():
            if path and text:
                leaf = found.setdefault(path, Column(column.header, column.position, path))
                leaf.take(text)
                leaf.values[text] += count - 1
    if len(found) > _MOST:
        return []
    for leaf in found.values():
        leaf.empty = column.filled + column.empty - leaf.filled
    return list(found.values())

"""Two states of a database side by side, row by row: what an upgrade took away, emptied, cut short or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from crm_core.store.copies.contents import Contents, Tell, quiet
from crm_core.store.copies.source import Keyed, Source
from crm_core.store.migrating.revisions import VERSION_PREFIX

__all__ = ["ColumnChange", "TableChange", "changed_tables"]

_WORKED_OUT = ("crm_search_", "crm_match_key", "crm_unit_closure", VERSION_PREFIX)
_KEPT_BY_MIGRATING = {"crm_record_type", "crm_reference", "crm_custom_field", "crm_id_block", "crm_feed_position",
                      "crm_job_schedule"}  # fmt: skip
_OF_EVERY_WRITE = {"version", "updated_at"}
_EXAMPLES = 5


@attrs.frozen
class ColumnChange:
    """What became of a column: how many values are gone, cut short, or something else."""

    name: str
    emptied: int = 0
    shortened: int = 0
    changed: int = 0


@attrs.frozen(kw_only=True)
class TableChange:
    """What became of a table.

    ``gone`` says that it is not there any more; ``lost`` counts rows that are not, with the keys of some. ``dropped``
    are columns that are gone, with the number of values they had, and ``columns`` those whose values are different.
    ``unlike`` says of a table without a key, whose rows cannot be told apart, that they hold something else.
    """

    name: str
    rows_before: int
    rows_after: int
    gone: bool = False
    lost: int = 0
    ids: tuple[str, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()
    columns: tuple[ColumnChange, ...] = ()
    unlike: bool = False


def changed_tables(
    before: Source, held: Contents, after: Source, holding: Contents, tell: Tell = quiet
) -> Iterator[TableChange]:
    """Every table that is different, but for those that the kernel works out anew."""
    names = [name for name in held if not _is_worked_out(name)]
    for number, name in enumerate(names):
        tell("comparing", number, len(names))
        old, new = held[name], holding.get(name)
        if new is None:
            yield TableChange(name=name, rows_before=old.rows, rows_after=0, gone=True, lost=old.rows)
        elif new != old:
            change = _change(before, after, name, held, holding)
            if change is not None:
                yield change
    tell("comparing", len(names), len(names))


def _is_worked_out(name: str) -> bool:
    return name.startswith(_WORKED_OUT) or name in _KEPT_BY_MIGRATING


def _change(before: Source, after: Source, name: str, held: Contents, holding: Contents) -> TableChange | None:
    old, new = held[name], holding[name]
    gone = [column for column in old.columns if column not in new.columns]
    filled = [(column, count) for column, count in before.filled(name, gone).items() if count]
    lost, ids, changes = max(old.rows - new.rows, 0), list[str](), tuple[ColumnChange, ...]()
    key = before.key(name)
    known = bool(key) and set(key) <= set(new.columns)
    if known:
        columns = [each for each in old.columns if each in new.columns and each not in _OF_EVERY_WRITE]
        lost, ids, kinds = _side_by_side(before.rows(name, key, columns), after.rows(name, key, columns), columns)
        changes = tuple(
            ColumnChange(each, kinds[each, "emptied"], kinds[each, "shortened"], kinds[each, "changed"])
            for each in columns
            if any(kinds[each, kind] for kind in ("emptied", "shortened", "changed"))
        )
    unlike = not known and old.rows == new.rows and old.columns == new.columns
    if not (lost or filled or changes or unlike):
        return None
    return TableChange(
        name=name, rows_before=old.rows, rows_after=new.rows, lost=lost, ids=tuple(ids), dropped=tuple(filled),
        columns=changes, unlike=unlike,
    )  # fmt: skip


def _side_by_side(
    old: Iterator[Keyed], new: Iterator[Keyed], columns: Sequence[str]
) -> tuple[int, list[str], Counter[tuple[str, str]]]:
    """Both come in the order of their keys."""
    lost, ids, kinds = 0, list[str](), Counter[tuple[str, str]]()
    other = next(new, None)
    for key, row in old:
        place = _place(key)
        while other is not None and _place(other[0]) < place:
            other = next(new, None)
        if other is None or _place(other[0]) != place:
            lost += 1
            if len(ids) < _EXAMPLES:
                ids.append(" / ".join(map(str, key)))
        elif other[1] != row:
            for column, one, two in zip(columns, row, other[1], strict=True):
                if one != two:
                    kinds[column, _kind(one, two)] += 1
    return lost, ids, kinds


def _place(key: tuple[Any, ...]) -> tuple[tuple[int, Any], ...]:
    """Where a key stands among others, as SQLite sorts values of several kinds."""
    return tuple(
        (0, 0) if each is None else (2, each) if isinstance(each, str) else (3, each) if isinstance(each, bytes)
        else (1, each) for each in key
    )  # fmt: skip


def _kind(old: Any, new: Any) -> str:
    if new is None or (new == "" and old is not None):
        return "emptied"
    if isinstance(old, str) and isinstance(new, str) and old.startswith(new):
        return "shortened"
    return "changed"

"""Loader options of a statement: the conditions they bring, and the closed fields they would open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy.orm import LoaderCriteriaOption
from sqlalchemy.orm.strategy_options import Load, _WildcardLoad

from crm_core.errors import UnsupportedStatement
from crm_core.fields.field import Field
from crm_core.records import RecordType

__all__ = ["Options", "inspect_options"]


@attrs.frozen
class Options:
    """What loader options do: the ``criteria`` they add, the fields they load, and whether they load all.

    ``given`` says whether there are any.
    """

    criteria: tuple[Any, ...] = ()
    opened: frozenset[tuple[RecordType, Field]] = frozenset()
    all_opened: bool = False
    given: bool = False


def inspect_options(options: Sequence[Any]) -> Options:
    """Read the loader options of a statement; a ``with_loader_criteria()`` that is not the store's is refused."""
    criteria: list[Any] = []
    opened: set[tuple[RecordType, Field]] = set()
    all_opened = False
    for option in options:
        for part in getattr(option, "context", (option,)):
            if ("lazy", "subquery") in (getattr(part, "strategy", None) or ()):
                raise UnsupportedStatement(
                    "subqueryload() is not supported: it repeats the statement over bare tables.",
                    mend="Write selectinload(...).",
                )
        if isinstance(option, LoaderCriteriaOption):
            raise UnsupportedStatement(
                "with_loader_criteria() is not inspected, and could bypass visibility.",
                mend="Write the condition into where(), or into the join: Record.parent.and_(...).",
            )
        if isinstance(option, _WildcardLoad):
            all_opened = all_opened or _opens(option)
        elif isinstance(option, Load):
            for part in option.context:
                criteria += part._extra_criteria
                if not _opens(part):
                    continue
                path: tuple[Any, ...] = tuple(part.path.path)
                if len(path) < 2 or isinstance(path[-1], str):
                    all_opened = True
                    continue
                record_type: RecordType = path[-2].mapper.class_.crm_type
                key = path[-1].key
                field = record_type.by_name.get(key) or record_type.field_of_column.get(key.removeprefix("_"))
                if field is not None:
                    opened.add((record_type, field))
    return Options(tuple(criteria), frozenset(opened), all_opened, bool(options))


def _opens(part: Any) -> bool:
    if any(name.startswith("undefer_group") for name in part.local_opts or ()):
        return True
    return ("deferred", False) in (part.strategy or ())

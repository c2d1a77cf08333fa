"""Our column types in migrations: by what lies in the database, not by the record class they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.types import TypeEngine

from crm_core.fields import columns

__all__ = ["LABELS", "label", "source_code"]

LABELS: dict[str, Callable[..., TypeEngine[Any]]] = {
    "CRM_BIGINT": lambda: columns.BIGINT,
    "CRM_JSON": columns.Json,
    "CRM_LEXEMES": columns.Lexemes,
    "CRM_MOMENT": columns.Moment,
    "CRM_SCALED": columns.Scaled,
    "CRM_TAGS": columns.Tags,
    "CRM_TEXT": lambda length=None: columns.stored_text(length),
}
"""Types by the names that they have in a scratch database, where SQLite's own would not tell them apart."""


def label(type_: TypeEngine[Any]) -> str | None:
    """The name of a type in a scratch database; ``None`` where SQLite's own says enough."""
    code = source_code(type_)
    if code is None:
        return None
    name, _, argument = code.removeprefix("c.").removesuffix(")").partition("(")
    name = "CRM_" + name.removeprefix("stored_").upper()
    return f"{name}({argument})" if argument not in ("", "None") else name


def source_code(type_: TypeEngine[Any]) -> str | None:
    """How a revision file writes a type (``c`` is our columns module); ``None`` for one of SQLAlchemy's."""
    variants = getattr(type_, "_variant_mapping", {})
    match type_:
        case columns.Scaled():
            return f"c.Scaled({type_.scale})"
        case columns.Choice():
            # Members come and go without a migration.
            return "c.stored_text(40)"
        case columns.Moment():
            return "c.Moment()"
        case columns.Lexemes():
            return "c.Lexemes()"
        case columns.Tags():
            return "c.Tags()"
        case columns.Json():
            return "c.Json()"
        case BigInteger() if "sqlite" in variants:
            return "c.BIGINT"
        case String() if getattr(variants.get("postgresql"), "collation", None) == "C":
            return f"c.stored_text({type_.length})"
        case _:
            return None

"""Our column types in migrations: by what lies in the database, not by the record class they come from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.types import TypeEngine

from crm_core.fields import columns

__all__ = ["LABELS", "label", "source_code"]

LABELS: dict[str, type[TypeEngine[Any]]] = {
    "CRM_MOMENT": columns.Moment,
    "CRM_SCALED": columns.Scaled,
    "CRM_TAGS": columns.Tags,
    "CRM_JSON": columns.Json,
}
"""Names for types that SQLite would not tell apart; a type stands before the one that it derives from."""


def label(type_: TypeEngine[Any]) -> str | None:
    """The name of a type in a scratch database; ``None`` where SQLite's own says enough."""
    if isinstance(type_, columns.Scaled):
        return f"CRM_SCALED({type_.scale})"
    return next((name for name, kind in LABELS.items() if isinstance(type_, kind)), None)


def source_code(type_: TypeEngine[Any]) -> str | None:
    """How a revision file writes a type (``c`` is ``crm_core.fields.columns``); ``None``: as Alembic does."""
    variants = getattr(type_, "_variant_mapping", {})
    match type_:
        case columns.Scaled():
            return f"c.Scaled({type_.scale})"
        case columns.Choice():
            # Members come and go without a migration.
            return "c.stored_text(40)"
        case columns.Moment():
            return "c.Moment()"
        case columns.Tags():
            return "c.Tags()"
        case columns.Json():
            return "c.Json()"
        case BigInteger() if "sqlite" in variants:
            return "c.BIGINT"
        case String() if getattr(variants.get("postgresql"), "collation", None) == "C":
            return f"c.stored_text({type_.length})"
        case _:
            return f"c.{type_!r}" if type(type_).__module__ == columns.__name__ else None

"""The store's technical tables: journal, feed, ids, catalogues. They are no records: only the store writes them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from crm_core.fields.columns import BIGINT, Moment, stored_text
from crm_core.records.types import KERNEL, mapper_registry

__all__ = [
    "CHANGE",
    "CHANGE_SET",
    "CUSTOM_FIELD",
    "FEED_POSITION",
    "ID_BLOCK",
    "RECORD_TYPE",
    "REFERENCE",
    "TECHNICAL_TABLES",
    "UNIT_CLOSURE",
]

_metadata = mapper_registry(KERNEL).metadata

CHANGE_SET = Table(
    "crm_change_set",
    _metadata,
    Column("id", BIGINT, primary_key=True, autoincrement=False),
    # The database's transaction id: on PostgreSQL ids are not in commit order, and readers of the feed need that.
    Column("xid", BIGINT, nullable=False),
    Column("at", Moment(), nullable=False),
    Column("user_id", BIGINT),
    Column("principal", stored_text(80), nullable=False),
    Column("reason", stored_text(500)),
    Column("source", stored_text(40), nullable=False),
    Column("undoes", BIGINT),
    Index("ix_crm_change_set_at", "at"),
    Index("ix_crm_change_set_xid_id", "xid", "id"),
)

CHANGE = Table(
    "crm_change",
    _metadata,
    Column("change_set_id", BIGINT, nullable=False),
    Column("position", Integer, nullable=False),
    Column("type", stored_text(120), nullable=False),
    Column("record_id", BIGINT, nullable=False),
    # The record's version after the change: the one order of its history that no clock or sequence can upset.
    Column("version", Integer, nullable=False),
    Column("operation", stored_text(6), nullable=False),
    Column("before", Text),
    Column("after", Text),
    PrimaryKeyConstraint("change_set_id", "position"),
    Index("ix_crm_change_record", "record_id", "version"),
    sqlite_with_rowid=False,
)

FEED_POSITION = Table(
    "crm_feed_position",
    _metadata,
    Column("consumer", stored_text(80), primary_key=True),
    Column("xid", BIGINT, nullable=False),
    Column("change_set_id", BIGINT, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_error", Text),
)

ID_BLOCK = Table(
    "crm_id_block",
    _metadata,
    Column("name", stored_text(20), primary_key=True),
    Column("next", BIGINT, nullable=False),
)

RECORD_TYPE = Table(
    "crm_record_type",
    _metadata,
    Column("name", stored_text(120), primary_key=True),
    Column("plugin", stored_text(63), nullable=False),
    Column("table", stored_text(63), nullable=False),
    Column("label", stored_text(120), nullable=False),
)

REFERENCE = Table(
    "crm_reference",
    _metadata,
    Column("table", stored_text(63), nullable=False),
    Column("column", stored_text(63), nullable=False),
    Column("target", stored_text(63), nullable=False),
    Column("action", stored_text(10), nullable=False),
    Column("type", stored_text(120), nullable=False),
    Column("plugin", stored_text(63), nullable=False),
    PrimaryKeyConstraint("table", "column"),
)

CUSTOM_FIELD = Table(
    "crm_custom_field",
    _metadata,
    Column("type", stored_text(120), nullable=False),
    Column("name", stored_text(80), nullable=False),
    Column("kind", stored_text(20), nullable=False),
    Column("retired", Boolean, nullable=False),
    PrimaryKeyConstraint("type", "name"),
)

UNIT_CLOSURE = Table(
    "crm_unit_closure",
    _metadata,
    Column("ancestor_id", BIGINT, nullable=False),
    Column("descendant_id", BIGINT, nullable=False),
    PrimaryKeyConstraint("ancestor_id", "descendant_id"),
    Index("ix_crm_unit_closure_descendant_id", "descendant_id", "ancestor_id"),
)

TECHNICAL_TABLES: tuple[Table, ...] = (
    CHANGE_SET, CHANGE, FEED_POSITION, ID_BLOCK, RECORD_TYPE, REFERENCE, CUSTOM_FIELD, UNIT_CLOSURE,
)  # fmt: skip

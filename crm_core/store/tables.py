"""The store's technical tables: journal, feed, jobs, ids, catalogues. They are no records; only the store writes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    event,
    text,
)

from crm_core.fields.columns import BIGINT, Lexemes, Moment, stored_text
from crm_core.records.types import KERNEL, mapper_registry

__all__ = [
    "CHANGE",
    "CHANGE_SET",
    "CUSTOM_FIELD",
    "FEED_POSITION",
    "ID_BLOCK",
    "JOB",
    "JOB_SCHEDULE",
    "JOURNAL_PART",
    "LAST_LOOK",
    "MATCH_KEY",
    "RECORD_TYPE",
    "REFERENCE",
    "SEARCH_DOCUMENT",
    "SEARCH_STATE",
    "TECHNICAL_TABLES",
    "UNIT_CLOSURE",
]

_metadata = mapper_registry(KERNEL).metadata

CHANGE_SET = Table(
    "crm_change_set",
    _metadata,
    Column("id", BIGINT, primary_key=True, autoincrement=False),
    # The database's transaction id, by which a look knows what had been committed by then.
    Column("xid", BIGINT, nullable=False),
    # Where it stands in the feed: behind all that was committed when its head was written.
    Column("place", BIGINT, nullable=False),
    Column("at", Moment(), nullable=False),
    Column("user_id", BIGINT),
    Column("principal", stored_text(80), nullable=False),
    Column("reason", stored_text(500)),
    Column("source", stored_text(40), nullable=False),
    Column("undoes", BIGINT),
    Index("ix_crm_change_set_at", "at"),
    Index("ix_crm_change_set_place_id", "place", "id"),
    # Ids grow with time, and every key is still one column: see crm_core.store.partitions.
    postgresql_partition_by="RANGE (id)",
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
    postgresql_partition_by="RANGE (change_set_id)",
    sqlite_with_rowid=False,
)

JOURNAL_PART = Table(
    "crm_journal_part",
    _metadata,
    # A part of the journal that was detached: the number of its partition, and what was recorded in it.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_at", Moment(), nullable=False),
    Column("last_at", Moment(), nullable=False),
    # From this moment on the journal was whole when the part was detached.
    Column("cut", Moment(), nullable=False),
    # The furthest place in the feed of what is in it.
    Column("place", BIGINT, nullable=False),
    Column("change_sets", BIGINT, nullable=False),
    Column("changes", BIGINT, nullable=False),
    Column("detached_at", Moment(), nullable=False),
    # Where it was written to, and the sum of what the file holds; empty while its tables are kept in the database.
    Column("file", Text),
    Column("sha256", Text),
)

FEED_POSITION = Table(
    "crm_feed_position",
    _metadata,
    Column("consumer", stored_text(80), primary_key=True),
    Column("place", BIGINT, nullable=False),
    Column("change_set_id", BIGINT, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_error", Text),
    # How many change sets were put aside since the last one that the consumer took.
    Column("put_aside", Integer, nullable=False),
    Column("retry_at", Moment()),
    # Who is telling the consumer just now, and until when nobody else may.
    Column("holder", stored_text(80)),
    Column("held_at", Moment()),
    Column("held_until", Moment()),
)

_WAITING, _RUNNING, _OVER = text("state = 'waiting'"), text("state = 'running'"), text("finished_at IS NOT NULL")

JOB = Table(
    "crm_job",
    _metadata,
    Column("id", BIGINT, primary_key=True, autoincrement=False),
    Column("name", stored_text(80), nullable=False),
    Column("key", stored_text(200)),
    Column("arguments", Text, nullable=False),
    # The moment of its schedule that it was made for.
    Column("occurrence", Moment()),
    Column("state", stored_text(10), nullable=False),
    Column("run_at", Moment(), nullable=False),
    # How often it was begun. With the worker's name, which is never given twice, it says whose lease it is.
    Column("attempts", Integer, nullable=False),
    Column("worker", stored_text(80)),
    Column("lease_until", Moment()),
    Column("last_error", Text),
    Column("note", Text),
    Column("created_at", Moment(), nullable=False),
    # When its state, run_at or lease was last set: one that lies in the future tells of a clock that was set back.
    Column("touched_at", Moment(), nullable=False),
    Column("started_at", Moment()),
    Column("finished_at", Moment()),
    Index("ix_crm_job_waiting", "run_at", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("ix_crm_job_running", "lease_until", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
    # Two of one key never run at a time: a look whether one does may be out of date when the other is taken.
    Index("uq_crm_job_running_key", "name", "key", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING),
    Index("ix_crm_job_over", "state", "finished_at", "id", sqlite_where=_OVER, postgresql_where=_OVER),
    # The same work is not queued twice. That it runs already is no reason: it may have read before we wrote.
    Index("uq_crm_job_key", "name", "key", unique=True, sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("uq_crm_job_occurrence", "name", "occurrence", unique=True),
)

JOB_SCHEDULE = Table(
    "crm_job_schedule",
    _metadata,
    Column("name", stored_text(80), primary_key=True),
    # The rule and time zone that next_at follows from; empty while the schedule is switched off.
    Column("rule", Text, nullable=False),
    Column("next_at", Moment()),
    Column("last_at", Moment()),
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
    # What must be known of its fields when its plugin is not loaded: which are personal, which are closed to whom.
    Column("about", Text),
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
    # Beside a reference that no foreign key keeps (its action is "soft"): the column with the record type's name.
    Column("type_column", stored_text(63)),
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

LAST_LOOK = Table(
    "crm_last_look",
    _metadata,
    Column("user_id", BIGINT, nullable=False),
    Column("what", stored_text(40), nullable=False),
    Column("at", Moment(), nullable=False),
    # What had been committed by then: a moment alone would miss what is committed late.
    Column("seen", Text, nullable=False),
    PrimaryKeyConstraint("user_id", "what"),
)

UNIT_CLOSURE = Table(
    "crm_unit_closure",
    _metadata,
    Column("ancestor_id", BIGINT, nullable=False),
    Column("descendant_id", BIGINT, nullable=False),
    PrimaryKeyConstraint("ancestor_id", "descendant_id"),
    Index("ix_crm_unit_closure_descendant_id", "descendant_id", "ancestor_id"),
)

MATCH_KEY = Table(
    "crm_match_key",
    _metadata,
    # The record that the key speaks of, and the record that it is read from: a contact, and its contact point.
    Column("record_id", BIGINT, nullable=False),
    Column("source_id", BIGINT, nullable=False),
    Column("kind", stored_text(20), nullable=False),
    Column("key", stored_text(200), nullable=False),
    # After the key's columns: SQLite before 3.41 finds fault with others that come first (PRAGMA integrity_check).
    Column("record_type", stored_text(120), nullable=False),
    PrimaryKeyConstraint("record_id", "source_id", "kind", "key"),
    # All there is: whoever walks along a kind, or asks for one key, need not look at the rows.
    Index("ix_crm_match_key_key", "record_type", "kind", "key", "record_id", "source_id"),
    sqlite_with_rowid=False,
)

SEARCH_DOCUMENT = Table(
    "crm_search_document",
    _metadata,
    # The record's id; an extension, which shares that of its record, and restricted fields have one of their own.
    Column("id", BIGINT, primary_key=True, autoincrement=False),
    Column("record_id", BIGINT),
    Column("type", stored_text(120), nullable=False),
    Column("permission", stored_text(120)),
    Column("account_id", BIGINT),
    Column("shown_id", BIGINT, nullable=False),
    Column("size", SmallInteger, nullable=False),
    Column("body", stored_text(None), nullable=False),
    Column("tokens", Lexemes()),
    Index("ix_crm_search_document_account_id", "account_id"),
    Index(
        "ix_crm_search_document_shown_id",
        "shown_id",
        sqlite_where=text("shown_id <> id"),
        postgresql_where=text("shown_id <> id"),
    ),
    Index(
        "ix_crm_search_document_record_id",
        "record_id",
        sqlite_where=text("record_id IS NOT NULL"),
        postgresql_where=text("record_id IS NOT NULL"),
    ),
    # On SQLite the tokens are in a full-text table of their own, and this index is empty.
    Index("ix_crm_search_document_tokens", "tokens", postgresql_using="gin", sqlite_where=text("tokens IS NOT NULL")),
)

SEARCH_STATE = Table(
    "crm_search_state",
    _metadata,
    Column("type", stored_text(120), primary_key=True),
    Column("signature", stored_text(40), nullable=False),
)

TECHNICAL_TABLES: tuple[Table, ...] = (
    CHANGE_SET, CHANGE, JOURNAL_PART, FEED_POSITION, JOB, JOB_SCHEDULE, ID_BLOCK, RECORD_TYPE, REFERENCE, CUSTOM_FIELD,
    UNIT_CLOSURE, MATCH_KEY, SEARCH_DOCUMENT, SEARCH_STATE, LAST_LOOK,
)  # fmt: skip


@event.listens_for(Table, "after_create")
def _open_for_writing(table: Table, connection: Connection, **_: Any) -> None:
    """Give a divided table its default partition as soon as it is made, also by a revision: no write ever fails."""
    divided = table.dialect_options["postgresql"]["partition_by"] and table.name in (CHANGE_SET.name, CHANGE.name)
    if divided and connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"CREATE TABLE {table.name}_rest PARTITION OF {table.name} DEFAULT")

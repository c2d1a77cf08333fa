"""The export: what a session sees of one record type, for people (CSV, spreadsheets) or without loss (JSON lines)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import select

from crm_core.domain.external import ExternalRef
from crm_core.exchange.columns import Column, csv_columns, exported, json_columns, sheet_columns
from crm_core.exchange.guard import guarded
from crm_core.exchange.own_keys import may_read_keys
from crm_core.exchange.report import Progress, Tell
from crm_core.exchange.sparing import spared
from crm_core.exchange.writers import Format, file_being_written, format_of
from crm_core.fields.field import Field
from crm_core.records import Record, RecordType
from crm_core.store.session import CrmSession

__all__ = ["run_export"]

_PAGE = 500


def run_export(
    session: CrmSession,
    record_type_name: str,
    where: str | None,
    to_path: str | Path,
    *,
    format: Format | None = None,
    fields: Sequence[str] | None = None,
    all_dates: bool = False,
    with_keys: str | None = None,
    order: str | None = None,
    progress: Tell | None = None,
) -> int:
    """Write the records that the session sees and that match ``where``; returns how many.

    ``format`` follows from the suffix (``.csv``, ``.jsonl``, ``.xlsx``) if absent. ``fields`` are all that may be read
    when absent; the id always stands first. ``all_dates`` writes dated rows of all times. ``with_keys`` names a source
    system whose keys of the records, and of those they refer to, become further columns. ``order`` is as in
    :meth:`~crm_core.store.session.CrmSession.list`.

    The file appears when it is complete; one that is there is replaced then. Raises
    :class:`~crm_core.errors.ExchangeError` when it cannot be written.
    """
    record_type = session.store.find_type(record_type_name)
    path = spared(Path(to_path))
    kind = format or format_of(path)
    chosen = exported(session, record_type, fields)
    form: Callable[[str], str] = guarded if kind == "csv" else str
    columns = _columns(session, kind, chosen)
    names = [field.name for field, _ in chosen]
    keys = _Keys(session, record_type, with_keys, names, form) if with_keys else None
    total = session.count(record_type.cls, where, all_dates=all_dates) if progress is not None else 0
    header = [*(column.name for column in columns), *(keys.names if keys else ())]
    written = 0
    with file_being_written(path, kind, record_type.name, header, [column.width for column in columns]) as write:
        for page in _pages(session, record_type, where, order, all_dates):
            extra = keys.of(page) if keys is not None else [()] * len(page)
            for record, more in zip(page, extra, strict=True):
                write([*(column.get(record) for column in columns), *more])
            written += len(page)
            if progress is not None:
                progress(Progress(record_type.name, 1, 1, written, min(written / max(total, 1), 1.0)))
    return written


def _columns(session: CrmSession, kind: Format, chosen: Sequence[tuple[Field, bool]]) -> list[Column]:
    match kind:
        case "csv":
            return [Column("id", _id), *csv_columns(chosen)]
        case "jsonl":
            return [Column("id", _id), *json_columns(chosen)]
    return [Column("id", lambda record: str(record.id), 22), *sheet_columns(chosen, session.policy.tz)]


def _id(record: Any) -> Any:
    return record.id


def _pages(
    session: CrmSession, record_type: RecordType, where: str | None, order: str | None, all_dates: bool
) -> Iterator[list[Record]]:
    # The recorded past is rebuilt for each question, so that it is asked for everything at once.
    limit = None if session.as_of is not None else _PAGE
    after: Sequence[Any] | None = None
    while True:
        page = session.list(record_type.cls, where, order=order, limit=limit, after=after, all_dates=all_dates)
        if page:
            yield page
        if limit is None or len(page) < limit:
            return
        after = session.cursor(page[-1], order)


@attrs.define
class _Keys:
    """The keys of a source system, page by page."""

    session: CrmSession
    record_type: RecordType
    system: str
    fields: Sequence[str]
    form: Callable[[str], str]

    def __attrs_post_init__(self) -> None:
        may_read_keys(self.session)

    @property
    def refs(self) -> list[tuple[str, str]]:
        """The exported references with what they refer to."""
        types = self.session.types
        return [
            # An extension is known by the key of the record that it extends.
            (field.name, types[field.target].extends or field.target)
            for field in self.record_type.refs
            if field.target is not None and field.name in self.fields
        ]

    @property
    def names(self) -> list[str]:
        """The further columns: the record's own key is called by its system where a field is called ``key``."""
        own = f"{self.system}.key" if "key" in self.fields else "key"
        return [own, *(f"{name}.key" for name, _ in self.refs)]

    def of(self, page: Sequence[Any]) -> list[list[str | None]]:
        """The further cells of each record."""
        columns = [self._keys(self.record_type.extends or self.record_type.name, [record.id for record in page])]
        columns += [self._keys(target, [getattr(record, name) for record in page]) for name, target in self.refs]
        return [list(cells) for cells in zip(*columns, strict=True)]

    def _keys(self, record: str, ids: Sequence[int | None]) -> list[str | None]:
        statement = select(ExternalRef.record_id, ExternalRef.key).where(
            ExternalRef.system == self.system,
            ExternalRef.record_type == record,
            ExternalRef.record_id.in_(sorted({id_ for id_ in ids if id_ is not None})),
        )
        found = {id_: self.form(key) for id_, key in self.session.execute(statement.order_by(ExternalRef.key.desc()))}
        return [None if id_ is None else found.get(id_) for id_ in ids]

"""Changed records as they are now, for what follows from them: read once, whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from crm_core.records import RecordType
from crm_core.store.parts import AT_ONCE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Current"]


class Current:
    """Rows within one journalling; between its statements nothing changes them.

    ``fields`` are by record type those that anybody wants: a row is read with all of them. Rows of more ids than one
    statement names are not kept.
    """

    def __init__(self, session: CrmSession, fields: Mapping[str, frozenset[str]]) -> None:
        self._session = session
        self._fields = fields
        self._known: dict[str, dict[int, dict[str, Any]]] = {}

    def rows(self, record_type: RecordType, ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Those of ``ids`` that exist, by id."""
        read, fields = self._session.writer.rows, self._fields[record_type.name]
        if len(ids) > AT_ONCE:
            return read(record_type, ids, fields=fields)
        known = self._known.get(record_type.name)
        if known is None or not known.keys() >= set(ids):
            known = self._known[record_type.name] = read(record_type, ids, fields=fields)
        return {id_: known[id_] for id_ in ids if id_ in known}

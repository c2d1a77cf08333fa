"""Changed records as they are now, for what follows from them: read once, whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_core.records import RecordType
from crm_core.store.held import values_of_version
from crm_core.store.parts import AT_ONCE

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["Current"]


class Current:
    """Rows within one journalling; between its statements nothing changes them.

    ``fields`` are by record type those that anybody wants: a row has all of them. Rows of more ids than one statement
    names are not kept. Of a record that was changed as an object, the object tells.
    """

    def __init__(self, session: CrmSession, fields: Mapping[str, frozenset[str]], entries: Sequence[Entry]) -> None:
        self._session = session
        self._fields = fields
        self._objects = {(each.name, each.id): each for each in entries if each.held is not None}
        self._known: dict[str, dict[int, dict[str, Any]]] = {}

    def rows(self, record_type: RecordType, ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Those of ``ids`` that exist, by id."""
        read, fields = self._session.writer.rows, self._fields[record_type.name]
        if len(ids) > AT_ONCE:
            return read(record_type, ids, fields=fields)
        known = self._known.get(record_type.name)
        if known is None or not known.keys() >= set(ids):
            known = self._known[record_type.name] = self._held(record_type, ids)
            rest = [id_ for id_ in ids if id_ not in known]
            if rest:
                known.update(read(record_type, rest, fields=fields))
        return {id_: known[id_] for id_ in ids if id_ in known}

    def _held(self, record_type: RecordType, ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Those that were just written from objects."""
        name, found = record_type.name, {}
        for id_ in ids if self._objects else ():
            entry = self._objects.get((name, id_))
            if entry is not None and entry.held is not None:
                values = values_of_version(entry.held, entry.version, self._fields[name])
                if values is not None:
                    found[id_] = values
        return found

"""What lies in the folder of an exported plugin: one file of JSON that says so, written last."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
import msgspec
from sqlalchemy import Connection, select

from crm_core.errors import StoreError
from crm_core.store.catalogue import Reference
from crm_core.store.leaving.dump import TableFile
from crm_core.store.leaving.held import Held, jobs_of
from crm_core.store.migrating.revisions import is_plugin
from crm_core.store.tables import JOB, RECORD_TYPE, REFERENCE
from crm_core.store.values import encode_values

__all__ = ["FORMAT", "NAME", "Exported", "catalogue_of", "read", "write"]

FORMAT = 1
NAME = "plugin.json"

_converter = cattrs.Converter(forbid_extra_keys=True)
_converter.register_structure_hook(dt.datetime, lambda value, _: dt.datetime.fromisoformat(value))


@attrs.frozen(kw_only=True)
class Exported:
    """An exported plugin.

    ``revision`` is that of the tables in which the rows lay, ``dialect`` the database whose form they have. ``tables``
    are files with every row as it lay; ``records`` files for ``crm import``, by record type, read by the mapping
    ``mapping`` (none where the plugin could not be loaded). ``references`` and ``types`` are the kernel's catalogue;
    ``consumer`` is the position in the feed, ``jobs`` are those that waited or had failed.
    """

    format: int
    plugin: str
    distribution: str | None
    version: str | None
    revision: str | None
    dialect: str
    at: dt.datetime
    tables: tuple[TableFile, ...]
    references: tuple[Reference, ...]
    types: tuple[dict[str, Any], ...]
    consumer: tuple[int, int] | None
    jobs: tuple[dict[str, Any], ...]
    records: Mapping[str, str] = attrs.field(factory=dict)
    mapping: str | None = None

    @property
    def rows(self) -> int:
        """How many rows all tables have."""
        return sum(table.rows for table in self.tables)


def catalogue_of(connection: Connection, kept: Held) -> dict[str, Any]:
    """What the kernel knows of the plugin besides its tables, to be put back with them."""
    references: Any = connection.execute(select(REFERENCE).where(REFERENCE.c.plugin == kept.plugin))
    types = connection.execute(select(RECORD_TYPE).where(RECORD_TYPE.c.plugin == kept.plugin)).mappings()
    waiting = select(JOB).where(jobs_of(connection, kept.plugin), JOB.c.finished_at.is_(None) | (JOB.c.state == "dead"))
    position = kept.consumer.position if kept.consumer is not None else None
    return {
        "references": tuple(Reference(*row) for row in references),
        "types": tuple(_plain(row) for row in types),
        "consumer": None if position is None else (position.place, position.change_set_id),
        "jobs": tuple(_plain(row) for row in connection.execute(waiting.order_by(JOB.c.id)).mappings()),
    }


def _plain(row: Any) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def write(folder: Path, exported: Exported) -> None:
    """Say that the folder is complete; all that was written before is on the disk then."""
    for path in sorted(folder.rglob("*")):
        _sync(path)
    part = folder / f".{NAME}.part"
    part.write_text(encode_values(attrs.asdict(exported)) + "\n", encoding="utf-8")
    _sync(part)
    part.replace(folder / NAME)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: Path) -> Exported:
    """What a folder says of itself; :class:`StoreError` where it is no complete export of ours."""
    path = folder / NAME
    try:
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        if found.get("format") != FORMAT:
            raise StoreError(
                "{file} was written by another version of crm-core.",
                mend="Use that version to restore it.",
                file=str(path),
            )
        return _own(path, _converter.structure(found, Exported))
    except FileNotFoundError as error:
        raise StoreError(
            "{folder} holds no complete export of a plugin.",
            mend="Name the folder that 'crm plugins remove' wrote. One without {file} was not finished, "
            "and nothing was removed then.",
            folder=str(folder),
            file=NAME,
        ) from error
    except (OSError, msgspec.DecodeError, cattrs.BaseValidationError, AttributeError) as error:
        raise StoreError(
            "{file} cannot be read: {reason}.",
            mend="Take the folder from a copy.",
            file=str(path),
            reason=str(error).strip().partition("\n")[0],
        ) from error


def _own(path: Path, exported: Exported) -> Exported:
    """What speaks of the plugin alone and of its own folder; :class:`StoreError` for what reaches further.

    It is a file that somebody may have changed, and what it names is read and written.
    """
    prefix = f"{exported.plugin}__"
    tables = {file.table for file in exported.tables}
    strange = [
        *(file.file for file in exported.tables if not _lies_in(path.parent, file.file)),
        *(file.table for file in exported.tables if not file.table.startswith(prefix)),
        *(each.table for each in exported.references if each.table not in tables and not each.table.startswith(prefix)),
    ]
    if strange or not is_plugin(exported.plugin):
        raise StoreError(
            "{file} speaks of what is not the plugin's: {names}.",
            mend="It was changed; take the folder from a copy.",
            file=str(path),
            names=", ".join(strange) or exported.plugin,
        )
    return exported


def _lies_in(folder: Path, name: str) -> bool:
    """Whether a name leads to a file below a folder, on every system and by no link."""
    if not name or set(name) & set("\\:\0"):
        return False
    return (folder / name).resolve().is_relative_to(folder.resolve())

"""The file of a backup: a zip archive with the database, the build file, the lock, and a manifest of what they hold.

Any tool can unpack it, and ``sha256sum -c SHA256SUMS`` checks it by hand.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import attrs

from crm_core.errors import StoreError
from crm_core.store.copies import Content, Contents, Facts, Tell, quiet

__all__ = ["Archive", "Manifest", "PluginVersion", "read", "write"]

FORMAT = 1
_MANIFEST, _SUMS = "manifest.json", "SHA256SUMS"
_CHUNK = 1 << 20
_MOST = 64 << 20
"""Bytes of what is read at once: all but the database."""
_HEX = re.compile(r"[0-9a-f]{64}")
_STORED = ".dump"
"""What ends so is compressed already."""


@attrs.frozen
class PluginVersion:
    """A plugin as the build had it; ``distribution`` is the one that brought it, if any."""

    version: str
    distribution: str | None = None


@attrs.frozen(kw_only=True)
class Manifest:
    """What a backup holds.

    ``made_at`` is the moment after the database's was taken, ``contract`` that of the hooks. ``revisions`` are those of
    all plugins that were ever migrated there, ``tables`` what every table holds.
    """

    name: str
    made_at: dt.datetime
    crm_core: str
    contract: str
    database: Facts
    plugins: Mapping[str, PluginVersion]
    disabled: tuple[str, ...]
    revisions: Mapping[str, str]
    tables: Contents

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(content.rows for content in self.tables.values())

    @property
    def member(self) -> str:
        """The file of the archive with the database."""
        return "database.sqlite" if self.database.dialect == "sqlite" else "database.dump"

    def as_json(self) -> dict[str, Any]:
        """As the archive holds it."""
        return {
            "format": FORMAT,
            "name": self.name,
            "made_at": self.made_at.isoformat(),
            "crm_core": self.crm_core,
            "contract": self.contract,
            "database": attrs.asdict(self.database),
            "plugins": {name: attrs.asdict(each) for name, each in self.plugins.items()},
            "disabled": list(self.disabled),
            "revisions": dict(self.revisions),
            "tables": {name: attrs.asdict(each) for name, each in self.tables.items()},
        }


@attrs.frozen
class Archive:
    """A backup that was read: whole, and with every file as it was written. ``sums`` are the SHA-256 of its files."""

    file: Path
    manifest: Manifest
    sums: Mapping[str, str]

    def text(self, member: str) -> str:
        """A file of the archive as text: ``crm.toml``, ``crm.lock``."""
        with zipfile.ZipFile(self.file) as opened:
            return _small(opened, member).decode()

    def extract(self, folder: Path, tell: Tell = quiet) -> Path:
        """Write the database of the archive into a folder; returns its file. It is compared with its sum once more."""
        to = folder / self.manifest.member
        with zipfile.ZipFile(self.file) as opened, opened.open(to.name) as source, to.open("wb") as target:
            found = _pass_on(source, target, opened.getinfo(to.name).file_size, "unpacking", tell)
        if found != self.sums[to.name]:
            raise _damaged(self.file, f"{to.name} changed while it was unpacked")
        return to


def write(file: Path, manifest: Manifest, database: Path, texts: Mapping[str, str], tell: Tell = quiet) -> Archive:
    """Write an archive, and read all of it back."""
    sums: dict[str, str] = {}
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        listed = json.dumps(manifest.as_json(), ensure_ascii=False, indent=1)
        for name, text in {_MANIFEST: listed, **texts}.items():
            archive.writestr(_entry(name), text)
            sums[name] = hashlib.sha256(text.encode()).hexdigest()
        entry = _entry(manifest.member)
        with database.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
            sums[entry.filename] = _pass_on(source, target, database.stat().st_size, "packing", tell)
        archive.writestr(_entry(_SUMS), "".join(f"{each}  {name}\n" for name, each in sums.items()))
    written = read(file, tell)
    if written.sums != sums or written.manifest != manifest:
        raise _damaged(file, "what was read back is not what was written")
    return written


def read(file: Path, tell: Tell = quiet) -> Archive:
    """Read an archive whole, and compare every file in it with its sum.

    Raises :class:`~crm_core.errors.StoreError` for a file that is no backup, is cut off or damaged, or that a later
    version wrote.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if _SUMS not in names or _MANIFEST not in names:
                raise StoreError("{file} is no backup of a CRM.", mend="Name a file that 'crm backup' wrote.",
                                 file=str(file))  # fmt: skip
            sums = _sums(_small(archive, _SUMS).decode())
            _compare(file, archive, sums, tell)
            manifest = _manifest(file, json.loads(_small(archive, _MANIFEST)))
            if manifest.member not in sums:
                raise _damaged(file, f"{manifest.member} is missing")
            return Archive(file, manifest, sums)
    except FileNotFoundError:
        raise StoreError("There is no file {file}.", mend="Correct the path.", file=str(file)) from None
    except (
        zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise _damaged(file, f"{type(error).__name__}: {error}") from error


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file that is read at once; :class:`ValueError` for one that would fill the memory."""
    with archive.open(name) as member:
        content = member.read(_MOST + 1)
    if len(content) > _MOST:
        raise ValueError(f"{name} has more than {_MOST} bytes")
    return content


def _compare(file: Path, archive: zipfile.ZipFile, sums: Mapping[str, str], tell: Tell) -> None:
    with_sums = {name for name in archive.namelist() if name != _SUMS}
    if with_sums != sums.keys():
        raise _damaged(file, "it has other files than it should have")
    for name, wanted in sums.items():
        with archive.open(name) as member:
            if _pass_on(member, None, archive.getinfo(name).file_size, "verifying", tell) != wanted:
                raise _damaged(file, f"{name} is not what was written")


def _sums(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        value, _, name = line.partition("  ")
        if not _HEX.fullmatch(value):
            raise ValueError(f"{line[:80]!r} is no sum")
        found[name] = value
    return found


def _manifest(file: Path, content: Any) -> Manifest:
    if content["format"] != FORMAT:
        raise StoreError(
            "{file} has the format {found}, and this crm-core reads {known}.",
            mend="Restore it with the version of crm-core that wrote it, or a later one.",
            file=str(file),
            found=content["format"],
            known=FORMAT,
        )
    tables = {name: Content(**each) for name, each in content["tables"].items()}
    for name, each in tables.items():
        # They become part of statements.
        if type(each.rows) is not int or not _HEX.fullmatch(each.sha256):
            raise ValueError(f"the table {name} has no hash")
    return Manifest(
        name=content["name"],
        made_at=dt.datetime.fromisoformat(content["made_at"]),
        crm_core=content["crm_core"],
        contract=content["contract"],
        database=Facts(**content["database"]),
        plugins={name: PluginVersion(**each) for name, each in content["plugins"].items()},
        disabled=tuple(content["disabled"]),
        revisions=content["revisions"],
        tables=tables,
    )


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, dt.datetime.now().timetuple()[:6])
    entry.external_attr = 0o600 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
    return entry


def _pass_on(source: IO[bytes], target: IO[bytes] | None, size: int, what: str, tell: Tell) -> str:
    """Read to the end, write it where there is a target, and return its SHA-256."""
    total, done = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        total.update(chunk)
        if target is not None:
            target.write(chunk)
        done += len(chunk)
        tell(what, done, size)
    return total.hexdigest()


def _damaged(file: Path, reason: str) -> StoreError:
    return StoreError(
        "{file} is damaged, or no backup: {reason}.",
        mend="Take another copy of it, or an older backup. Nothing was changed.",
        file=str(file),
        reason=reason,
    )

"""Making a backup: one moment of the database with the build that opens it, verified by reading it back."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from crm_core import __version__
from crm_core.assembly import HOOK_API, Build
from crm_core.assembly.lock import lock_file, lock_of, written
from crm_core.builds import archives
from crm_core.builds.archives import Archive, Manifest, PluginVersion
from crm_core.builds.bundling import joined
from crm_core.errors import StoreError
from crm_core.fields import Secret
from crm_core.records import KERNEL
from crm_core.store.copies import Contents, Left, Source, Tell, Verified, Workplace, opened, quiet
from crm_core.store.copies.placing import flush, flush_folder
from crm_core.store.store import utc_now

__all__ = ["Backup", "backup", "told_when_full", "without_password", "without_secrets"]


@attrs.frozen(kw_only=True)
class Backup:
    """A backup that was made and read back.

    ``sha256`` is that of the whole file, ``size`` its bytes. ``verified`` says how the database in it was tried:
    ``opened`` (SQLite) and ``restored`` (into a database of its own) compared all rows; ``listed`` only read the dump
    whole, because the user may not create databases.
    """

    file: Path
    sha256: str
    size: int
    archive: Archive
    verified: Verified
    left: tuple[Left, ...] = ()


def backup(build: Build, file: Path, tell: Tell = quiet, *, database: str | None = None) -> Backup:
    """Back up the database of a build to a new file, while others may go on working.

    ``database`` outranks the address in the build file; nothing is written to it. ``tell`` is told how far it is.
    Raises :class:`~crm_core.errors.StoreError` when there is such a file, the disk is full, or what was written is not
    what was read; there is no file then.
    """
    address = database or build.file.database
    _refuse_existing(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with told_when_full(file), Workplace.beside(file) as workplace:
        part = workplace.folder / "archive"
        with opened(address) as source:
            contents = source.contents(tell)
            manifest = _manifest(build, source, contents)
            copy = workplace.folder / manifest.member
            source.write(copy, tell)
            verified = source.verify(copy, contents, tell)
        archive = archives.write(part, manifest, copy, _texts(build), tell)
        part.chmod(0o600)  # all that the database knows, for whoever makes backups
        flush(part)
        sha256, size = _sum(part), part.stat().st_size
        _refuse_existing(file)
        os.replace(part, file)
        flush_folder(file.parent)
        return Backup(
            file=file,
            sha256=sha256,
            size=size,
            archive=attrs.evolve(archive, file=file),
            verified=verified,
            left=workplace.left,
        )


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise StoreError(
            "There is a file {file} already.",
            mend="Choose another name, such as one with the day in it; a backup replaces nothing.",
            file=str(file),
        )


def _manifest(build: Build, source: Source, contents: Contents) -> Manifest:
    return Manifest(
        name=build.file.crm.name,
        made_at=utc_now(),
        crm_core=__version__,
        contract=HOOK_API,
        database=source.facts,
        plugins={
            plugin.name: PluginVersion(
                __version__ if plugin.name == KERNEL else plugin.manifest.version, plugin.distribution
            )
            for plugin in build.plugins
        },
        disabled=tuple(each.plugin for each in build.report.off),
        revisions=source.revisions(),
        tables=contents,
    )


def _texts(build: Build) -> Mapping[str, str]:
    """The build file and its lock: the one beside it, or one of what is installed."""
    beside = lock_file(build)
    lock = beside.read_text(encoding="utf-8") if beside is not None and beside.is_file() else written(lock_of(build))
    bare = without_secrets(without_password(_build_file(build)), build)
    return {"crm.toml": bare, "crm.lock": lock}


def _build_file(build: Build) -> str:
    if build.file.source is not None:
        return joined(build)
    import json

    # An application that gives its build as a mapping keeps it in its own code.
    return f"[crm]\nname = {json.dumps(build.file.crm.name)}\n"


def without_secrets(text: str, build: Build) -> str:
    """A build file without the texts of secrets in the settings of its plugins; names of variables stay."""
    import tomlkit

    document, changed = tomlkit.parse(text), False
    sections: Any = document.get("plugins", {})
    for name, settings in build.settings.items():
        for field in attrs.fields(type(settings)) if name in sections else ():
            if field.name in sections[name] and _holds_text(getattr(settings, field.name)):
                del sections[name][field.name]
                changed = True
    return tomlkit.dumps(document) if changed else text


def _holds_text(value: Any) -> bool:
    """Whether a setting is or holds the text of a secret."""
    if isinstance(value, Secret):
        return not value.env
    if attrs.has(type(value)):
        return any(_holds_text(getattr(value, field.name)) for field in attrs.fields(type(value)))
    if isinstance(value, Mapping):
        return any(map(_holds_text, value.values()))
    return isinstance(value, list | tuple | set | frozenset) and any(map(_holds_text, value))


def without_password(text: str) -> str:
    """A build file whose database address has no password."""
    import tomlkit
    from sqlalchemy import make_url

    document = tomlkit.parse(text)
    section: Any = document.get("crm", {})
    address = section.get("database")
    if address is None:
        return text
    url = make_url(str(address))
    hidden = {name for name in url.query if "password" in name}
    if url.password is None and not hidden:
        return text
    # set(password=None) would keep it.
    bare = url._replace(password=None).difference_update_query(hidden)
    section["database"] = bare.render_as_string()
    return tomlkit.dumps(document)


def _sum(file: Path) -> str:
    with file.open("rb") as opened_:
        return hashlib.file_digest(opened_, "sha256").hexdigest()


@contextmanager
def told_when_full(file: Path) -> Iterator[None]:
    """A full disk as an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise StoreError(
            "There is no room on the disk for {file}.",
            mend="Make room, or name a place on another disk, and begin again; nothing is half done.",
            file=str(file),
        ) from error

"""Files that appear whole or not at all: made in a hidden folder beside their place, flushed, and then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import attrs

__all__ = ["Left", "Workplace", "flush", "flush_folder"]

_LOCK = "in-use"


@attrs.frozen
class Left:
    """What an interrupted run left behind, and the next one has removed."""

    path: str


@attrs.frozen
class Workplace:
    """A folder beside a file that is being made; nobody else may look into it. ``left`` are those of interrupted runs.

    A run that is killed cannot tidy up. So the next one in that folder does, whatever its file is called (a backup has
    the day in its name), and knows by a lock, which ends with its process, that a workplace is nobody's any more.
    """

    folder: Path
    left: tuple[Left, ...] = ()

    @classmethod
    @contextmanager
    def beside(cls, file: Path) -> Iterator[Workplace]:
        """A new workplace for a file; gone with the block."""
        prefix = f".{file.name}.part-"
        left = tuple(_tidy(file.parent, prefix))
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=file.parent))
        try:
            with (folder / _LOCK).open("wb") as lock:
                _locked(lock)
                # From here on whoever finds it unlocked may take it away; before, somebody may be about to lock it.
                lock.write(b"locked")
                lock.flush()
                yield cls(folder, left)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _tidy(parent: Path, prefix: str) -> Iterator[Left]:
    for folder in sorted(parent.glob(".*.part-*")):
        # Where others may write, too, nothing of theirs is opened or taken away.
        if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            continue
        same = folder.name.startswith(prefix)
        with suppress(OSError), (folder / _LOCK).open("ab" if same else "rb+") as lock:
            if not _locked(lock) or not (same or _was_locked(lock)):
                continue
            shutil.rmtree(folder)
            yield Left(str(folder))


def _was_locked(file: IO[Any]) -> bool:
    return os.fstat(file.fileno()).st_size > 0


def _locked(file: IO[Any]) -> bool:
    """Whether the lock is ours now; it is held as long as the file is open."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows, where what an interrupted run left stays
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def flush(file: Path) -> None:
    """Let the disk have all of a file, so that a power cut after the renaming finds it whole."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def flush_folder(folder: Path) -> None:
    """Let the disk know the names in a folder, where the system has a way to say so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

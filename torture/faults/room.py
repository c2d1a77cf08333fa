"""A small disk of its own, in memory, which can be filled: for whoever may mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

__all__ = ["Room"]

_SLACK = 1 << 16


@attrs.frozen
class Room:
    """A disk of ``size`` bytes, mounted at ``folder``."""

    folder: Path
    size: int

    @classmethod
    @contextmanager
    def mounted(cls, folder: Path, size: int) -> Iterator[Room | None]:
        """Mount it; ``None`` where that is not allowed, which it is to root alone, outside of most containers."""
        folder.mkdir(parents=True, exist_ok=True)
        mount, unmount = shutil.which("mount"), shutil.which("umount")
        command = [mount or "", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)]
        if mount is None or unmount is None or subprocess.run(command, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield cls(folder, size)
        finally:
            subprocess.run([unmount, "-l", str(folder)], check=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def leave(self, count: int) -> None:
        """Fill it, but for so many bytes."""
        self.clear()
        with self._ballast.open("wb") as file:
            # A server that writes meanwhile may take what we have counted.
            while (free := self._free()) > count + _SLACK:
                with suppress(OSError):
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free - count)

    def _free(self) -> int:
        there = os.statvfs(self.folder)
        return there.f_bavail * there.f_frsize

    def clear(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

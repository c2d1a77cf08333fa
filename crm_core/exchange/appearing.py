"""A file that appears when all of it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crm_core.errors import ExchangeError

__all__ = ["appearing", "text_file"]


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Where to write to until all is there; then it replaces ``path``. When something fails, ``path`` is as before.

    Raises :class:`ExchangeError` when it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExchangeError(
            "{file} cannot be written: {reason}.",
            mend="Choose another place.",
            file=str(path),
            reason=error.strerror or str(error),
        ) from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def text_file(path: Path) -> Iterator[IO[str]]:
    """The same for a text in UTF-8, with the line ends that are written."""
    with appearing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield file

"""The copy that is rehearsed on, and the original beside it as it was when the copy was made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from crm_core.errors import StoreError
from crm_core.store.copies import Contents, Source, Tell, Workplace, opened
from crm_core.store.engine import parse_url

__all__ = ["Copied", "copied"]


@attrs.frozen
class Copied:
    """The original at the moment of the copy, what it held, and the address of the copy."""

    original: Source
    held: Contents
    address: str


@contextmanager
def copied(address: str, tell: Tell, *, keep: bool = False) -> Iterator[Copied]:
    """Copy a database; the copy goes with the block, unless it is kept. Nothing is written to the original."""
    url = parse_url(address)
    with ExitStack() as stack:
        if url.get_backend_name() == "sqlite":
            yield _sqlite(stack, url, tell, keep)
        else:
            yield _template(stack, url, tell, keep) or _dump(stack, url, tell, keep)


def _sqlite(stack: ExitStack, url: URL, tell: Tell, keep: bool) -> Copied:
    from crm_core.store.copies.sqlite import check_file, file_of

    file = file_of(url)
    source = stack.enter_context(opened(url))
    held = source.contents(tell)
    # Beside the original: where that has room, the copy usually has, and it stays as private.
    copy = _free_name(file) if keep else stack.enter_context(Workplace.beside(file)).folder / file.name
    source.write(copy, tell)
    copy.chmod(0o600)
    check_file(copy, held, tell)
    return Copied(source, held, f"sqlite:///{copy.resolve()}")


def _free_name(file: Path) -> Path:
    for number in range(1, 1000):
        name = file.with_name(f"{file.stem}.rehearsal-{number}{file.suffix}")
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            continue
        name.unlink()
        return name
    raise StoreError("There are too many rehearsals beside {file}.", mend="Remove some.", file=str(file))


def _template(stack: ExitStack, url: URL, tell: Tell, keep: bool) -> Copied | None:
    """A copy by the server itself: quick, but refused while anybody is connected."""
    from crm_core.store.copies.scratch import scratch

    with ExitStack() as mine:
        try:
            place = mine.enter_context(scratch(url, "crm_rehearsal", template=True, keep=keep))
        except DBAPIError:
            return None
        source = mine.enter_context(opened(url))
        held = source.contents(tell)
        with opened(place) as copy:
            same = copy.contents(tell) == held
        if not same and not keep:
            return None  # somebody wrote between the copy and our look
        stack.push(mine.pop_all())
        return Copied(source, held, place.render_as_string(hide_password=False))


def _dump(stack: ExitStack, url: URL, tell: Tell, keep: bool) -> Copied:
    import tempfile

    from crm_core.store.copies.rebuilding import rebuild
    from crm_core.store.copies.scratch import scratch

    source = stack.enter_context(opened(url))
    held = source.contents(tell)
    place = stack.enter_context(scratch(url, "crm_rehearsal", keep=keep))
    with tempfile.TemporaryDirectory(prefix="crm-rehearse-") as folder:
        file = Path(folder) / "database.dump"
        source.write(file, tell)
        rebuild(place, file, held, tell)
    return Copied(source, held, place.render_as_string(hide_password=False))

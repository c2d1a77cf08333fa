"""Address books and calendars as components: from ``BEGIN`` to ``END``, one at a time, each with the line it begins in.

Both kinds of files are made of the same lines (RFC 6350, RFC 5545, vCard 2.1): a name, parameters, a colon, a value;
long ones are folded. They are read as bytes, because in old files each line may be in an encoding of its own.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path

import attrs

from crm_core.errors import ExchangeError, Problem
from crm_core.exchange.encodings import detect

__all__ = ["Component", "Line", "components", "file_encoding", "unfolded"]

MOST_BYTES = 16 << 20
_NAME = re.compile(rb"(?:[\w.+-]+\.)?[A-Za-z][\w-]*\s*[;:]")
_WIDE = ("utf-16", "utf-32")


@attrs.frozen
class Line:
    """One line of a component, unfolded, with the number of the line of the file that it begins in."""

    number: int
    data: bytes


@attrs.frozen
class Component:
    """What stands between ``BEGIN`` and ``END``, without them; ``problem`` says why it cannot be used.

    ``lines`` are as the file has them; :func:`unfolded` puts together what is folded. Components inside of it are among
    its lines.
    """

    number: int
    name: str
    lines: tuple[Line, ...]
    problem: Problem | None = None

    @property
    def text(self) -> str:
        """All of it as text, for whoever is to mend it; bytes that are no text are escaped."""
        body = b"\n".join(line.data for line in self.lines)
        return f"BEGIN:{self.name}\n{body.decode('utf-8', 'backslashreplace')}\nEND:{self.name}"


def file_encoding(path: Path) -> str:
    """The encoding of what is not marked otherwise. Raises :class:`ExchangeError` when the file cannot be read."""
    try:
        return detect(path)
    except OSError as error:
        raise ExchangeError(
            "{file} cannot be read: {reason}.", file=str(path), reason=error.strerror or str(error)
        ) from None


def components(
    path: Path, encoding: str, wanted: Iterable[str], transparent: str = ""
) -> Iterator[tuple[Component, float]]:
    """The components of a file, each with the share of the file that is read then.

    ``wanted`` are the names of those to be given one by one, whatever they stand in if that is called ``transparent``.
    All else that says something is given, too, as a component with a problem: nothing is passed over.
    """
    names = {name.encode() for name in wanted}
    shell = transparent.encode()
    begun: Line | None = None
    name = b""
    depth = size = 0
    lines: list[Line] = []
    loose: list[Line] = []
    for line, share in _lines(path, encoding):
        word, _, what = line.data.strip().partition(b":")
        word, what = word.upper(), what.strip().upper()
        if begun is None:
            if word == b"BEGIN" and what and what != shell:
                if loose:
                    yield _loose(loose), share
                    loose = []
                begun, name, depth, size, lines = line, what, 1, 0, []
            elif line.data.strip() and not (shell and what == shell) and not _of_shell(word, shell):
                loose.append(line)
            continue
        if word == b"BEGIN":
            depth += 1
        elif word == b"END":
            depth -= 1
            if not depth:
                yield _whole(begun, name, lines, size, what, names), share
                begun = None
                continue
        size += len(line.data)
        if size <= MOST_BYTES:
            lines.append(line)
    if begun is not None:
        problem = Problem("", "It has no end: END:{name} is missing.", "", {"name": name.decode("ascii", "replace")})
        yield Component(begun.number, _word(name), tuple(lines), problem), 1.0
    if loose:
        yield _loose(loose), 1.0


def _whole(begun: Line, name: bytes, lines: list[Line], size: int, end: bytes, names: set[bytes]) -> Component:
    problem = None
    if size > MOST_BYTES:
        lines = []
        problem = Problem("", "It has {size} bytes; at most {most} are read.", "Take out its pictures.",
                          {"size": size, "most": MOST_BYTES})  # fmt: skip
    elif end != name:
        problem = Problem("", "It begins as {name} and ends as {end}.", "",
                          {"name": _word(name), "end": _word(end)})  # fmt: skip
    elif name not in names:
        problem = Problem("", "A {name} is nothing that is imported here.", "", {"name": _word(name)})
    return Component(begun.number, _word(name), tuple(lines), problem)


def _loose(lines: list[Line]) -> Component:
    problem = Problem("", "These lines stand outside of everything.", "They belong between BEGIN and END.")
    return Component(lines[0].number, "", tuple(lines), problem)


def _of_shell(word: bytes, shell: bytes) -> bool:
    """Whether a line is about the file as a whole, as a calendar has them."""
    return bool(shell) and _NAME.match(word + b":") is not None


def _word(name: bytes) -> str:
    return name.decode("ascii", "replace")


def _lines(path: Path, encoding: str) -> Iterator[tuple[Line, float]]:
    size = max(path.stat().st_size, 1)
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        source: Iterable[bytes] = iter(lambda: file.readline(MOST_BYTES), b"")
        if encoding.startswith(_WIDE):
            wide = stack.enter_context(TextIOWrapper(file, encoding, "replace"))
            source = (text.encode("utf-8", "replace") for text in wide)
        for number, data in enumerate(source, 1):
            bare = data.removeprefix(codecs.BOM_UTF8) if number == 1 else data
            yield Line(number, bare.rstrip(b"\r\n")), min(file.tell() / size, 1.0)


def unfolded(lines: Iterable[Line]) -> Iterator[Line]:
    """Lines put together: those that a space begins, those of quoted-printable, and pictures without spaces."""
    begun: Line | None = None
    for line in lines:
        data = line.data
        if begun is None:
            begun = line if data.strip() else None
        elif _soft(begun.data):
            begun = Line(begun.number, begun.data[:-1] + data.lstrip(b" \t") if _soft(begun.data) else data)
        elif data[:1] in (b" ", b"\t"):
            begun = Line(begun.number, begun.data + data[1:])
        elif data.strip() and _packed(begun.data) and not _NAME.match(data):
            begun = Line(begun.number, begun.data + data)
        else:
            yield begun
            begun = line if data.strip() else None
    if begun is not None:
        yield begun


def _soft(data: bytes) -> bool:
    """Whether quoted-printable goes on in the next line."""
    return data.endswith(b"=") and b"QUOTED-PRINTABLE" in data.partition(b":")[0].upper()


def _packed(data: bytes) -> bool:
    head = data.partition(b":")[0].upper()
    return b"BASE64" in head or b"ENCODING=B" in head

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
_AGENT = re.compile(rb"(?:[\w+-]+\.)?AGENT\s*(?:;[^:]*)?:\s*", re.IGNORECASE)
_LONGEST_HEAD = 4096
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
    shell: int = 0
    """In which of the transparent components of the file it stands, from 1."""

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

    ``wanted`` are the names of those to be given one by one, whatever they stand in if that is called ``transparent``;
    of that its own lines are given at its end, as a component of its name. All else that says something is given, too,
    as a component with a problem: nothing is passed over. One that lacks its end ends where the next begins.
    """
    cutting = _Cutting({name.encode() for name in wanted}, transparent.encode())
    share = 0.0
    for line, share in _lines(path, encoding):
        for component in cutting.take(line):
            yield component, share
    for component in cutting.finish():
        yield component, 1.0


class _Cutting:
    """Lines cut into components."""

    def __init__(self, names: set[bytes], shell: bytes) -> None:
        self.names = names
        self.shell = shell
        self.shells = 0
        self.about: list[Line] = []
        self.loose: list[Line] = []
        self.begun: Line | None = None
        self.name = b""
        self.lines: list[Line] = []
        self.depth = self.size = 0
        self.before = b""

    def take(self, line: Line) -> Iterator[Component]:
        """The components that one more line ends."""
        data = line.data.strip()
        word, _, what = data.partition(b":")
        word, what = word.upper(), what.strip().upper()
        begins = word == b"BEGIN" and bool(what)
        if self.begun is not None:
            # Neither cards nor events stand in others, but for those of agents.
            if begins and (what in self.names or what == self.shell) and not _AGENT.fullmatch(self.before):
                yield self._endless(self.begun)
            else:
                yield from self._inside(self.begun, line, word, what)
                self.before = data or self.before
                return
        if begins and what != self.shell:
            yield from self._rest()
            self.begun, self.name, self.depth, self.size, self.lines = line, what, 1, 0, []
        elif self.shell and what == self.shell and word in (b"BEGIN", b"END"):
            yield from self._about()
            self.shells += word == b"BEGIN"
        elif _of_shell(word, self.shell) or (self.about and line.data[:1] in (b" ", b"\t")):
            self.about.append(line)
        elif data:
            self.loose.append(line)

    def finish(self) -> Iterator[Component]:
        """What is left at the end of the file."""
        if self.begun is not None:
            yield self._endless(self.begun)
        yield from self._rest()
        yield from self._about()

    def _inside(self, begun: Line, line: Line, word: bytes, what: bytes) -> Iterator[Component]:
        self.depth += (word == b"BEGIN") - (word == b"END")
        if not self.depth:
            self.begun = None
            component = _whole(begun, self.name, self.lines, self.size, what, self.names)
            yield attrs.evolve(component, shell=self.shells)  # no program is run  # nosec B604
            return
        self.size += len(line.data)
        if self.size <= MOST_BYTES:
            self.lines.append(line)

    def _endless(self, begun: Line) -> Component:
        self.begun = None
        problem = Problem("", "It has no end: END:{name} is missing.", "", {"name": _word(self.name)})
        return Component(begun.number, _word(self.name), tuple(self.lines), problem, self.shells)

    def _rest(self) -> Iterator[Component]:
        loose, self.loose = self.loose, []
        if loose:
            problem = Problem("", "These lines stand outside of everything.", "They belong between BEGIN and END.")
            yield Component(loose[0].number, "", tuple(loose), problem)

    def _about(self) -> Iterator[Component]:
        about, self.about = self.about, []
        if about:
            yield Component(about[0].number, _word(self.shell), tuple(about), None, self.shells)


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
    begun: _Folded | None = None
    for line in lines:
        data = line.data
        if begun is None:
            begun = _Folded(line) if data.strip() else None
        elif begun.soft:
            begun.go_on(data.lstrip(b" \t"))
        elif data[:1] in (b" ", b"\t"):
            begun.add(data[1:])
        elif data.strip() and begun.packed and not _NAME.match(data):
            begun.add(data)
        else:
            yield begun.line
            begun = _Folded(line) if data.strip() else None
    if begun is not None:
        yield begun.line


class _Folded:
    """The pieces of one line, put together once: as many as a picture has would take very long one by one."""

    def __init__(self, line: Line) -> None:
        self.number = line.number
        self.pieces = [line.data]
        self.head = line.data[:_LONGEST_HEAD]

    @property
    def line(self) -> Line:
        return Line(self.number, b"".join(self.pieces))

    def add(self, data: bytes) -> None:
        if data:
            self.pieces.append(data)
        if len(self.head) < _LONGEST_HEAD and b":" not in self.head:
            self.head = (self.head + data)[:_LONGEST_HEAD]

    def go_on(self, data: bytes) -> None:
        """Go on after the sign of quoted-printable that it does."""
        if last := self.pieces.pop()[:-1]:
            self.pieces.append(last)
        self.add(data)

    @property
    def soft(self) -> bool:
        """Whether quoted-printable goes on in the next line."""
        return self.pieces[-1:] != [] and self.pieces[-1].endswith(b"=") and b"QUOTED-PRINTABLE" in self._words

    @property
    def packed(self) -> bool:
        return b"BASE64" in self._words or b"ENCODING=B" in self._words

    @property
    def _words(self) -> bytes:
        return self.head.partition(b":")[0].upper()

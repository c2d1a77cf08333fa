"""Help pages that count columns: a Chinese character takes two, and lines of Chinese have no spaces to break at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import east_asian_width

import click

__all__ = ["Context", "Formatter", "fold", "width"]

_CLOSING = "，。；：、！？）》」”’,.;:!?)"
_PIECES = re.compile(r"\s+|[!-~]+|.")


def width(text: str) -> int:
    """The columns that ``text`` takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def fold(text: str, room: int) -> list[str]:
    """``text`` in lines of at most ``room`` columns; no line begins with a closing mark, and no word is torn."""
    lines: list[str] = []
    line = ""
    for piece in _PIECES.findall(text):
        if width(line) + width(piece) > room and piece not in _CLOSING and line:
            lines.append(line.rstrip())
            line = ""
        if line or not piece.isspace():
            line += piece
    return [*lines, line.rstrip()]


class Formatter(click.HelpFormatter):
    """Writes help in columns."""

    def write_text(self, text: str) -> None:
        """One paragraph, or lines as they are after ``\\b``."""
        lines = text.split("\n")[1:] if text.startswith("\b\n") else fold(text, self.width - self.current_indent)
        for line in lines:
            self.write(f"{'':>{self.current_indent}}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Names with explanations beside them."""
        rows = list(rows)
        first = min(max(width(name) for name, _ in rows), col_max) + col_spacing
        for name, text in rows:
            lines = fold(text, max(self.width - self.current_indent - first, 20))
            self.write(f"{'':>{self.current_indent}}{name}")
            if width(name) > first - col_spacing:
                self.write("\n")
                lines.insert(0, "")
            else:
                self.write(" " * (first - width(name)) + lines[0] + "\n")
            for line in lines[1:]:
                self.write(f"{'':>{self.current_indent + first}}{line}\n")


class Context(click.Context):
    """A context that formats help by :class:`Formatter`."""

    formatter_class = Formatter

"""Templates: ``"{BusinessEntityID}/{TerritoryID}"``, a text with the names of columns in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from crm_core.errors import Problem

__all__ = ["Template", "column_template", "escaped", "no_template"]

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@attrs.frozen
class Template:
    """Texts and column names in turn: ``(text, column)`` pairs, the column ``None`` after the last text."""

    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, source: str) -> Template:
        """Read a template; ``{{`` and ``}}`` stand for braces. Raises :class:`ValueError` with the reason."""
        return cls(tuple(_parts(source)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it needs, in their order."""
        return tuple(column for _, column in self.parts if column is not None)


def _parts(source: str) -> Iterator[tuple[str, str | None]]:
    text, start = "", 0
    for match in _PART.finditer(source):
        text += source[start : match.start()]
        start = match.end()
        if match[0] in ("{{", "}}"):
            text += match[0][0]
        elif match[1]:
            yield text, match[1]
            text = ""
        else:
            raise ValueError(f"{match[0]!r} at character {match.start() + 1} names no column")
    text += source[start:]
    if text:
        yield text, None


def no_template(path: str, source: str, error: ValueError) -> Problem:
    """What is told where :meth:`Template.parse` raises; ``path`` says where the template stands."""
    return Problem(path, "{source!r} is no template: {reason}.", "Write columns in braces: \"{{A}}/{{B}}\".",
                   {"source": source, "reason": str(error)})  # fmt: skip


def escaped(text: str) -> str:
    """A text as it stands in a template: its own braces are doubled."""
    return text.replace("{", "{{").replace("}", "}}")


def column_template(*columns: str) -> str:
    """The template that joins columns by a slash."""
    return "/".join("{" + column + "}" for column in columns)

"""Every error of the kernel: what is wrong, where, and how to mend it.

An error keeps its sentence as a template and the values beside it, so that a command line or a form can show it in
the reader's language. ``exit_code`` is what the ``crm`` command ends with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import attrs

__all__ = [
    "BuildError",
    "Conflict",
    "Contention",
    "ContractError",
    "CrmError",
    "DeclarationError",
    "ExchangeError",
    "ExpressionError",
    "HookError",
    "MergeConflict",
    "MigrationError",
    "NotFound",
    "Objection",
    "PastDetached",
    "PermissionDenied",
    "Problem",
    "StillNeeded",
    "StoreError",
    "UndoConflict",
    "UnsupportedStatement",
    "ValidationError",
    "filled",
    "joined",
    "nearest",
]


def _same(text: str) -> str:
    return text


_STOPPED = re.compile(r"\{(\w+)\}\.(?=\s|$)")
_WIDE_STOPS = ("。", "！", "？", "；", "：")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A template with its values; where a value (``Acme Co., Ltd.``) brings a full stop, no second one follows it."""
    if "}." in template:
        template = _STOPPED.sub(
            lambda found: found[0][:-1] if str(values.get(found[1], "")).endswith(".") else found[0], template
        )
    return template.format(**values)


def joined(sentences: Iterable[str]) -> str:
    """Sentences as one paragraph: with spaces between them, which Chinese has not behind its full stops."""
    text = ""
    for each in sentences:
        text += each if not text or text.endswith(_WIDE_STOPS) else f" {each}"
    return text


_NEAR, _NEARLY = 0.6, 0.1
"""From what likeness on (of 1) a name may have been meant, and how much less like than the best one it may be."""


def nearest(word: str, words: Iterable[str], *, strict: bool = False) -> str:
    """The names that were probably meant, the likeliest first, at most three: for "Did you mean {near}?".

    Case does not matter, and a word without a dot is compared with what stands behind the last one, too: ``visit`` is
    near to ``trade_fairs.visit``. Where nothing is near, the three that are the least unlike, or nothing if ``strict``.
    """
    from difflib import SequenceMatcher

    def likeness(one: str, other: str) -> float:
        matcher.set_seq1(one)
        matcher.set_seq2(other)
        return matcher.ratio()

    matcher = SequenceMatcher(autojunk=False)
    asked = word.casefold()
    found = []
    for each in dict.fromkeys(words):
        known = each.casefold()
        like = likeness(asked, known)
        if "." in known and "." not in asked:  # a little less, so that the whole name comes first
            like = max(like, likeness(asked, known.rpartition(".")[2]) - 0.01)
        found.append((like, each))
    found.sort(key=lambda each: (-each[0], each[1]))
    near = [name for like, name in found if like >= _NEAR and like >= found[0][0] - _NEARLY]
    return ", ".join((near if near or strict else [name for _, name in found])[:3])


class CrmError(Exception):
    """Base of every error that crm-core raises on purpose.

    ``problem`` and ``mend`` are templates for ``str.format`` with ``values``; ``plugin``, ``record`` and ``field`` say
    where.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        problem: str,
        *,
        mend: str = "",
        plugin: str | None = None,
        record: str | None = None,
        field: str | None = None,
        **values: Any,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend
        self.plugin = plugin
        self.record = record
        self.field = field
        self.values = values

    def text(self, translate: Callable[[str], str] = _same) -> str:
        """The whole message as one paragraph, through ``translate``."""
        known = {"plugin": self.plugin, "record": self.record, "field": self.field, **self.values}
        parts = [filled(translate(self.problem), known)]
        if self.mend:
            parts.append(filled(translate(self.mend), known))
        return joined(parts)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        # Filled in: in a list of errors, the template alone would tell nothing.
        return f"{type(self).__name__}({self.text()!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__)


def _rebuild(cls: type[CrmError], state: dict[str, Any]) -> CrmError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["problem"])
    error.__dict__.update(state)
    return error


@attrs.frozen
class Problem:
    """One thing wrong with one value.

    ``path`` says where: a field name, ``row 17: name``, ``plugins.key_accounts.tiers``.
    """

    path: str
    problem: str
    mend: str = ""
    values: dict[str, Any] = attrs.field(factory=dict)

    def text(self, translate: Callable[[str], str] = _same) -> str:
        """``path: what is wrong. How to mend it.``"""
        parts = [filled(translate(self.problem), self.values)]
        if self.mend:
            parts.append(filled(translate(self.mend), self.values))
        where = f"{self.path}: " if self.path else ""
        return where + joined(parts)

    def __str__(self) -> str:
        return self.text()


class _Listed(CrmError):
    """An error that reports all problems at once."""

    def __init__(self, problem: str, problems: Sequence[Problem] = (), **kwargs: Any) -> None:
        super().__init__(problem, **kwargs)
        self.problems = tuple(problems)

    def text(self, translate: Callable[[str], str] = _same) -> str:
        head = super().text(translate)
        return "\n".join([head, *(f"  - {problem.text(translate)}" for problem in self.problems)])


class DeclarationError(CrmError):
    """A record, field, hook or manifest is declared wrongly: the author of the plugin mends it."""

    exit_code = 3


class BuildError(_Listed):
    """The build file or the set of plugins does not fit together."""

    exit_code = 3


class ContractError(CrmError):
    """A plugin breaks the contract: an unknown hook, a defaulted hook parameter, a wrong return."""

    exit_code = 3


class ValidationError(_Listed):
    """Values that a record cannot take; ``problems`` lists each."""

    exit_code = 4


class PermissionDenied(CrmError):
    """The actor may see the thing, or names nothing in particular, but may not do this."""

    exit_code = 5


class NotFound(CrmError):
    """There is no such record, or the actor may not know of it: the same answer for both."""

    exit_code = 6


class PastDetached(NotFound):
    """It was recorded in a part of the journal that was detached, so that nothing can be said of it here."""


class Conflict(CrmError):
    """Somebody else changed the same thing meanwhile, or two dated rows would hold at once."""

    exit_code = 7


class Contention(Conflict):
    """Somebody else was writing the same just now. Nothing else is wrong: read again and repeated, it may succeed."""


class UndoConflict(_Listed):
    """A change set cannot be undone because later changes stand on it; nothing was changed."""

    exit_code = 7


class StillNeeded(_Listed):
    """Old records, or a part of the journal, cannot be put away because somebody needs them; nothing was changed."""

    exit_code = 7


class MergeConflict(_Listed):
    """Two records cannot be merged, because of what hangs on them; nothing was changed."""

    exit_code = 7


class Objection(_Listed):
    """A plugin objects (a ``crm_check_`` hook); ``plugin`` says which."""

    exit_code = 8


class HookError(CrmError):
    """An implementation of a hook failed; the cause is chained."""

    exit_code = 9


class ExpressionError(CrmError):
    """A filter expression that cannot be read; ``position`` is the offset of the character at fault."""

    exit_code = 4

    def __init__(self, problem: str, *, source: str = "", position: int = 0, **kwargs: Any) -> None:
        super().__init__(problem, **kwargs)
        self.source = source
        self.position = position

    def text(self, translate: Callable[[str], str] = _same) -> str:
        head = super().text(translate)
        if not self.source:
            return head
        start = self.source.rfind("\n", 0, self.position) + 1
        line = self.source[start:].split("\n", 1)[0]
        return f"{head}\n  {line}\n  {' ' * _width(self.source[start : self.position])}^"


def _width(text: str) -> int:
    """Columns a terminal needs: Chinese, Japanese and full-width characters take two."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


class ExchangeError(_Listed):
    """A mapping, a data file or an export that cannot be used."""

    exit_code = 4


class UnsupportedStatement(CrmError):
    """A statement form that would bypass visibility or the journal; the message says what to write instead."""

    exit_code = 9


class StoreError(CrmError):
    """The database cannot be reached, is locked, or is not of this build."""

    exit_code = 10


class MigrationError(StoreError):
    """A migration cannot run or did not leave the schema it promised."""

"""The decorators of the contract.

``hookspec`` declares a hook, ``hookimpl`` marks a plugin's answer to it, ``only_for`` says which changes it is for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pluggy

from crm_core.errors import Problem

if TYPE_CHECKING:
    from crm_core.records import Record
    from crm_core.store.changes import ChangeBatch, Operation

__all__ = [
    "PROJECT", "Deprecation", "OnlyFor", "deprecated", "deprecation_of", "hookimpl", "hookspec", "only_for",
    "only_for_of",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

PROJECT = "crm_core"
"""The project name under which pluggy keeps our markers apart from those of other frameworks."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as its implementation of the hook of the same name."""


@attrs.frozen
class Deprecation:
    """A hook, or a parameter of one, that goes: since which contract, in which it is gone, and what to use instead."""

    since: str
    removed: str
    instead: str = ""


def deprecated(hook: Deprecation | None = None, /, **parameters: Deprecation) -> Callable[[F], F]:
    """Mark a hook as one that goes, or some of its parameters by name; stands above ``@hookspec``.

    Assembly warns each plugin that implements the hook, or asks for the parameter, with the contract that removes it.
    """

    def mark(function: F) -> F:
        function.__dict__["crm_deprecated"] = (hook, dict(parameters))
        return function

    return mark


def deprecation_of(function: Callable[..., Any]) -> tuple[Deprecation | None, Mapping[str, Deprecation]]:
    """What of a hook goes: itself, and its parameters by name."""
    found: tuple[Deprecation | None, Mapping[str, Deprecation]] = function.__dict__.get("crm_deprecated", (None, {}))
    return found


@attrs.frozen
class OnlyFor:
    """The changes that an implementation is for: of these record types, with these operations; none means all.

    ``wrong`` is what could not be read of the mark: kept, so that assembly can tell it with everything else that is
    wrong with a plugin. Its texts may name the ``{hook}``.
    """

    records: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    wrong: tuple[Problem, ...] = ()

    def concerns(self, batch: ChangeBatch) -> bool:
        """Whether there is anything in a batch that it is for."""
        if self.records and batch.type.name not in self.records:
            return False
        return not self.operations or any(change.operation in self.operations for change in batch)


def only_for(*records: type[Record] | str, operations: Iterable[Operation] = ()) -> Callable[[F], F]:
    """Say which changes an implementation of ``crm_check_changes`` or ``crm_on_changes`` is for.

    ``records`` are classes, or the names of record types; without any it is for all of them. With ``operations``
    (``"create"``, ``"update"``, ``"delete"``) it is for batches that hold at least one of these, and gets them whole.
    It is not called for anything else, which then costs nothing: no savepoint, and no session of the system. Stands
    beside ``@hookimpl``, above or below.
    """

    bare: Any = records[0] if len(records) == 1 else None
    if inspect.isroutine(bare):
        # Without parentheses it is called with the implementation itself, which stays what it is.
        bare.__dict__["crm_only_for"] = OnlyFor(wrong=(Problem("", _BARE, _SAY_WHAT),))
        return bare

    def mark(function: F) -> F:
        names = [each if isinstance(each, str) else _name_of(each) for each in records]
        wrong = [*_no_records(each for each, name in zip(records, names, strict=True) if name is None)]
        known: Iterable[str] = operations
        if isinstance(operations, str):
            wrong.append(Problem("", _ONE_TEXT, "Write a tuple: operations=({given!r},).", {"given": operations}))
            known = ()
        function.__dict__["crm_only_for"] = OnlyFor(
            frozenset(name for name in names if name is not None), frozenset(known), tuple(wrong)
        )
        return function

    return mark


_BARE = "Above {hook}, @only_for stands without parentheses, so it does not say what it is only for."
_SAY_WHAT = 'Name record types or operations: @only_for(Account), or @only_for("account", operations=("create",)).'
_ONE_TEXT = (
    "The operations that {hook} is only for are one text, {given!r}, of which each letter would be an operation."
)


def _name_of(record: Any) -> str | None:
    """The name of the record type of a class; ``None`` for what is no record."""
    name: str | None = getattr(getattr(record, "crm_type", None), "name", None)
    return name


def _no_records(given: Iterable[Any]) -> Iterator[Problem]:
    for each in given:
        yield Problem(
            "",
            "{hook} is only for {given}, which is no record.",
            "Name classes that @record or @extends declares, or record types by their names, as texts.",
            {"given": getattr(each, "__qualname__", None) or repr(each)},
        )


def only_for_of(function: Callable[..., Any]) -> OnlyFor | None:
    """What an implementation says it is for; ``None`` where it says nothing."""
    found: OnlyFor | None = getattr(function, "crm_only_for", None)
    return found

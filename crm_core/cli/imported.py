"""What commands say of every import, whatever it read: doubles, rejects, and what to undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crm_core.cli.application import Application

if TYPE_CHECKING:
    from crm_core.exchange.report import Double, Rejected

__all__ = ["Ended", "Imported", "print_change_set", "print_doubles", "print_reasons", "print_rejected", "print_untaken"]

_DOUBLES = 10
_REASONS = 5
_UNTAKEN = 20


class Reasoned(Protocol):
    """What those have that say why something was rejected."""

    @property
    def first_rejects(self) -> Sequence[Rejected]: ...


class Ended(Reasoned, Protocol):
    """What the reports of all imports have."""

    @property
    def dry_run(self) -> bool: ...

    @property
    def change_set(self) -> int | None: ...

    @property
    def rejected(self) -> int: ...

    @property
    def rejects(self) -> Path | None: ...


class Imported(Ended, Protocol):
    """What those have that bring records which may have doubles."""

    @property
    def duplicates(self) -> int: ...

    @property
    def first_duplicates(self) -> Sequence[Double]: ...

    @property
    def served(self) -> Sequence[tuple[str, str | None]]: ...


def print_doubles(application: Application, report: Imported) -> None:
    """What came in and might have been there already."""
    output, translator = application.output, application.translator
    if report.first_duplicates:
        output.table(
            ("record", "id", "name", "other id", "other name", "in common"),
            (
                (translator.named(each.record), str(each.id), each.name, str(each.other_id), each.other_name,
                 ", ".join(translator.text(key) for key in each.keys))
                for each in report.first_duplicates[:_DOUBLES]
            ),
            title="Perhaps there already",
        )  # fmt: skip
        output.say("Pairs that might be the same: {count}. 'crm duplicates' lists them.", count=report.duplicates)
    for name, ask in report.served[:_DOUBLES]:
        if ask is None:
            output.say("{name} is served already.", name=name)
        else:
            output.say("{name} is served already: ask {user}.", name=name, user=ask)


def print_reasons(application: Application, report: Reasoned, most: int = _REASONS) -> None:
    """Why the first of the rejected ones were rejected."""
    for each in report.first_rejects[:most]:
        application.output.line(
            application.translator.format(
                "{file}, line {line}: {reason}", file=each.file, line=each.line, reason=each.reason
            )
        )


def print_untaken(application: Application, called: str, entries: Sequence[tuple[int, str, Sequence[str]]]) -> None:
    """What of cards or events has no place here: line, what it is ``called``, and the texts, each once."""
    output = application.output
    left = [(line, name, texts) for line, name, texts in entries if texts]
    if left:
        output.table(
            ("line", called, "what was not taken"),
            ((str(line), name, "\n".join(_counted(texts))) for line, name, texts in left[:_UNTAKEN]),
            title="What has no place here",
        )
    if len(left) > _UNTAKEN:
        output.say("Entries with something that was not taken: {count}. '--json' tells of each.", count=len(left))


def _counted(texts: Sequence[str]) -> list[str]:
    """Each text once, with how often it comes."""
    counts = Counter(texts)
    return [text if number == 1 else f"{text} ({number})" for text, number in counts.items()]


def print_rejected(application: Application, report: Ended) -> None:
    """How much was rejected, and where it is."""
    output = application.output
    if report.rejects is not None and report.rejected:
        output.say("All {count} rejected rows: {file}", count=report.rejected, file=str(report.rejects))
    elif report.rejected:
        output.say("Rejected rows: {count}. '--rejects FILE' writes all of them, each with its reason.",
                   count=report.rejected)  # fmt: skip


def print_change_set(application: Application, report: Ended) -> None:
    """What to undo."""
    output = application.output
    if report.dry_run:
        output.say("It was a dry run: nothing was changed.")
    elif report.change_set is None:
        output.say("Nothing was changed.")
    else:
        output.say("Imported as the change set {id}. To take it back: crm undo {id}", id=report.change_set)

"""What commands say of every import, whatever it read: doubles, rejects, and what to undo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crm_core.cli.application import Application

if TYPE_CHECKING:
    from crm_core.exchange.report import Double

__all__ = ["Ended", "Imported", "print_change_set", "print_doubles", "print_rejected"]

_DOUBLES = 10


class Ended(Protocol):
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

"""Address books on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import PRINCIPAL, Application
from crm_core.cli.imported import print_change_set, print_doubles, print_reasons, print_rejected, print_untaken

if TYPE_CHECKING:
    from crm_core.exchange.cards import CardReport

__all__ = ["import_cards", "print_cards"]


def import_cards(
    application: Application,
    file: Path,
    *,
    dry_run: bool,
    rejects: Path | None,
    system: str | None,
    known_companies: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Import an address book with a bar, and say what became of it."""
    from crm_core.exchange import cards
    from crm_core.exchange.cards.importing import SYSTEM

    crm = application.crm
    with application.output.progress() as bar:
        task = bar.add_task(file.name, total=None)
        report = cards.import_cards(
            crm, file, dry_run=dry_run, rejects_path=rejects, system=system or SYSTEM,
            companies="known" if known_companies else "create", principal=PRINCIPAL, login=application.user,
            reason=reason, translate=application.translator,
            progress=lambda progress: bar.update(
                task, completed=progress.rows, total=round(progress.rows / (progress.share or 1))
            ),
        )  # fmt: skip
    if as_json:
        application.output.json(report.as_json())
    else:
        print_cards(application, report)


def print_cards(application: Application, report: CardReport) -> None:
    """What became of the cards, and what of them has no place here."""
    application.output.table(
        ("read", "created", "updated", "unchanged", "rejected", "accounts", "affiliations", "contact points"),
        [[str(number) for number in (report.read, report.count("created"), report.count("updated"),
                                     report.count("unchanged"), report.rejected, report.accounts,
                                     report.affiliations, report.points)]],
    )  # fmt: skip
    print_reasons(application, report)
    print_untaken(application, "name", [(card.line, card.name, card.untaken) for card in report.cards])
    print_doubles(application, report)
    print_rejected(application, report)
    print_change_set(application, report)

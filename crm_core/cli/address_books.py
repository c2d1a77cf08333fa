"""Address books on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import PRINCIPAL, Application
from crm_core.cli.imported import print_change_set, print_doubles, print_rejected

if TYPE_CHECKING:
    from crm_core.exchange.cards import CardReport

__all__ = ["import_cards", "print_cards"]

_CARDS = 20
_REJECTS = 5


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
    output, translator = application.output, application.translator
    output.table(
        ("read", "created", "updated", "unchanged", "rejected", "accounts", "affiliations", "contact points"),
        [[str(number) for number in (report.read, report.count("created"), report.count("updated"),
                                     report.count("unchanged"), report.rejected, report.accounts,
                                     report.affiliations, report.points)]],
    )  # fmt: skip
    for each in report.first_rejects[:_REJECTS]:
        output.line(translator.format("{file}, line {line}: {reason}", file=each.file, line=each.line,
                                      reason=each.reason))  # fmt: skip
    left = [card for card in report.cards if card.untaken]
    if left:
        output.table(
            ("line", "name", "what was not taken"),
            ((str(card.line), card.name, "; ".join(_counted(card.untaken))) for card in left[:_CARDS]),
            title="What has no place here",
        )
    if len(left) > _CARDS:
        output.say("Cards with something that was not taken: {count}. '--json' tells of each.", count=len(left))
    print_doubles(application, report)
    print_rejected(application, report)
    print_change_set(application, report)


def _counted(texts: tuple[str, ...]) -> list[str]:
    """Each text once, with how often it comes."""
    counts = {text: texts.count(text) for text in dict.fromkeys(texts)}
    return [text if number == 1 else f"{text} ({number})" for text, number in counts.items()]

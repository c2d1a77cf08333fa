"""``crm build check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.builds.checking import BuildCheck

__all__ = ["command"]

_SHOWN = 3
_WEIGHT_LABELS = {"error": "What keeps the build from starting", "warning": "What deserves a look"}
_BY_LABELS = {"file": "build file", "default": "default"}
_WHAT_LABELS = {"hook": "hook", "field": "field"}


@command("check")
@option("--all", "everything", is_flag=True, help="Every text that lacks a translation, and every setting.")
@option("--data", is_flag=True, help="Ask the database, too, whether it is as [acceptance] expects.")
@as_json
@pass_application
def command_check(application: Application, everything: bool, data: bool, as_json: bool) -> None:
    """Judge the build as a whole; the database is not touched, and not even opened without --data.

    What keeps it from starting, and what deserves a look: the assembly report, differences from the lock, settings that
    the build file chose, permissions that no role grants by name, which plugins touch the same hook (in the order of
    the calls) or the same field, and translations that are missing or unused in the language of the build. Ends with 1
    when the build cannot start, or its data are not as it expects.
    """
    from crm_core.builds.checking import check_build

    if data:
        application.as_no_user()
    found = check_build(application.build_file(), without=application.without, data=data)
    if as_json:
        application.output.json(_json(found))
    else:
        _print(application, found, everything)
    if not found.right:
        click.get_current_context().exit(1)


command = command_check


def _json(found: BuildCheck) -> dict[str, Any]:
    from crm_core.builds.describing import plain

    return {
        "right": found.right,
        "errors": [str(each) for each in found.errors],
        "warnings": [str(each) for each in found.warnings],
        "report": None if found.report is None else found.report.as_json(),
        "settings": [{"name": each.name, "value": plain(each.value), "by": each.by} for each in found.settings],
        "meetings": [attrs.asdict(each) for each in found.meetings],
        "ungranted": list(found.ungranted),
        "acceptance": [
            {
                "name": each.name,
                "label": each.label,
                "found": each.after,
                "problem": None if each.problem is None else str(each.problem),
            }
            for each in found.accepted
        ],
        "translations": [attrs.asdict(each) for each in found.translations],
    }


def _print(application: Application, found: BuildCheck, everything: bool) -> None:
    from crm_core.builds.describing import plain
    from crm_core.cli.commands.plugins_ import print_report

    output, translator = application.output, application.translator
    if found.report is not None:
        print_report(output, attrs.evolve(found.report, warnings=(), left_out=()), short=True)
    for title, problems in (
        ("What keeps the build from starting", found.errors),
        ("What deserves a look", found.warnings),
    ):
        if problems:
            output.heading(translator.text(title))
            for each in problems:
                output.line(f"  - {translator.error(each)}")
    chosen = [each for each in found.settings if everything or each.by == "file"]
    if chosen:
        rows = ((each.name, str(plain(each.value)), translator.text(_BY_LABELS[each.by])) for each in chosen)
        output.table(("setting", "value", "chosen by"), rows, title="Settings")
    if found.meetings:
        output.table(
            ("", "what", "plugins, hooks in the order of the calls", "may veto"),
            (
                (
                    translator.text(_WHAT_LABELS[each.what]),
                    each.name,
                    ", ".join(each.plugins),
                    translator.text("yes") if each.veto else "",
                )
                for each in found.meetings
            ),
            title="What several plugins touch",
        )  # fmt: skip
    if found.ungranted:
        output.table(
            ("permission",), ((each,) for each in found.ungranted), title="Permissions that no role grants by name"
        )
    if found.translations:
        output.table(
            ("plugin", "missing", "unused", "for example"),
            (
                (each.plugin, str(len(each.missing)), str(len(each.unused)),
                 "\n".join((*each.missing, *each.unused)[: None if everything else _SHOWN]))
                for each in found.translations
            ),
            title="Translations",
        )  # fmt: skip
    if found.accepted:
        output.table(
            ("expectation", "found", "what is wrong"),
            (
                (each.label, "-" if each.after is None else str(each.after),
                 "" if each.problem is None else translator.error(attrs.evolve(each.problem, path="")))
                for each in found.accepted
            ),
            title="What the build expects of its data",
        )  # fmt: skip
    if found.right:
        output.say("The build can start.")

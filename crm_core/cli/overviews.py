"""The overview of an account and timelines, printed and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from crm_core.cli.moments import shown
from crm_core.cli.output import Output
from crm_core.cli.records import Shower, plain
from crm_core.hooks.values import Failed, Panel, TimelineEntry
from crm_core.views import Overview

__all__ = ["overview_json", "print_failed", "print_overview", "print_timeline", "timeline_json"]


def overview_json(overview: Overview) -> dict[str, Any]:
    """The overview, part by part, as the class declares it."""
    values = attrs.asdict(overview)
    values.pop("facts")
    result: dict[str, Any] = _deep(values)
    return result


def timeline_json(entries: Iterable[TimelineEntry]) -> list[dict[str, Any]]:
    """The entries of a timeline."""
    return [_deep(attrs.asdict(entry)) for entry in entries]


def _deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _deep(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_deep(each) for each in value]
    return plain(value)


def print_overview(output: Output, shower: Shower, overview: Overview) -> None:
    """Everything but the facts, which are the record's own fields."""
    translator, tz = output.translator, shower.tz
    if overview.responsible:
        output.table(
            ("who", "role", "scope", "since"),
            (
                (f"{each.user_id} {each.name}", translator.choice(each.role), each.scope, shown(each.since, tz))
                for each in overview.responsible
            ),
            title="Responsible",
        )
    if overview.people:
        output.table(
            ("who", "role", "title", "department", "since", "reached by"),
            (
                (
                    f"{each.contact_id} {each.name}", each.role or "", each.title or "", each.department or "",
                    shown(each.since, tz),
                    "\n".join(" ".join(filter(None, (translator.choice(kind), value, translator.choice(consent))))
                              for kind, value, consent in each.points),
                )
                for each in overview.people
            ),
            title="People",
        )  # fmt: skip
    if overview.stages:
        output.table(
            ("business line", "stage", "since"),
            ((each.business_line, translator.choice(each.stage), shown(each.since, tz)) for each in overview.stages),
            title="Stages",
        )
    if overview.related:
        output.table(
            ("relation", "account"),
            (
                (
                    ("" if each.outward else "← ") + shower.word("account.relation", each.kind),
                    f"{each.account_id} {each.name}",
                )
                for each in overview.related
            ),
            title="Relations",
        )
    if overview.open:
        output.table(
            ("due", "kind", "subject", "who"),
            (
                (shown(each.due, tz), shower.word("activity.kind", each.kind), each.subject, each.user or "")
                for each in overview.open
            ),
            title="Planned",
        )
    for panel in overview.panels:
        print_panel(output, panel)
    if overview.timeline:
        output.heading(translator.text("Latest"))
        print_timeline(output, shower, overview.timeline)
    print_failed(output, overview.failed)


_KIND_LABELS = ("ownership", "affiliation", "lifecycle")
"""What the kernel's own entries of a timeline are called."""

_MARKS = {"none": "", "good": " +", "warning": " !", "bad": " !!"}


def print_panel(output: Output, panel: Panel) -> None:
    """A plugin's part of the overview."""

    def say(text: str) -> str:
        return output.translator.text(text, panel.plugin)

    title = f"{say(panel.title)}{_MARKS[panel.severity]}  [{panel.plugin}]"
    if panel.lines or not panel.rows:
        output.pairs(((say(label), say(value)) for label, value in panel.lines), title=title)
    else:
        output.heading(title)
    if panel.rows:
        header, *rows = panel.rows
        output.table([say(each) for each in header], ([say(each) for each in row] for row in rows))


def print_timeline(output: Output, shower: Shower, entries: Iterable[TimelineEntry]) -> None:
    """Entries, latest first."""
    entries = list(entries)
    shower.prepare("user", [entry.user_id for entry in entries if entry.user_id is not None])
    output.table(
        ("when", "kind", "what", "who"),
        (
            (
                shown(entry.at, shower.tz),
                shower.translator.text(shower.word("activity.kind", entry.kind)),
                f"{entry.title}\n{entry.text}".strip(),
                "" if entry.user_id is None else shower.reference("user", entry.user_id),
            )
            for entry in entries
        ),
    )


def print_failed(output: Output, failed: Iterable[Failed]) -> None:
    """Whose part could not be had."""
    for each in failed:
        output.note("The part of the plugin {plugin} could not be had ({hook}): {error}", plugin=each.plugin,
                    hook=each.hook, error=each.error)  # fmt: skip

"""The queue of data quality and what becomes of its matters, printed and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.cli.moments import shown
from crm_core.cli.records import plain
from crm_core.cli.settling import print_settled, settle
from crm_core.domain.quality import DECIDE, QualityIssue
from crm_core.errors import filled
from crm_core.views.matters import readable_subjects
from crm_core.views.showing import pieces

if TYPE_CHECKING:
    from crm_core.cli.application import Application
    from crm_core.errors import Problem
    from crm_core.store.session import CrmSession
    from crm_core.views.stewardship import QueueEntry

__all__ = ["entry_json", "labels", "print_queue", "sayer", "settle_issues", "show_issues"]


def labels(application: Application) -> dict[str, str]:
    """The kinds of matters as people read them; in English checks are shown by the names by which one asks for them."""
    from crm_core.views.stewardship import CHECK_LABELS

    known = application.crm.build.policy.vocabularies.get("quality.kind", {})
    translator = application.translator
    return {name: translator.text(label) for name, label in known.items()} | {
        name: translator.word(name, label) for name, label in CHECK_LABELS.items()
    }


def sayer(application: Application) -> Callable[[Problem], Problem]:
    """Says problems in the reader's language."""
    translator = application.translator
    return (lambda problem: problem) if translator.language == "en" else translator.said


def entry_json(each: QueueEntry) -> dict[str, Any]:
    """A line of the queue."""
    values = attrs.asdict(each, recurse=False)
    values["problem"] = filled(each.problem.problem, each.problem.values)
    values["mend"] = filled(each.problem.mend, each.problem.values)
    values["since"] = plain(each.since)
    return values


def _issue_json(each: QualityIssue, subject: str | None, told: bool) -> dict[str, Any]:
    names = ("id", "kind", "record_type", "record_id", "field", "found", "proposed", "note")
    return {name: getattr(each, name) for name in names} | {
        "subject": subject,
        "reason": each.reason if told else None,  # stewards read it
        "state": each.state.value, "decided_at": plain(each.decided_at), "created_at": plain(each.created_at),
    }  # fmt: skip


def print_queue(application: Application, entries: Sequence[QueueEntry]) -> None:
    """The queue for people."""
    output, translator, tz = application.output, application.translator, application.crm.build.policy.tz
    if not entries:
        output.say("There is nothing to decide and nothing to mend.")
        return
    words = labels(application)
    output.table(
        ("id", "kind", "what", "who", "since"),
        (
            (
                str(each.issue_id or ""),
                words.get(each.kind, each.kind) + (f" ({translator.text('hint')})" if each.hint else ""),
                translator.error(each.problem),
                each.assignee or each.who or "",
                shown(each.since, tz),
            )
            for each in entries
        ),
    )


def _about(application: Application, issue: QualityIssue, subject: str | None) -> str:
    """The field that is to be changed, or what the matter is about."""
    if issue.field is None:
        if subject is None:
            return labels(application).get(issue.kind, issue.kind)
        return pieces(subject, application.translator.text)
    crm = application.crm
    known = crm.types[issue.record_type].by_name | dict(crm.build.policy.custom.get(issue.record_type, {}))
    field = known.get(issue.field)
    return issue.field if field is None else application.translator.word(issue.field, field.label)


def show_issues(application: Application, session: CrmSession, issues: Sequence[QualityIssue], as_json: bool) -> None:
    """Matters as they are."""
    if as_json:
        application.output.json({"issues": _issues_json(session, issues)})
    else:
        _issues_table(application, _issue_rows(application, session, issues))


def settle_issues(
    application: Application, session: CrmSession, issues: Sequence[QualityIssue], dry_run: bool, as_json: bool
) -> None:
    """Keep what was decided, or take the dry run back, and show the matters as they are then, or would be.

    What a dry run made is not there any more, so that its id is not told.
    """
    session.check()
    # Read before it is taken back.
    ids = [each.id for each in issues]
    values, rows = _issues_json(session, issues), _issue_rows(application, session, issues)
    change_set = settle(session, dry_run)
    if dry_run:
        there = set(session.scalars(select(QualityIssue.id).where(QualityIssue.id.in_(ids))))
        values = [{**each, "id": id_ if id_ in there else None} for id_, each in zip(ids, values, strict=True)]
        rows = [(str(id_) if id_ in there else "", *row[1:]) for id_, row in zip(ids, rows, strict=True)]
    if as_json:
        application.output.json({"issues": values, "dry_run": dry_run, "change_set": change_set})
    else:
        _issues_table(application, rows)
        print_settled(application, change_set, dry_run)


def _issues_json(session: CrmSession, issues: Sequence[QualityIssue]) -> list[dict[str, Any]]:
    told, subjects = session.can(DECIDE), readable_subjects(session, issues)
    return [_issue_json(each, subjects.get(each.id), told) for each in issues]


def _issue_rows(application: Application, session: CrmSession, issues: Sequence[QualityIssue]) -> list[tuple[str, ...]]:
    translator, subjects = application.translator, readable_subjects(session, issues)
    return [
        (
            str(each.id), f"{translator.named(each.record_type)} {each.record_id}",
            _about(application, each, subjects.get(each.id)),
            "" if each.proposed is None else str(each.proposed), translator.choice(each.state.value), each.note or "",
        )
        for each in issues
    ]  # fmt: skip


def _issues_table(application: Application, rows: Sequence[tuple[str, ...]]) -> None:
    application.output.table(("id", "record", "field", "proposed", "state", "note"), rows)

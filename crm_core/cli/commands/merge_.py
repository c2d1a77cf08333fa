"""``crm merge``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import find_record
from crm_core.cli.helping import argument, command, option
from crm_core.cli.records import plain
from crm_core.cli.times import as_json
from crm_core.cli.usage import InvalidValue
from crm_core.fields import Money
from crm_core.store import merging
from crm_core.views.showing import Shower

if TYPE_CHECKING:
    from crm_core.errors import Problem
    from crm_core.records import RecordType
    from crm_core.store.merging import MergeReport
    from crm_core.store.session import CrmSession

__all__ = ["command"]

_RULE_LABELS = {
    "target": "target", "source": "source", "filled": "whichever is filled", "newest": "newest", "longest": "longest",
    "union": "union", "both": "both",
}  # fmt: skip


@command("merge")
@argument("type_name", metavar="TYPE")
@argument("target")
@argument("source")
@option("--set", "choices", multiple=True, metavar="FIELD=RULE",
        help="Which value survives: target, source, filled, newest, longest, union. Repeatable.")  # fmt: skip
@option("--dry-run", is_flag=True, help="Do it, tell what changed, and take it back.")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@as_json
@pass_application
def command_merge(
    application: Application,
    type_name: str,
    target: str,
    source: str,
    choices: tuple[str, ...],
    dry_run: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Merge two records that are the same: SOURCE goes into TARGET, with all that refers to it.

    Where both have a value, the rules of the build decide, or --set. It can be taken apart again by crm split.
    """
    record_type = application.crm.store.find_type(type_name)
    choose = dict(_choice(each) for each in choices)
    with application.session(reason=reason) as session:
        report = merging.merge(
            session, find_record(session, record_type, target), find_record(session, record_type, source),
            choose=choose, dry_run=dry_run, reason=reason,
        )  # fmt: skip
        session.commit()
        made = None if dry_run else session.last_change_set
        if as_json:
            application.output.json(_json(report, made))
        else:
            _print(application, session, record_type, report, made)


command = command_merge


def _choice(given: str) -> tuple[str, str]:
    name, equals, rule = given.partition("=")
    if not equals or not name.strip() or not rule.strip():
        raise InvalidValue("{value!r} is no choice: write FIELD=source, or another rule.", None, None, value=given)
    return name.strip(), rule.strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return {"amount": plain(value.amount), "currency": value.currency}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(value)
    if attrs.has(type(value)):
        return {name: each for name, each in attrs.asdict(value).items() if each is not None}
    return plain(value)


def _json(report: MergeReport, made: int | None) -> dict[str, Any]:
    return {
        "type": report.record_type,
        "target": report.target_id,
        "source": report.source_id,
        "dry_run": report.dry_run,
        "change_set": made,
        "redirect": report.redirect_id,
        "fields": [
            {
                "field": each.field, "target": _plain(each.target), "source": _plain(each.source), "rule": each.rule,
                "chosen": each.chosen, "value": _plain(each.value),
            }
            for each in report.fields
        ],
        "moved": report.moved,
        "resolved": [str(each) for each in report.resolved],
        "conflicts": [str(each) for each in report.conflicts],
    }  # fmt: skip


def _print(
    application: Application, session: CrmSession, record_type: RecordType, report: MergeReport, made: int | None
) -> None:
    output, translator = application.output, application.translator
    if report.fields:
        shower = Shower(session, translator)
        output.table(
            ("field", "target", "source", "rule", "survives"),
            (
                (
                    _label(session, translator, record_type, each.field), *_values(shower, session, record_type, each),
                    translator.word(each.rule, _RULE_LABELS.get(each.rule)), translator.text(each.chosen),
                )
                for each in report.fields
            ),
            title="Fields that differ",
        )  # fmt: skip
    if report.moved:
        rows = [(translator.named(name), str(count)) for name, count in sorted(report.moved.items())]
        output.table(("reference", "count"), rows, title="Moved")
    _list(application, translator.text("Not simply moved"), report.resolved)
    _list(application, translator.text("In the way"), report.conflicts)
    values = {"record": translator.named(record_type.name), "source": report.source_id, "target": report.target_id}
    if report.dry_run and report.conflicts:
        output.say("The {record} {source} cannot be merged into {target}.", **values)
    elif report.dry_run:
        output.say("The {record} {source} can be merged into {target}. Nothing was changed.", **values)
    else:
        output.say(
            "The {record} {source} is now a part of {target}, by the change set {made}. To take them apart: "
            "crm split {type} {source}", made=made, type=record_type.name, **values,
        )  # fmt: skip


def _list(application: Application, title: str, problems: Sequence[Problem]) -> None:
    if problems:
        application.output.heading(title)
        for problem in problems:
            application.output.line(f"  - {application.translator.error(problem)}")


def _field(session: CrmSession, record_type: RecordType, path: str) -> tuple[RecordType, Any]:
    """The field that a path means, and whose it is."""
    if path.startswith("custom."):
        return record_type, session.policy.custom.get(record_type.name, {}).get(path.removeprefix("custom."))
    for extension in session.types.extensions(record_type.name):
        if path.startswith(f"{extension.name}."):
            return _field(session, extension, path.removeprefix(f"{extension.name}."))
    return record_type, record_type.by_name.get(path)


def _label(session: CrmSession, translator: Any, record_type: RecordType, path: str) -> str:
    owner, field = _field(session, record_type, path)
    label = path if field is None else translator.field(field, owner)
    return label if owner is record_type else f"{translator.record(owner)}: {label}"


def _values(shower: Shower, session: CrmSession, record_type: RecordType, each: Any) -> Iterable[str]:
    owner, field = _field(session, record_type, each.field)
    for value in (each.target, each.source):
        if value is None or field is None:
            yield "" if value is None else str(value)
        else:
            # Custom fields are kept in their JSON form.
            yield shower.text(field, field.kind.decode(value) if each.field.rpartition("custom.")[1] else value, owner)

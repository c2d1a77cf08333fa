"""``crm history``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import record_id
from crm_core.cli.helping import argument, command
from crm_core.cli.moments import shown
from crm_core.cli.records import Shower, encoded, plain
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.history import Event

__all__ = ["command"]


_LABELS = {"create": "created", "update": "changed", "delete": "deleted"}


@command("history")
@argument("type_name", metavar="TYPE")
@argument("reference", metavar="REF")
@as_json
@pass_application
def command_history(application: Application, type_name: str, reference: str, as_json: bool) -> None:
    """Show every change of a record, oldest first: who, when, why, and each field before and after.

    A deleted record is asked for by its id.
    """
    from crm_core.store.history import history

    record_type = application.crm.types.find(type_name)
    output = application.output
    with application.looking() as session:
        id_ = record_id(session, record_type, reference)
        events = history(session, record_type, id_)
        if not events:
            output.note("Nothing of it is in the journal.")
        if as_json:
            output.json({"type": type_name, "id": id_, "events": [_json(record_type, each) for each in events]})
            return
        shower = Shower(session, application.translator)
        for event in events:
            _print(application, shower, record_type, event)


command = command_history


def _json(record_type: RecordType, event: Event) -> dict[str, Any]:
    return {
        "at": plain(event.at),
        "principal": event.principal,
        "reason": event.reason,
        "source": event.source,
        "change_set": event.change_set_id,
        "version": event.version,
        "operation": event.change.operation,
        "before": _values(record_type, event.change.before),
        "after": _values(record_type, event.change.after),
    }


def _values(record_type: RecordType, values: Any) -> dict[str, Any]:
    return {
        name: encoded(record_type.by_name[name], value)
        if name in record_type.by_name and not isinstance(value, str) else plain(value)
        for name, value in values.items()
    }  # fmt: skip


def _print(application: Application, shower: Shower, record_type: RecordType, event: Event) -> None:
    translator, change = application.translator, event.change
    reason = f"  “{event.reason}”" if event.reason else ""
    application.output.heading(
        f"{shown(event.at, shower.tz)}  {event.principal}  {translator.text(_LABELS[change.operation])}{reason}"
        f"  [{translator.text('change set')} {event.change_set_id}]"
    )
    rows = []
    for name in [*dict.fromkeys((*change.before, *change.after))]:
        before, after = change.before.get(name), change.after.get(name)
        if before in (None, {}) and after in (None, {}):
            continue
        field = record_type.by_name.get(name)
        label = name if field is None else translator.field(field, record_type)
        old, new = (_text(shower, record_type, name, value) for value in (before, after))
        rows.append((label, new if change.operation == "create" else old if change.operation == "delete"
                     else f"{old or '–'} → {new or '–'}"))  # fmt: skip
    application.output.pairs(rows)


def _text(shower: Shower, record_type: RecordType, name: str, value: Any) -> str:
    field = record_type.by_name.get(name)
    if value is None:
        return ""
    if field is None:
        return ", ".join(f"{key}: {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)
    # An erased value is a mark in place of what was there, whatever the kind of the field.
    return value if isinstance(value, str) and field.vocabulary is None else shower.text(field, value, record_type)

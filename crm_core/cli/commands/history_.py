"""``crm history``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import record_id
from crm_core.cli.helping import argument, command
from crm_core.cli.moments import shown
from crm_core.cli.records import Shower, plain
from crm_core.cli.times import as_json
from crm_core.errors import NotFound

if TYPE_CHECKING:
    from crm_core.fields import Field
    from crm_core.records import RecordType
    from crm_core.store.history import HistoryEvent

__all__ = ["command"]


_LABELS = {"create": "created", "update": "changed", "delete": "deleted"}


@command("history")
@argument("type_name", metavar="TYPE")
@argument("reference", metavar="REF")
@as_json
@pass_application
def command_history(application: Application, type_name: str, reference: str, as_json: bool) -> None:
    """Show every change of a record, oldest first: who, when, why, and each field before and after.

    A deleted record is asked for by its id, and so is one of a plugin that is switched off or was removed.
    """
    from crm_core.store.absent import absent_type
    from crm_core.views import as_data

    output = application.output
    with application.looking() as session:
        record_type = application.crm.types.get(type_name)
        if record_type is None:
            if absent_type(session, type_name) is None:
                application.crm.types.find(type_name)  # which tells what there is
            id_ = _id_of(reference)
        else:
            id_ = record_id(session, record_type, reference)
        events = session.history(type_name, id_)
        if not events and events.begins is None:
            output.note("Nothing of it is in the journal.")
        elif events and events[0].inactive is not None:
            output.note("The plugin {plugin} is not loaded: its values are shown as the journal has them.",
                        plugin=events[0].inactive)  # fmt: skip
        if events.begins is not None:
            output.note("What was recorded before {moment} is detached from the database, and is not shown.",
                        moment=shown(events.begins, application.crm.build.policy.tz))  # fmt: skip
        if as_json:
            output.json({"type": type_name, "id": id_, "events": as_data(session, events),
                         "begins": plain(events.begins)})  # fmt: skip
            return
        shower = Shower(session, application.translator)
        for event in events:
            _print(application, shower, record_type, event)


command = command_history


def _id_of(reference: str) -> int:
    """Without its plugin nobody knows what a record is called."""
    try:
        return int(reference)
    except ValueError:
        raise NotFound(
            "{reference!r} is no id, and the plugin that knows the names of such records is not loaded.",
            mend="Give the id of the record.",
            reference=reference,
        ) from None


def _print(application: Application, shower: Shower, record_type: RecordType | None, event: HistoryEvent) -> None:
    translator, change = application.translator, event.change
    reason = f"  “{event.reason}”" if event.reason else ""
    application.output.heading(
        f"{shown(event.at, shower.tz)}  {event.principal}  {translator.text(_LABELS[change.operation])}{reason}"
        f"  [{translator.text('change set')} {event.change_set_id}]"
        + (f"  ({translator.text('inactive')})" if event.inactive else "")
    )
    rows = []
    custom = {} if record_type is None else shower.session.policy.custom.get(record_type.name, {})
    was, now = (_laid_open(values) for values in (change.before, change.after))
    for name in [*dict.fromkeys((*was, *now))]:
        before, after = was.get(name), now.get(name)
        if before in (None, {}) and after in (None, {}):
            continue
        field = None if record_type is None else record_type.by_name.get(name) or custom.get(name)
        label = name if field is None else translator.field(field, record_type)
        old, new = (_text(shower, record_type, field, value) for value in (before, after))
        rows.append((label, new if change.operation == "create" else old if change.operation == "delete"
                     else f"{old or '–'} → {new or '–'}"))  # fmt: skip
    application.output.pairs(rows)


def _laid_open(values: Mapping[str, Any]) -> dict[str, Any]:
    """Custom fields beside the others, and values where a row was kept as it lies in its table, because its plugin was
    not loaded.
    """
    from crm_core.store.differences import RAW

    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= value if name in (RAW, "custom") and isinstance(value, Mapping) else {name: value}
    return found


def _text(shower: Shower, record_type: RecordType | None, field: Field | None, value: Any) -> str:
    if value is None:
        return ""
    if field is None:
        return ", ".join(f"{key}: {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)
    # An erased value is a mark in place of what was there, whatever the kind of the field.
    return value if isinstance(value, str) and field.vocabulary is None else shower.text(field, value, record_type)

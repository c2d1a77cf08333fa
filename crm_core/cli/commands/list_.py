"""``crm list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_core.cli import cursors
from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import When, shown
from crm_core.cli.records import SYSTEM, Shower, held, readable, record_data, require_readable
from crm_core.cli.times import as_json, looking, time_options
from crm_core.cli.usage import Number
from crm_core.errors import NotFound

if TYPE_CHECKING:
    from crm_core.fields import Field
    from crm_core.records import Record, RecordType
    from crm_core.store.session import CrmSession

__all__ = ["command"]

_COLUMNS = 8
"""How many columns are shown when nobody says which."""


@command("list")
@argument("type_name", metavar="TYPE")
@option("--where", metavar="EXPR", help='A filter expression: grade in ("A", "B") and employees > 50.')
@option("--order", metavar="FIELDS", help='What to sort by: "name, created_at desc". Else the id.')
@option("--limit", type=Number(1, 100_000), default=50, metavar="N", help="How many at most. Else 50.")
@option("--after", metavar="CURSOR", help="Go on after the page that ended with this cursor.")
@option("--fields", metavar="FIELDS", help="Which fields to show, with commas between them.")
@option("--all-dates", is_flag=True, help="Of dated records also those that hold no more, or not yet.")
@option("--count", "only_count", is_flag=True, help="Only say how many match.")
@time_options
@as_json
@pass_application
def command_list(
    application: Application,
    type_name: str,
    where: str | None,
    order: str | None,
    limit: int,
    after: str | None,
    fields: str | None,
    all_dates: bool,
    only_count: bool,
    at: When | None,
    as_of: When | None,
    login: str | None,
    as_json: bool,
) -> None:
    """List the records of a TYPE that match a filter, page by page."""
    record_type = application.crm.store.find_type(type_name)
    output = application.output
    with looking(application, at, as_of, login) as session:
        if only_count:
            count = session.count(record_type.cls, where, all_dates=all_dates)
            output.json({"type": type_name, "count": count}) if as_json else output.line(str(count))
            return
        names = _names(session, record_type, fields)
        records = session.list(
            record_type.cls, where, order=order, limit=limit + 1, after=cursors.read(after) if after else None,
            all_dates=all_dates,
        )  # fmt: skip
        page = records[:limit]
        more = cursors.write(session.cursor(page[-1], order)) if len(records) > limit else None
        if as_json:
            shown_names = None if fields is None else names
            found = [record_data(session, each, shown_names) for each in page]
            output.json({"type": type_name, "records": found, "next": more})
            return
        shower = Shower(session, application.translator)
        rows = _cells(shower, page, names)
        # Columns that are empty all the way down tell nothing, unless they were asked for.
        kept = [
            number for number in range(len(names))
            if fields is not None or not page or any(row[number] for row in rows)
        ]  # fmt: skip
        kept = kept if fields is not None else kept[:_COLUMNS]
        output.table(
            [_label(shower, record_type, names[number]) for number in kept],
            ([row[number] for number in kept] for row in rows),
        )
        if more is not None:
            output.note("There are more. The next page: --after {cursor}", cursor=more)


command = command_list


def _names(session: CrmSession, record_type: RecordType, given: str | None) -> list[str]:
    """The fields to show; restricted ones only to those who may read them."""
    custom = session.policy.custom.get(record_type.name, {})
    if given is None:
        first = [record_type.title] if record_type.title else []
        # Long texts and whole documents would tear the table apart.
        fitting = [
            each.name for each in readable(session, record_type)
            if each.name not in first and each.kind.name != "json" and getattr(each.kind, "length", 1) is not None
        ]  # fmt: skip
        return ["id", *first, *fitting]
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name in SYSTEM or name in custom:
            continue
        if name in record_type.by_name:
            require_readable(session, record_type, record_type.by_name[name])
            continue
        from crm_core.errors import nearest

        raise NotFound(
            "{record} has no field {field!r}.",
            mend="Did you mean {near}?",
            record=record_type.name,
            field=name,
            near=nearest(name, (*record_type.by_name, *custom, *SYSTEM)),
        )
    return names


def _field(session: CrmSession, record_type: RecordType, name: str) -> Field | None:
    custom = session.policy.custom.get(record_type.name, {})
    return record_type.by_name.get(name) or custom.get(name)


def _label(shower: Shower, record_type: RecordType, name: str) -> str:
    field = _field(shower.session, record_type, name)
    return name if field is None else shower.translator.field(field, record_type)


def _cells(shower: Shower, records: list[Record], names: list[str]) -> list[list[str]]:
    for name in names:
        field = records[0].crm_type.by_name.get(name) if records else None
        if field is not None and field.target is not None:
            values = (getattr(record, name) for record in records)
            shower.prepare(field.target, [value for value in values if value is not None])
    return [[_cell(shower, record, name) for name in names] for record in records]


def _cell(shower: Shower, record: Record, name: str) -> str:
    record_type = record.crm_type
    if name in record_type.by_name:
        return shower.text(record_type.by_name[name], getattr(record, name), record_type)
    if name in SYSTEM:
        value: Any = held(record, name)
        return shown(value, shower.tz) if name.endswith("_at") else "" if value is None else str(value)
    field = shower.session.policy.custom[record_type.name][name]
    return shower.text(field, (held(record, "custom") or {}).get(name))

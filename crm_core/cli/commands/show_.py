"""``crm show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import find_record, record_id
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import When
from crm_core.cli.records import Shower
from crm_core.cli.times import as_json, looking, time_options
from crm_core.cli.usage import ConflictingOptions, Written
from crm_core.cli.writing import write_page
from crm_core.domain.accounts import Account

if TYPE_CHECKING:
    from crm_core.records import Record
    from crm_core.store.session import CrmSession

__all__ = ["command"]


@command("show")
@argument("type_name", metavar="TYPE")
@argument("reference", metavar="REF")
@time_options
@option("--why", is_flag=True, help="Say on which grounds the record is seen.")
@option("--html", "page", metavar="FILE", type=Written(),
        help="Of an account: write the overview as a page of HTML that stands by itself.")  # fmt: skip
@as_json
@pass_application
def command_show(
    application: Application,
    type_name: str,
    reference: str,
    at: When | None,
    as_of: When | None,
    login: str | None,
    why: bool,
    page: str | None,
    as_json: bool,
) -> None:
    """Show the record REF of a TYPE: its fields, and of an account the one view of all that is known.

    REF is an id, a name, or the key of another system as system:key.
    """
    record_type = application.crm.store.find_type(type_name)
    if why and login is not None:
        # Why somebody does not see a record can be told only to those who do.
        with looking(application, at, as_of) as session:
            id_ = find_record(session, record_type, reference).id
        with looking(application, at, as_of, login) as session:
            if session.get(record_type.cls, id_) is None:
                _unseen(application, login, type_name, id_, as_json)
                return
        reference = str(id_)
    with looking(application, at, as_of, login) as session:
        record = session.require(record_type.cls, record_id(session, record_type, reference))
        if page is not None:
            _write_page(application, session, record, page)
        elif as_json:
            application.output.json(_json(session, record, why))
        else:
            _print(application, session, record, why)


command = command_show


def _unseen(application: Application, login: str, type_name: str, id_: int, as_json: bool) -> None:
    if as_json:
        application.output.json({"type": type_name, "id": id_, "as": login, "why": []})
    else:
        application.output.say("{user} does not see the {record} {id}: there is no ground for it.",
                               user=login, record=type_name, id=id_)  # fmt: skip


def _extensions(session: CrmSession, record: Record) -> list[Record]:
    """What plugins have added to the record."""
    types = sorted(session.types.extensions(record.crm_type.name), key=lambda each: each.name)
    return [found for each in types if (found := session.get(each.cls, record.id)) is not None]


def _json(session: CrmSession, record: Record, why: bool) -> dict[str, Any]:
    from crm_core.views import as_data, overview

    result: dict[str, Any] = {
        "type": record.crm_type.name,
        "record": as_data(session, record),
        "extensions": {each.crm_type.name: as_data(session, each) for each in _extensions(session, record)},
    }
    if isinstance(record, Account) and session.as_of is None:
        result["overview"] = as_data(session, overview(session, record))
    if why:
        result["why"] = as_data(session, session.explain(record))
    return result


def _write_page(application: Application, session: CrmSession, record: Record, file: str) -> None:
    if not isinstance(record, Account) or session.as_of is not None:
        raise ConflictingOptions("--html is for the overview of an account of today or at a day, without --as-of.")
    from crm_core.views import overview
    from crm_core.views.html import overview_page

    write_page(application, file, overview_page(session, overview(session, record), application.translator))


def _print(application: Application, session: CrmSession, record: Record, why: bool) -> None:
    output, translator = application.output, application.translator
    shower = Shower(session, translator)
    if isinstance(record, Account) and session.as_of is None:
        from crm_core.cli.overviews import print_overview
        from crm_core.views import overview

        print_overview(output, shower, overview(session, record))
    else:
        record_type = record.crm_type
        title = getattr(record, record_type.title) if record_type.title else ""
        output.pairs(shower.facts(record), title=f"{translator.record(record_type)} {record.id}  {title}".rstrip())
        for extension in _extensions(session, record):
            output.pairs(shower.facts(extension), title=translator.record(extension.crm_type))
        if isinstance(record, Account):
            output.note("With --as-of only the fields are shown, not the overview.")
    if why:
        output.pairs(
            ((str(number), translator.ground(each)) for number, each in enumerate(session.explain(record), 1)),
            title=translator.text("Why it is seen"),
        )

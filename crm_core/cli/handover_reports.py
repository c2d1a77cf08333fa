"""What ``crm handover`` tells: lists, briefings, risks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from sqlalchemy import select

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import record_id
from crm_core.cli.handovers import handover_json, items_json, names_of, print_handovers, print_items
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import shown
from crm_core.cli.overviews import print_failed
from crm_core.cli.records import plain
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions, Number, Written
from crm_core.domain import handovers
from crm_core.domain.accounts import Account
from crm_core.domain.handovers import Handover, HandoverState
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.errors import NotFound
from crm_core.views.showing import kind_labels, pieces

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.views import Briefing, Concealment
    from crm_core.views.risks import Risk, RiskKind

__all__ = ["REPORTS"]

_ID = Number(1, 2**63 - 1)
_STATES = tuple(state.value for state in HandoverState)


@command("list")
@option("--state", "states", type=click.Choice(_STATES), multiple=True, help="Only in this state; repeatable.")
@option("--waiting", is_flag=True, help="Only what waits for your answer.")
@option("--limit", type=Number(1, 10_000), default=50, metavar="N", help="At most so many. Else 50.")
@as_json
@pass_application
def list_(application: Application, states: Sequence[str], waiting: bool, limit: int, as_json: bool) -> None:
    """List handovers, the latest first."""
    with application.looking() as session:
        query = select(Handover).order_by(Handover.id.desc()).limit(limit)
        if states:
            query = query.where(Handover.state.in_([HandoverState(state) for state in states]))
        if waiting:
            ids = sorted({item.handover_id for item in handovers.waiting_for(session, session.user_id)})
            query = query.where(Handover.id.in_(ids))
        found = list(session.scalars(query))
        if as_json:
            application.output.json({"handovers": handover_json(session, found)})
        else:
            print_handovers(application.output, session, found)


@command("show")
@argument("handover_id", metavar="HANDOVER", type=_ID)
@as_json
@pass_application
def show(application: Application, handover_id: int, as_json: bool) -> None:
    """Show a handover: each account with its successor and state, and what is open there."""
    from crm_core.views import open_items
    from crm_core.views.duties_due import duties_due
    from crm_core.views.open_items import by_due

    output = application.output
    with application.looking() as session:
        handover = session.require(Handover, handover_id)
        found = handovers.items(session, handover)
        ids = sorted({item.account_id for item in found})
        waiting = open_items(session, ids, handover.leaver_id)
        open_ = by_due((*waiting, *duties_due(session, ids, handover.leaver_id)))
        if as_json:
            data = handover_json(session, [handover])[0]
            data |= {"items": items_json(session, found), "open": [_plain(attrs.asdict(each)) for each in open_],
                     "failed": [attrs.asdict(each) for each in waiting.failed]}  # fmt: skip
            output.json(data)
            return
        print_handovers(output, session, [handover])
        print_items(output, session, found)
        if open_:
            accounts = names_of(session, Account, (each.account_id for each in open_))
            kinds = kind_labels(session, output.translator, {each.kind for each in open_})
            output.table(
                ("due", "kind", "what", "account"),
                (
                    (shown(each.due, session.policy.tz), kinds[each.kind],
                     pieces(each.title, output.translator), accounts.get(each.account_id, ""))
                    for each in open_
                ),
                title="What is open of whoever leaves",
            )  # fmt: skip
        print_failed(output, waiting.failed)


@command("briefing")
@argument("handover_id", metavar="HANDOVER", type=_ID)
@argument("reference", metavar="[ACCOUNT]", required=False)
@option("--html", "file", type=Written(path_type=Path), metavar="FILE",
        help="Write it as a file of HTML that needs nothing else.")  # fmt: skip
@option("--all", "every", is_flag=True, help="Brief on every account of it that you see.")
@option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
        help="Write a file of HTML for each account into this folder, and an index.")  # fmt: skip
@as_json
@pass_application
def briefing(
    application: Application,
    handover_id: int,
    reference: str | None,
    file: Path | None,
    every: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Brief whoever takes an account over: who is who, last contacts, what is open, what was promised."""
    if (reference is None) == (not every) or (folder is not None and not every) or (file is not None and every):
        raise ConflictingOptions("Give an ACCOUNT (with --html FILE, if it is to be a file), or --all (with --to).")
    from crm_core.views import briefings

    output = application.output
    with application.looking() as session:
        handover = session.require(Handover, handover_id)
        ids = sorted({item.account_id for item in handovers.items(session, handover)})
        if reference is not None:
            wanted = record_id(session, Account.crm_type, reference)
            ids = [id_ for id_ in ids if id_ == wanted]
            if not ids:
                raise NotFound(
                    "The account {reference!r} is no part of the handover {id}.",
                    mend="'crm handover show {id}' lists its accounts.", reference=reference, id=handover_id,
                )  # fmt: skip
        found = briefings(session, [session.require(Account, id_) for id_ in ids])
        users = names_of(session, User, (item.user_id for each in found for item in (*each.promises, *each.open)))
        words = _words(session)
    if folder is not None:
        _write_all(application, found, folder, users, words, handover)
    elif file is not None:
        _write(application, found[0], file, users, words)
        output.say("Written: {file}", file=str(file))
    elif as_json:
        output.json({"briefings": [_plain(attrs.asdict(each)) for each in found]})
    else:
        _print(application, found, users, words)
    if folder is not None and as_json:
        output.json({"folder": str(folder), "briefings": len(found)})


@command("risks")
@option("--of", "login", metavar="LOGIN", help="Only those at this user.")
@option("--unit", metavar="UNIT", help="Only those at this unit and its people.")
@option("--days", type=Number(1, 36_500), default=90, metavar="N",
        help="An account is quiet where nothing was held for so many days. Else 90.")  # fmt: skip
@option("--before", type=Number(1, 36_500), default=30, metavar="N",
        help="Changes count in so many days before somebody leaves. Else 30.")  # fmt: skip
@option("--details", is_flag=True, help="List each risk, not only how many there are.")
@as_json
@pass_application
def risks(
    application: Application, login: str | None, unit: str | None, days: int, before: int, details: bool, as_json: bool
) -> None:
    """Report where knowledge about customers may be concealed, by persons and by departments.

    Orders without a contact, accounts where nothing happens, people whom only one of us (or one department) ever met,
    and contact data that was changed shortly before somebody left. A risk accuses nobody.
    """
    if login is not None and unit is not None:
        raise ConflictingOptions("Give either --of or --unit.")
    from crm_core.views import concealment

    with application.looking() as session:
        found = concealment(session, user=login, unit=unit, days=days, before=before)
        users = names_of(session, User, (risk.user_id for each in found for risk in each.risks))
        owners = (
            _owners(session, (risk.account_id for each in found for risk in each.risks)) if details or as_json else {}
        )
    if as_json:
        application.output.json({"report": [_report_json(each, owners) for each in found]})
    else:
        _print_risks(application, found, users, owners, details)


REPORTS = (list_, show, briefing, risks)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return plain(value)


def _report_json(each: Concealment, owners: dict[int, str]) -> dict[str, Any]:
    """A line of the report, with who owns the accounts now."""
    risks = [_plain(attrs.asdict(risk)) | {"owner": owners.get(risk.account_id or 0)} for risk in each.risks]
    values: dict[str, Any] = _plain(attrs.asdict(each))
    return values | {"risks": risks, "counts": each.counts}


def _words(session: CrmSession) -> dict[str, str]:
    """Labels of the kinds that a briefing speaks of."""
    from crm_core.views.open_items import KINDS

    words = dict(KINDS)
    for name in ("account.relation", "activity.kind"):
        words |= session.policy.vocabularies.get(name, {})
    return words


def _print(application: Application, found: Sequence[Briefing], users: dict[int, str], words: dict[str, str]) -> None:
    from crm_core.views.briefing_text import briefing_text

    for number, each in enumerate(found):
        if number:
            application.output.line()
        text = briefing_text(each, translate=application.translator.text, tz=application.crm.build.policy.tz,
                             users=users, words=words)  # fmt: skip
        for line in text.splitlines():
            application.output.line(line)


def _write(application: Application, each: Briefing, file: Path, users: dict[int, str], words: dict[str, str]) -> None:
    from crm_core.views.briefing_text import briefing_html

    translator = application.translator
    html = briefing_html(each, translator.language, translate=translator.text, tz=application.crm.build.policy.tz,
                         users=users, words=words)  # fmt: skip
    file.write_text(html, encoding="utf-8")


def _write_all(
    application: Application,
    found: Sequence[Briefing],
    folder: Path,
    users: dict[int, str],
    words: dict[str, str],
    handover: Handover,
) -> None:
    from crm_core.views.briefing_text import briefing_index

    folder.mkdir(parents=True, exist_ok=True)
    translator = application.translator
    files: list[tuple[str, Briefing]] = []
    with application.output.progress() as progress:
        task = progress.add_task(translator.text("Briefings"), total=len(found))
        for each in found:
            readable = re.sub(r"[^\w-]+", "-", each.name).strip("-")[:60]
            name = f"{each.account_id}-{readable}.html"
            _write(application, each, folder / name, users, words)
            files.append((name, each))
            progress.advance(task)
    title = translator.format("Handover {id}", id=handover.id)
    index = briefing_index(files, translator.language, title=title, translate=translator.text)
    (folder / "index.html").write_text(index, encoding="utf-8")
    application.output.note("Written: {file}", file=str(folder / "index.html"))


_TITLES = {
    "orders_without_contact": "Orders, but no contact",
    "quiet": "Nothing held for long",
    "known_to_one": "Known to one of us only",
    "known_to_unit": "Known to this department only",
    "changed_before_leaving": "Contact data changed shortly before leaving",
}


_OPERATION_LABELS = {"changed": "Changed", "emptied": "Emptied", "deleted": "Deleted"}


def _owners(session: CrmSession, accounts: Iterable[int | None]) -> dict[int, str]:
    """The names of who owns accounts now, in whatever scope, as far as the actor sees it."""
    wanted = sorted({id_ for id_ in accounts if id_ is not None})
    found: dict[int, list[str]] = {}
    for start in range(0, len(wanted), 1000):
        query = (
            select(Ownership.account_id, User.name)
            .join(User, User.id == Ownership.user_id)
            .where(Ownership.account_id.in_(wanted[start : start + 1000]), Ownership.role == OwnershipRole.OWNER)
            .order_by(Ownership.account_id, Ownership.scope)
        )
        for account_id, name in session.execute(query):
            found.setdefault(account_id, []).append(name)
    return {id_: ", ".join(dict.fromkeys(names)) for id_, names in found.items()}


def _print_risks(
    application: Application,
    found: Sequence[Concealment],
    users: dict[int, str],
    owners: dict[int, str],
    details: bool,
) -> None:
    from crm_core.views.risks import KINDS

    output, tz = application.output, application.crm.build.policy.tz
    say = output.translator.text
    output.table(
        ("who", "accounts", *(_TITLES[kind] for kind in KINDS)),
        (
            (
                f"{'▸ ' if each.kind == 'unit' else '  '}{each.name}",
                str(each.accounts),
                *(_count(each, kind) for kind in KINDS),
            )
            for each in found
        ),
    )
    if not all(each.tells_orders for each in found):
        output.note("No plugin of this build tells of orders, so that nothing is known of accounts with orders.")
    begins = next((each.begins for each in found if each.begins is not None), None)
    if begins is not None:
        output.note("What was recorded before {moment} is detached from the database, and is not shown.",
                    moment=shown(begins, tz))  # fmt: skip
    for each in found if details else ():
        for kind in KINDS:
            rows = [risk for risk in each.risks if risk.kind == kind]
            if rows:
                output.heading(f"{each.name}: {say(_TITLES[kind])}")
                output.table(
                    ("account", "owner", "since", "why"),
                    (
                        (
                            "" if risk.account_id is None else f"{risk.account_id} {risk.account}",
                            owners.get(risk.account_id or 0, ""),
                            shown(risk.at, tz),
                            _why(application, risk, users),
                        )
                        for risk in rows
                    ),
                )
    print_failed(output, {failed: None for each in found for failed in each.failed})


def _count(each: Concealment, kind: RiskKind) -> str:
    """How many risks of a kind; where nobody could tell of any, none is no number."""
    count = each.counts.get(kind, 0)
    return "–" if kind == "orders_without_contact" and not count and not each.tells_orders else str(count)


def _why(application: Application, risk: Risk, users: dict[int, str]) -> str:
    """One risk as a sentence, with the person and the colleague that it is about."""
    translator = application.translator
    who = users.get(risk.user_id or 0, "?")
    if risk.kind == "orders_without_contact":
        return translator.text("It orders, and nobody of theirs is known.")
    if risk.kind == "quiet":
        quiet = "Nothing was ever held there." if risk.at is None else "Nothing was held since."
        return translator.text(quiet)
    if risk.kind == "known_to_one":
        return translator.format("Only {who} ever met {person}.", who=who, person=risk.contact)
    if risk.kind == "known_to_unit":
        return translator.format("Only this department ever met {person}.", person=risk.contact)
    record_type = application.crm.types.get(risk.record_type)
    fields = (
        risk.fields
        if record_type is None
        else [
            translator.field(record_type.by_name[name], record_type) if name in record_type.by_name else name
            for name in risk.fields
        ]
    )
    what = f"{translator.text(_OPERATION_LABELS.get(risk.operation, ''))} {', '.join(fields)}".strip()
    whom = risk.contact or risk.account or "?"
    return translator.format("{what} of {person}, by {who}", what=what, person=whom, who=who)

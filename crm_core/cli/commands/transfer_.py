"""``crm transfer``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import record_id
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import ConflictingOptions
from crm_core.domain import dated, ownership
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import User, find_user
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    import datetime as dt

    from crm_core.store.session import CrmSession

__all__ = ["command"]

_BATCH = 500
_SHOWN = 50


@attrs.frozen
class _Account:
    """An account with whoever owned it until then."""

    id: int
    name: str
    owner: str | None
    moved: bool


@command("transfer")
@argument("references", metavar="[ACCOUNT]...", nargs=-1)
@option("--to", metavar="LOGIN", required=True, help="Who owns them from then on.")
@option("--where", metavar="EXPR", help="All accounts that match this filter expression and that are seen.")
@option("--scope", metavar="SCOPE", default="", help="The scope of ownership: a product line, a region.")
@option("--from", "from_", type=MOMENT, metavar="DATE", help="From when on. Else from now on.")
@option("--reason", metavar="TEXT", required=True, help="Why; it stands in the journal and with the ownership.")
@option("--dry-run", is_flag=True, help="Only tell what would be transferred.")
@as_json
@pass_application
def command_transfer(
    application: Application, references: tuple[str, ...], to: str, where: str | None, scope: str,
    from_: When | None, reason: str, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Give accounts another owner: those that are named, or all that match a filter.

    The ownership of before ends where the new one begins; nothing is overwritten. All of them are one change set, or
    none is changed. Whoever leaves hands over by 'crm handover', which asks the successors and takes the open work
    along.
    """  # fmt: skip
    if bool(references) == (where is not None):
        raise ConflictingOptions("Give either accounts or --where.")
    with application.session(reason=reason) as session:
        user, login = find_user(session, to), to
        moment = moment_of(application, from_) or session.now
        ids = _wanted(session, references, where)
        found: list[_Account] = []
        with application.output.progress() as bar:
            task = bar.add_task("account", total=len(ids))
            for part in in_parts(ids, _BATCH):
                found += _transfer(session, part, user, scope, moment, reason)
                session.flush()
                bar.update(task, completed=len(found))
        session.check()
        if dry_run:
            session.rollback()
    made = None if dry_run else session.last_change_set
    moved = [each for each in found if each.moved]
    if as_json:
        application.output.json(_json(found, login, scope, made, dry_run))
    else:
        _print(application, moved, len(found) - len(moved), login, made, dry_run)


command = command_transfer


def _wanted(session: CrmSession, references: Sequence[str], where: str | None) -> list[int]:
    if where is None:
        return list(dict.fromkeys(record_id(session, Account.crm_type, each) for each in references))
    return list(session.scalars(select(Account.id).where(session.where(Account, where)).order_by(Account.id)))


def _transfer(
    session: CrmSession, ids: Sequence[int], user: User, scope: str, moment: dt.datetime, reason: str
) -> Iterator[_Account]:
    accounts = {each.id: each for each in session.scalars(select(Account).where(Account.id.in_(ids)))}
    owners = _owners(session, ids, scope, moment)
    for id_ in ids:
        account = accounts.get(id_) or session.require(Account, id_)
        owner = owners.get(id_)
        moved = owner is None or owner.id != user.id
        if moved:
            ownership.transfer(session, account, to=user, scope=scope, from_=moment, reason=reason)
        yield _Account(id_, account.name, None if owner is None else owner.login, moved)


def _owners(session: CrmSession, ids: Sequence[int], scope: str, moment: dt.datetime) -> dict[int, User]:
    query = select(Ownership, User).join(User, User.id == Ownership.user_id).where(
        Ownership.account_id.in_(ids), Ownership.role == OwnershipRole.OWNER, Ownership.scope == scope
    )  # fmt: skip
    rows = session.execute(query, execution_options={"all_dates": True})
    return {row.account_id: user for row, user in rows if dated.holds(row, moment)}


def _json(found: Sequence[_Account], to: str, scope: str, made: int | None, dry_run: bool) -> dict[str, Any]:
    return {
        "to": to,
        "scope": scope,
        "transferred": [{"id": each.id, "name": each.name, "from": each.owner} for each in found if each.moved],
        "unchanged": [{"id": each.id, "name": each.name} for each in found if not each.moved],
        "change_set": made,
        "dry_run": dry_run,
    }


def _print(
    application: Application, moved: Sequence[_Account], unchanged: int, to: str, made: int | None, dry_run: bool
) -> None:
    output = application.output
    if moved:
        output.table(
            ("id", "account", "owner", "new owner"),
            ((str(each.id), each.name, each.owner or "", to) for each in moved[:_SHOWN]),
        )
    if len(moved) > _SHOWN:
        output.note("Not shown: {count} more; --json shows them.", count=len(moved) - _SHOWN)
    if unchanged:
        output.note("{login} owns {count} of them already.", login=to, count=unchanged)
    if not moved:
        output.say("Nothing was changed.")
    elif dry_run:
        output.say("Accounts that would be transferred to {login}: {count}. Nothing was changed.", count=len(moved),
                   login=to)  # fmt: skip
    else:
        output.say("Accounts that belong to {login} now: {count}. To take it back: crm undo {made}",
                   count=len(moved), login=to, made=made)  # fmt: skip

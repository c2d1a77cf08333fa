"""``crm handover splits``: who shares in later commission at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.handovers import names_of, share_kept
from crm_core.cli.helping import command, option
from crm_core.cli.moments import MOMENT, When, shown
from crm_core.cli.records import plain
from crm_core.cli.times import as_json, moment_of
from crm_core.domain import handovers
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import User

if TYPE_CHECKING:
    from crm_core.domain.handovers import Split
    from crm_core.store.session import CrmSession

__all__ = ["splits"]


@command("splits")
@option("--at", type=MOMENT, metavar="DATE", help="Those that hold on this day or at this moment; else now.")
@as_json
@pass_application
def splits(application: Application, at: When | None, as_json: bool) -> None:
    """List which part of later commission goes to whoever gave an account up, and until when."""
    with application.looking() as session:
        moment = moment_of(application, at) or session.at
        found = handovers.splits(session, at=moment)
        accounts = names_of(session, Account, (each.account_id for each in found))
        logins = names_of(
            session, User, (id_ for each in found for id_ in (each.leaver_id, each.successor_id)), "login"
        )
        if as_json:
            rows = [_json(each, accounts, logins) for each in found]
            application.output.json({"at": plain(moment), "splits": rows})
        else:
            _print(application, session, found, accounts, logins)


def _json(each: Split, accounts: dict[int, str], logins: dict[int, str]) -> dict[str, Any]:
    return {
        "account_id": each.account_id,
        "account": accounts.get(each.account_id),
        "role": each.role.value,
        "scope": each.scope,
        "leaver": logins.get(each.leaver_id),
        "successor": logins.get(each.successor_id),
        "share": plain(each.share),
        "since": plain(each.since),
        "until": plain(each.until),
        "item": each.item_id,
    }


def _print(
    application: Application,
    session: CrmSession,
    found: Sequence[Split],
    accounts: dict[int, str],
    logins: dict[int, str],
) -> None:
    output, tz = application.output, session.policy.tz
    output.table(
        ("account", "role", "scope", "given up by", "went to", "share kept", "since", "until"),
        (
            (
                f"{each.account_id} {accounts.get(each.account_id, '')}".rstrip(),
                output.translator.choice(each.role.value),
                each.scope,
                logins.get(each.leaver_id, ""),
                logins.get(each.successor_id, ""),
                share_kept(each.share),
                shown(each.since, tz),
                shown(each.until, tz),
            )
            for each in found
        ),
    )

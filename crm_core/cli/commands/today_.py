"""``crm today``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.output import Output
from crm_core.cli.overviews import print_failed
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import ConflictingOptions, Written
from crm_core.cli.writing import write_page

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.views import Today

__all__ = ["command"]

_MOST = 15
"""So many lines of each kind fit on one screen; the rest is counted."""


@command("today")
@option(
    "--as",
    "login",
    metavar="USER",
    help="As this user sees it; needs the permission system.impersonate. It does not count as a look of theirs.",
)
@option("--since", type=MOMENT, metavar="DATE", help="News since this day or moment, rather than since the last look.")
@option("--keep", is_flag=True, help="Do not note that the news were read: they are told again.")
@option("--all", "whole", is_flag=True, help="Everything, however long.")
@option("--html", "page", metavar="FILE", type=Written(),
        help="Write it as a page of HTML that stands by itself.")  # fmt: skip
@as_json
@pass_application
def command_today(
    application: Application,
    login: str | None,
    since: When | None,
    keep: bool,
    whole: bool,
    page: str | None,
    as_json: bool,
) -> None:
    """Say what is new about my accounts since I last looked, and what to do next.

    New is what others recorded: visits, people who came and went, changes of owner and stage, and what plugins tell.
    """
    from crm_core.views import looked, today

    if login is None and application.user is None:
        raise ConflictingOptions("Say whose day it is: crm --user LOGIN today.")
    with application.looking(login=login) as session:
        view = today(session, since=moment_of(application, since))
        if page is not None:
            from crm_core.views.html import today_page

            write_page(application, page, today_page(session, view, application.translator))
        elif as_json:
            application.output.json(_json(session, view))
        else:
            _print(application.output, session, view, None if whole else _MOST)
    # Only whoever has read it has looked.
    if not keep and since is None and (login is None or login == application.user):
        with application.session() as session:
            looked(session, view.news)


command = command_today


def _json(session: CrmSession, view: Today) -> dict[str, Any]:
    from crm_core.views import as_data

    news, actions = as_data(session, view.news), as_data(session, view.actions)
    news.pop("look")
    for one, account in zip(news["accounts"], view.news.accounts, strict=True):
        for each, learned in zip(one["learned"], account.learned, strict=True):
            each["said"] = learned.text.format(**learned.values) if learned.values else learned.text
    for one, action in zip(actions["actions"], view.actions, strict=True):
        one["said"] = action.title.format(**action.values) if action.values else action.title
    return {"at": as_data(session, view.at), "news": news, "actions": actions}


def _print(output: Output, session: CrmSession, view: Today, most: int | None) -> None:
    from crm_core.views.showing import filled, kind_labels, pieces, shown

    translator, tz = output.translator, session.policy.tz
    news, actions = view.news, view.actions

    def fill(template: str, values: Any) -> str:
        return filled(template, values, translator, tz)

    kinds = kind_labels(session, translator, {each.kind for account in news for each in account.learned})
    output.heading(translator.format("New since {day}", day=shown(news.since.replace(second=0), tz)))
    if news.begins is not None:
        output.note("What was recorded before {moment} is detached from the database, and is not shown.",
                    moment=shown(news.begins, tz))  # fmt: skip
    if not news.accounts and not news.gone:
        output.say("Nothing.")
    rows = [
        (
            account.name if number == 0 else "",
            kinds[each.kind] + (f" ×{each.count}" if each.count > 1 else ""),
            fill(each.text, each.values),
            ", ".join(filter(None, (news.names.get(who, "") for who in each.who[:2]))),
        )
        for account in news
        for number, each in enumerate(account.learned)
    ]  # fmt: skip
    if rows:
        output.table(("account", "kind", "latest", "who knows"), rows[:most])
        _more(output, len(rows), most)
    if news.gone:
        output.table(
            ("account", "no longer yours", "when", "reason"),
            ((each.name, translator.choice(each.how), shown(each.at, tz), pieces(each.reason or "", translator))
             for each in news.gone[:most]),
        )  # fmt: skip
        _more(output, len(news.gone), most)
    output.heading(translator.format("To do"))
    if not actions.actions:
        output.say("Nothing is due.")
    else:
        output.table(
            ("what", "account", "why"),
            (
                (
                    ("! " if each.urgency >= 80 else "") + fill(each.title, each.values),
                    actions.accounts.get(each.account_id or 0, ""),
                    fill(each.reason, each.values),
                )
                for each in actions.actions[:most]
            ),
        )
        _more(output, len(actions), most)
    print_failed(output, (*news.failed, *actions.failed))


def _more(output: Output, number: int, most: int | None) -> None:
    if most is not None and number > most:
        output.say("... and {count} more", count=number - most)

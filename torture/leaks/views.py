"""What people look at: each view must say the same as if there were nothing but what its reader sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import attrs

from crm_core import (
    Account,
    Crm,
    CrmError,
    CrmSession,
    User,
    duplicates,
    duties,
    handovers,
    pools,
    quality,
)
from crm_core import merging as merges
from crm_core.testing.conformance.asking import answers
from crm_core.testing.conformance.marks import marks_in
from crm_core.testing.conformance.pruning import prune
from crm_core.views import (
    WhatsNew,
    briefings,
    check_contact,
    concealment,
    next_actions,
    open_items,
    overview,
    timeline,
    whats_new,
)
from torture.leaks.asker import TOLD_OF_LOST, Asker
from torture.leaks.deletions import UNSEEN, unnamed
from torture.leaks.telling import told
from torture.leaks.verbs import like

__all__ = ["views"]

GROUP = "views"
GATHERERS = "gatherers"
_ACCOUNTS = 8
_HINTS = "industrial crm_check_contact"
"""Warns of what another department spends, on purpose, without record or figure, where the build wants it."""
_HELD = "Credit control holds the account {account}: it does not change hands now."
"""Said on purpose to whoever would move such an account; the amounts it rests on are not."""
_DELETION = "deletion of "
_YEAR = dt.timedelta(days=366)


Question: TypeAlias = Callable[[CrmSession, int], Any]

ABOUT: Mapping[str, Question] = {
    "overview": lambda s, id_: overview(s, s.require(Account, id_)),
    "overview of a made up account": lambda s, id_: overview(s, like(Account, id_)),
    "timeline": lambda s, id_: timeline(s, like(Account, id_), limit=1000),
    "briefings": lambda s, id_: briefings(s, s.require(Account, id_)),
    "open items": lambda s, id_: open_items(s, [id_]),
    "check contact": lambda s, id_: check_contact(s, like(Account, id_), purpose="visit"),
    "quality of an account": lambda s, id_: quality.findings(s, [id_]),
    "doubles of an account": lambda s, id_: duplicates.candidates(s, s.require(Account, id_)),
    "pool history": pools.history,
    "what is due of an account": lambda s, id_: pools.due(s, [id_]),
}
"""What is asked about an account."""


def _news(session: CrmSession, user: User | int | str | None = None) -> WhatsNew:
    """What is new since a year; what was lost is looked at apart, and what the database calls the moment is its own."""
    news = whats_new(session, user, since=session.now - _YEAR)
    return attrs.evolve(news, gone=(), look=attrs.evolve(news.look, seen=""))


OF: Mapping[str, Question] = {
    "assigned": quality.assigned,
    "obligations": lambda s, user: list(duties.obligations(s, user=user)),
    "duties": lambda s, user: duties.due(s, user, within_days=400),
    "news": _news,
    "next actions": next_actions,
}
"""What is asked about a colleague."""

WHOLE: Mapping[str, Callable[[CrmSession], Any]] = {
    "own news": _news,
    "own next actions": next_actions,
    "concealment": lambda s: concealment(s, before=1),
    "duties of all": lambda s: duties.report(s, within_days=400),
    "quality queue": lambda s: quality.queue_page(s, limit=1000),
    "quality findings": quality.findings,
    "proposals": lambda s: quality.proposals(s, state=None),
    "own proposals": lambda s: quality.proposals(s, state=None, mine=True),
    "doubles of accounts": lambda s: duplicates.candidates(s, "account"),
    "doubles of people": lambda s: duplicates.candidates(s, "contact"),
    "waiting handovers": lambda s: handovers.waiting_for(s, s.user_id),
    "splits": handovers.splits,
}
"""What is asked about everything."""


def views(asker: Asker) -> None:
    """Ask, look for words, take away what the user does not see, and ask again."""
    company = asker.company
    accounts = asker.sample(asker.ids("account"), _ACCOUNTS)
    users = asker.sample(asker.ids("user"), 2)
    given = _asked(asker, asker.crm, accounts, users)
    with company.subject.databases.copy(company.template) as copy, company.opened(copy) as crm:
        prune(crm, company.organisation, asker.user)
        expected = _asked(asker, crm, accounts, users)
    about = company.about
    for (group, way, account), text in given.items():
        count = about[account] if account is not None else len(about)
        words = marks_in(text)
        if hidden := asker.hidden(words):
            places = [company.marks[word][0] for word in sorted(hidden)[:3]]
            asker.tally.right(group, way, count)
            asker.tally.bad("leak", group, way, "words", f"account {account}: {places}", len(hidden))
        elif way.startswith(_DELETION) and UNSEEN in text:
            record, number = way.removeprefix(_DELETION).split()
            unnamed(asker, group, way, record, asker.deletable[record][int(number)], count)
        elif not (company.hints and way.startswith(_HINTS)):
            without = expected[group, way, account]
            asker.tally.same(group, way, "as if alone", text, without, count, f"account {account}: ")
    _bounds(asker, accounts)
    _lost(asker)


def _asked(asker: Asker, crm: Crm, accounts: list[int], users: list[int]) -> dict[tuple[str, str, int | None], str]:
    found: dict[tuple[str, str, int | None], str] = {}
    for way, account, ask in _views(asker, accounts, users):
        with crm.session(asker.login, reason="torture") as session:
            session.visibility.__dict__["wide"] = asker.wide
            try:
                answer = ask(session)
            except CrmError as error:
                answer = error
            found[GROUP, way, account] = told(answer)
            session.rollback()
    with crm.session(asker.login, read_only=True) as session:
        for plugin in crm.build.plugins:
            everyone = sorted(asker.ids("account"))
            for number, answer in enumerate(answers(crm, plugin.name, session, everyone)):
                found[GATHERERS, f"{plugin.name} {answer.call.hook} {number}", None] = answer.text
    return found


def _views(
    asker: Asker, accounts: list[int], users: list[int]
) -> Iterator[tuple[str, int | None, Callable[[CrmSession], Any]]]:
    for id_ in accounts:
        for way, question in ABOUT.items():
            yield way, id_, partial(_about, question=question, id_=id_)
        yield "merge preview", id_, partial(_merge, source=id_, target=accounts[0])
    yield "timeline of all", None, lambda s: timeline(s, [like(Account, id_) for id_ in accounts], limit=1000)
    yield "open items of all", None, lambda s: open_items(s, accounts)
    for number, user in enumerate(users):
        for way, question in OF.items():
            yield f"{way} of colleague {number}", None, partial(_about, question=question, id_=user)
    for way, ask in WHOLE.items():
        yield way, None, ask
    for record_type in asker.types:
        for number, id_ in enumerate(asker.deletable[record_type.name]):
            yield f"{_DELETION}{record_type.name} {number}", None, partial(_delete, cls=record_type.cls, id_=id_)


def _about(session: CrmSession, question: Question, id_: int) -> Any:
    return question(session, id_)


def _merge(session: CrmSession, source: int, target: int) -> Any:
    """The preview, without what credit control says of either: by lines that are not seen, on purpose."""
    both = (session.require(Account, target), session.require(Account, source))
    report = merges.merge(session, *both, dry_run=True)
    report.conflicts = [
        each for each in report.conflicts if each.problem != _HELD or each.values["account"] not in {target, source}
    ]
    return report


def _delete(session: CrmSession, cls: Any, id_: int) -> Any:
    """How much goes with a record, or why it may not go: it is taken back."""
    return session.delete_many(cls, [id_])


def _bounds(asker: Asker, accounts: list[int]) -> None:
    """What must be in a view, lest it be the same because it says nothing at all."""
    oracle, rows = asker.oracle, asker.oracle.rows
    people = {id_: rows["affiliation"][id_] for id_ in asker.seen("affiliation")}
    planned = {id_: rows["activity"][id_] for id_ in asker.seen("activity")}
    with asker.session() as session:
        for id_ in [each for each in accounts if each in asker.seen("account")]:
            shown = overview(session, session.require(Account, id_))
            due = {
                row["contact_id"]
                for row in people.values()
                if row["account_id"] == id_ and oracle.sees(asker.user, "contact", row["contact_id"])
            }
            asker.tally.ids(
                GROUP, "people of an overview", "contact", {each.contact_id for each in shown.people} & due, due, due
            )
            entries = timeline(session, session.require(Account, id_), limit=1000)
            text = told(entries)
            subjects = {row["subject"] for row in planned.values() if row["account_id"] == id_}
            asker.tally.said(
                GROUP, "activities of a timeline", "activity", marks_in(text), set(), marks_in(str(subjects))
            )


def _lost(asker: Asker) -> None:
    """Of an account that ceased to be theirs somebody is told name and reason, on purpose, and nothing besides."""
    now = asker.company.organisation.now
    ended = {
        row["account_id"]
        for row in asker.oracle.rows["ownership"].values()
        if row["user_id"] == asker.user and row["valid_to"] is not None and row["valid_to"] <= now
    }
    merged = {row["source_id"]: row["target_id"] for row in asker.oracle.rows["redirect"].values()}
    with asker.session() as session:
        lost = whats_new(session, since=now - _YEAR).gone
    told_of = {each.account_id for each in lost}
    asker.tally.right(GROUP, "accounts that were lost", len(asker.ids("account")))
    extra = {id_ for id_ in told_of if id_ not in ended and merged.get(id_) not in ended}
    places = asker.hidden_fields(marks_in(told(lost)))
    extra |= {0} if places - TOLD_OF_LOST else set()
    if extra:
        asker.tally.bad("leak", GROUP, "accounts that were lost", "account", f"{extra}: {places}")

"""What others learned about my accounts since I last looked: grouped, and short."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.accounts import Account, Lifecycle
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.dated import as_moment
from crm_core.domain.organisation import User, find_user
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.hooks.values import Failed, Gathered, News
from crm_core.store.gone import Gone, gone
from crm_core.store.learned import Written, written, written_by_others, written_people, written_points
from crm_core.store.looks import LATE, Look, last_look, note_look, present_look
from crm_core.store.partitions.recorded import begins
from crm_core.store.parts import id_parts
from crm_core.store.removed import Removed, removed
from crm_core.views.overview import names_of

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["AccountNews", "Learned", "WhatsNew", "looked", "whats_new"]

_CHUNK = 10_000
NEWS = "news"
"""What a look at the news is called."""


_LABELS = {
    "is there": "{name} is there",
    "is there as": "{name} is there: {place}",
    "leaves": "{name} leaves or left",
    "leaves as": "{name} leaves or left: {place}",
    "other role": "{name} has another role: {place}",
    "removed": "{name} is no longer listed there",
    "removed as": "{name} is no longer listed there: {place}",
    "renamed": "{former} is called {name} now",
    "written": "{name} is written {local} now",
    "unwritten": "{name} has no local name any more",
    "point removed": "{value} was deleted",
    "point removed of": "{name}: {value} was deleted",
    "withdrawn": "{value}: consent withdrawn",
    "you are": "You are {role} now",
    "you are not": "You are no longer {role}",
    "is": "{name} is {role} now",
    "is not": "{name} is no longer {role}",
    "changed": "Changed: {labels}",
}
"""What the kernel says, as templates."""


@attrs.frozen(kw_only=True)
class Learned:
    """What became known about one account of one ``kind``: ``count`` times, the latest ``at`` a moment.

    ``text`` is a template for ``values`` and tells the latest. ``who`` are the ids of the colleagues who know more, the
    latest first.
    """

    kind: str
    count: int
    at: dt.datetime
    text: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    who: tuple[int, ...] = ()
    record_type: str
    record_id: int


@attrs.frozen(kw_only=True)
class AccountNews:
    """The news of one account, latest first."""

    account_id: int
    name: str
    learned: tuple[Learned, ...]

    @property
    def latest(self) -> dt.datetime:
        """When the latest became known."""
        return max(each.at for each in self.learned)


@attrs.frozen(kw_only=True)
class WhatsNew:
    """What a user did not know yet: by account, latest first; and accounts that are no longer theirs (``gone``).

    ``since`` is the look that it reaches back to, ``first`` whether there was none before. ``look`` is what to note
    once it was read (:func:`looked`). ``names`` are those of colleagues by id. ``begins`` is ``None`` where that is
    all; else what was recorded between ``since`` and that moment is detached from the database, and there may be more.
    """

    user_id: int
    since: dt.datetime
    first: bool
    accounts: tuple[AccountNews, ...]
    gone: tuple[Gone, ...]
    names: Mapping[int, str]
    look: Look
    begins: dt.datetime | None = None
    failed: tuple[Failed, ...] = ()

    def __iter__(self) -> Iterator[AccountNews]:
        return iter(self.accounts)


def whats_new(
    session: CrmSession, user: str | User | int | None = None, since: dt.datetime | dt.date | None = None
) -> WhatsNew:
    """What others learned about the accounts that a user is responsible for (default: the actor), since they last
    looked or since a moment.

    Told is what the journal recorded since then, however old it is in the business, and what plugins add: visits of
    others, people who came, went or are called otherwise, ways to reach them, what of that was deleted, changes of
    owner, stage and important fields. Nothing that the user did, and nothing that the actor may not see. Where they
    never looked, it reaches back as many days as ``[views] first_look_days`` says. A constant number of SQL statements.
    """
    reader = session.user_id if user is None else find_user(session, user).id
    look = present_look(session)
    last = last_look(session, reader, NEWS)
    if since is not None:
        start = Look(as_moment(session, since))
    else:
        start = last or Look(session.now - dt.timedelta(session.policy.views.first_look_days))
    accounts = _accounts(session, reader)
    pieces = list(_kernel(session, reader, start, accounts))
    told = _told(session, sorted(accounts), start)
    # By the journal, too: a plugin cannot know what was committed late, nor who wrote a record last.
    fresh = written_by_others(session, reader, start, ((news.record_type, news.record_id) for news in told))
    pieces += [
        _of_plugin(news)
        for news in told
        if news.user_id != reader and (news.record_type, news.record_id) in fresh and news.account_id in accounts
    ]
    found = _grouped(pieces, accounts)
    # Beyond the reader's rights it is told to nobody else.
    lost = gone(session, reader, start) if session.actor.system or session.actor.user_id == reader else []
    cut = begins(session)
    return WhatsNew(
        user_id=reader,
        since=start.at,
        first=last is None,
        accounts=tuple(found),
        gone=tuple(lost),
        names=names_of(session, (who for each in found for learned in each.learned for who in learned.who)),
        look=look,
        begins=cut if cut is not None and cut > start.at else None,
        failed=told.failed,
    )


def looked(session: CrmSession, news: WhatsNew) -> None:
    """Note that the user has read the news: the next time they begin where these end.

    Needs a session that writes. Only the user themselves has read them; raises :class:`PermissionDenied` for others.
    """
    note_look(session, news.user_id, NEWS, news.look)


def _told(session: CrmSession, accounts: Sequence[int], start: Look) -> Gathered[News]:
    """What plugins tell; they are asked from a little earlier on, because a record is written before its commit."""
    since = start.at - LATE if start.seen else start.at
    parts: list[News] = []
    failed: dict[Failed, None] = {}
    for first in range(0, max(len(accounts), 1), _CHUNK):
        gathered = session.store.dispatch.gather_news(session, accounts[first : first + _CHUNK], since)
        parts += gathered.parts
        failed.update(dict.fromkeys(gathered.failed))
    return Gathered(tuple(parts), tuple(failed))


def _accounts(session: CrmSession, reader: int) -> dict[int, str]:
    """The reader's accounts that the actor sees."""
    query = (
        select(Account.id, Account.name)
        .join(Ownership, Ownership.account_id == Account.id)
        .where(Ownership.user_id == reader)
        .distinct()
    )
    return {row.id: row.name for row in session.execute(query)}


@attrs.frozen(kw_only=True)
class _Piece:
    """One thing that became known."""

    account_id: int
    kind: str
    at: dt.datetime
    text: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    who: int | None
    record_type: str
    record_id: int


def _grouped(pieces: Iterable[_Piece], accounts: Mapping[int, str]) -> list[AccountNews]:
    groups: defaultdict[int, defaultdict[str, list[_Piece]]] = defaultdict(lambda: defaultdict(list))
    for piece in pieces:
        if piece.account_id in accounts:
            groups[piece.account_id][piece.kind].append(piece)
    found = []
    for account_id, kinds in groups.items():
        learned = [_learned(kind, several) for kind, several in kinds.items()]
        learned.sort(key=lambda each: (each.at, each.kind), reverse=True)
        found.append(AccountNews(account_id=account_id, name=accounts[account_id], learned=tuple(learned)))
    return sorted(found, key=lambda each: (each.latest, -each.account_id), reverse=True)


def _learned(kind: str, pieces: Sequence[_Piece]) -> Learned:
    ordered = sorted(pieces, key=lambda piece: (piece.at, piece.record_id), reverse=True)
    latest = ordered[0]
    return Learned(
        kind=kind, count=len(ordered), at=latest.at, text=latest.text, values=latest.values,
        who=tuple(dict.fromkeys(piece.who for piece in ordered if piece.who is not None)),
        record_type=latest.record_type, record_id=latest.record_id,
    )  # fmt: skip


def _of_plugin(news: News) -> _Piece:
    return _Piece(
        account_id=news.account_id, kind=news.kind, at=news.at, text=news.text, values=news.values, who=news.user_id,
        record_type=news.record_type, record_id=news.record_id,
    )  # fmt: skip


# What the kernel's own records tell.


def _kernel(session: CrmSession, reader: int, since: Look, accounts: Collection[int]) -> Iterator[_Piece]:
    lost = removed(session, reader, since, accounts)
    yield from _activities(session, reader, since)
    yield from _people(session, reader, since, lost)
    yield from _names(session, reader, since)
    yield from _points(session, reader, since)
    yield from _owners(session, reader, since)
    yield from _stages(session, reader, since)
    yield from _fields(session, reader, since)


def _piece(change: Written, record_type: str, kind: str, text: str, who: int | None = None, **values: Any) -> _Piece:
    return _Piece(
        account_id=change.account_ids[0], kind=kind, at=change.at, text=text, values=values,
        who=change.user_id if who is None else who, record_type=record_type, record_id=change.record_id,
    )  # fmt: skip


def _activities(session: CrmSession, reader: int, since: Look) -> Iterator[_Piece]:
    names = ("kind", "subject", "outcome", "status", "user_id")
    changes = written(session, Activity.crm_type, reader, since, *names)
    present: set[int] = set()
    for ids in id_parts(change.record_id for change in changes):
        query = select(Participant.activity_id).where(Participant.user_id == reader, Participant.activity_id.in_(ids))
        present.update(session.scalars(query))
    for change in changes:
        values, who = change.values, change.values["user_id"]
        if (who == reader or change.record_id in present) and values["status"] is Status.HELD:
            continue  # they were there
        if values["status"] is Status.HELD and (change.created or not {"status", "outcome"}.isdisjoint(change.after)):
            text = "{subject}: {outcome}" if values["outcome"] else "{subject}"
            yield _piece(change, "activity", values["kind"], text, who, subject=values["subject"],
                         outcome=values["outcome"] or "")  # fmt: skip
        elif values["status"] is Status.PLANNED and change.created:
            yield _piece(change, "activity", "planned", "{subject}", who, subject=values["subject"])
        elif values["status"] is Status.CANCELLED and change.before.get("status") is Status.PLANNED:
            yield _piece(change, "activity", "cancelled", "{subject}", change.user_id, subject=values["subject"])


def _people(session: CrmSession, reader: int, since: Look, lost: Removed) -> Iterator[_Piece]:
    changes = written(session, Affiliation.crm_type, reader, since, "contact_id", "role", "title", "valid_to")
    names = dict(lost.names)
    for ids in id_parts(each.values.get("contact_id") or 0 for each in (*changes, *lost.places, *lost.points)):
        present = session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(ids)))
        names.update((row.id, row.name) for row in present)
    for change in changes:
        values = change.values
        name, place = names.get(values["contact_id"]), values["role"] or values["title"] or ""
        if name is None or not (change.created or {"valid_to", "role", "title", "department"} & change.after.keys()):
            continue
        if values["valid_to"] is not None:
            said = "leaves as" if place else "leaves"
        elif change.created:
            said = "is there as" if place else "is there"
        else:
            said = "other role"
        yield _piece(change, "affiliation", "people", _LABELS[said], name=name, place=place)
    for change in lost.places:
        values = change.values
        name, place = names.get(values["contact_id"]), values.get("role") or values.get("title") or ""
        if name is not None:
            said = "removed as" if place else "removed"
            yield _piece(change, "affiliation", "people", _LABELS[said], name=name, place=place)
    for change in lost.points:
        name = names.get(change.values.get("contact_id") or 0, "")
        said = "point removed of" if name else "point removed"
        for account_id in change.account_ids if "value" in change.values else ():
            here = attrs.evolve(change, account_ids=(account_id,))
            yield _piece(here, "contact_point", "contact_point", _LABELS[said], name=name, value=change.values["value"])


def _names(session: CrmSession, reader: int, since: Look) -> Iterator[_Piece]:
    """How people are called now."""
    for change in written_people(session, reader, since, "name", "local_name"):
        if change.created or not {"name", "local_name"} & change.after.keys():
            continue
        local = change.values["local_name"]
        said = "renamed" if "name" in change.after else "written" if local else "unwritten"
        for account_id in change.account_ids:
            here = attrs.evolve(change, account_ids=(account_id,))
            yield _piece(here, "contact", "people", _LABELS[said], name=change.values["name"],
                         former=change.before.get("name", ""), local=local or "")  # fmt: skip


def _points(session: CrmSession, reader: int, since: Look) -> Iterator[_Piece]:
    for change in written_points(session, reader, since):
        if change.created or {"value", "consent"} & change.after.keys():
            withdrawn = change.after.get("consent")
            text = (
                _LABELS["withdrawn"]
                if withdrawn is not None and withdrawn.value == "withdrawn"
                else "{name}: {value}"
                if change.values["name"]
                else "{value}"
            )
            for account_id in change.account_ids:
                here = attrs.evolve(change, account_ids=(account_id,))
                yield _piece(here, "contact_point", "contact_point", text, name=change.values["name"] or "",
                             value=change.values["value"])  # fmt: skip


def _owners(session: CrmSession, reader: int, since: Look) -> Iterator[_Piece]:
    changes = written(session, Ownership.crm_type, reader, since, "user_id", "role", "valid_to")
    names = names_of(session, (change.values["user_id"] for change in changes))
    for change in changes:
        values = change.values
        begun = values["valid_to"] is None
        if not change.created and not {"valid_to", "user_id", "role"} & change.after.keys():
            continue
        said = "is" if begun else "is not"
        if values["user_id"] == reader:
            said = "you are" if begun else "you are not"
        role: OwnershipRole = values["role"]
        yield _piece(
            change, "ownership", "ownership", _LABELS[said], name=names.get(values["user_id"], ""), role=role.value
        )


def _stages(session: CrmSession, reader: int, since: Look) -> Iterator[_Piece]:
    for change in written(session, Lifecycle.crm_type, reader, since, "business_line", "stage", "valid_to"):
        if change.values["valid_to"] is None and (change.created or "stage" in change.after):
            yield _piece(change, "lifecycle", "stage", "{business_line}: {stage}",
                         business_line=change.values["business_line"], stage=change.values["stage"].value)  # fmt: skip


def _fields(session: CrmSession, reader: int, since: Look) -> Iterator[_Piece]:
    wanted = session.policy.views.news_fields
    custom = session.policy.custom.get("account", {})
    for change in written(session, Account.crm_type, reader, since, account="id"):
        if change.created:
            continue
        added = _custom_changes(change)
        names = [name for name in wanted if name in change.after or name.partition("custom.")[2] in added]
        if names:
            labels = [
                custom[name.removeprefix("custom.")].label if name.startswith("custom.")
                else Account.crm_type.by_name[name].label
                for name in names
            ]  # fmt: skip
            yield _piece(change, "account", "account", _LABELS["changed"], labels=tuple(labels))


def _custom_changes(change: Written) -> set[str]:
    before, after = change.before.get("custom") or {}, change.after.get("custom") or {}
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}

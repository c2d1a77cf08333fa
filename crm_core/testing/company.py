"""A large invented company, the same one for the same seed: for benchmarks, demonstrations and load tests."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Feeling, Status
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.fields import Address, Money
from crm_core.testing import company_words as words

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Generated", "generate"]

_BATCH = 1000
# Fixed, so that the same seed gives the same company on any day.
_FIRST_DAY = dt.datetime(2019, 1, 1, 1, tzinfo=dt.UTC)
_LAST_DAY = dt.datetime(2026, 6, 30, 1, tzinfo=dt.UTC)
_DAYS = (_LAST_DAY - _FIRST_DAY).days

Row = dict[str, Any]


@attrs.frozen
class Generated:
    """How many records were written, by kind."""

    units: int
    users: int
    accounts: int
    contacts: int
    affiliations: int
    ownerships: int
    activities: int


def generate(
    session: CrmSession, accounts: int, seed: int = 1, *, progress: Callable[[int], None] | None = None
) -> Generated:
    """Invent a company with so many ``accounts`` and write it through the session; nothing is committed.

    Kernel records only: units in three levels, users with dated memberships (``director``, ``manager1`` ..., ``sales1``
    ...; one salesperson for two hundred accounts), accounts with Chinese and Western names, one to three people at each
    with dated affiliations (some have left), an owner since a day (a fifth had another one before), up to three
    activities. Everything follows from ``seed`` and lies between 2019 and June 2026, so it is the same on any day; only
    ids differ between databases. Rows are written in batches: with a session of ``streaming=True``, memory stays flat.
    ``progress`` is told the number of accounts written so far. The session must be allowed to write all of this: a
    system session is meant, on an empty database.
    """
    chance = random.Random(seed)  # noqa: S311 - invented data, no secrets
    units, sellers = _organisation(session, accounts)
    counts = dict.fromkeys(("contacts", "affiliations", "ownerships", "activities"), 0)
    written = 0
    while written < accounts:
        size = min(_BATCH, accounts - written)
        ids = session.add_many(Account, [_account(chance) for _ in range(size)])
        owners = [chance.randrange(len(sellers)) for _ in ids]
        held = [row for id_, owner in zip(ids, owners, strict=True) for row in _owned(chance, id_, owner, sellers)]
        session.add_many(Ownership, held)
        employers = [id_ for id_ in ids for _ in range(chance.choice((1, 1, 2, 3)))]
        people = session.add_many(Contact, [_person(chance) for _ in employers])
        session.add_many(Affiliation, [_place(chance, *pair) for pair in zip(people, employers, strict=True)])
        someone = dict(zip(employers, people, strict=True))
        done = [
            _activity(chance, id_, someone[id_], sellers[owner])
            for id_, owner in zip(ids, owners, strict=True)
            for _ in range(chance.randrange(4))
        ]
        session.add_many(Activity, done)
        for name, count in zip(counts, (len(people), len(people), len(held), len(done)), strict=True):
            counts[name] += count
        written += size
        if progress is not None:
            progress(written)
    return Generated(units=units, users=_staff(accounts), accounts=written, **counts)


def _sellers(accounts: int) -> int:
    return max(4, accounts // 200)


def _teams(accounts: int) -> int:
    return max(4, _sellers(accounts) // 10)


def _staff(accounts: int) -> int:
    return 1 + _teams(accounts) + _sellers(accounts)


def _organisation(session: CrmSession, accounts: int) -> tuple[int, list[int]]:
    """Root, regions, teams; a director, a manager for each team, salespeople. Returns unit count and sellers' ids."""
    (root,) = session.add_many(Unit, [{"name": "Headquarters 总部", "code": "HQ", "kind": "company"}])
    regions = session.add_many(
        Unit, [{"name": name, "code": name.split()[0], "kind": "region", "parent_id": root} for name in words.REGIONS]
    )
    teams = session.add_many(
        Unit,
        [
            {
                "name": f"Team {number + 1}",
                "code": f"T{number + 1}",
                "kind": "team",
                "parent_id": regions[number % len(regions)],
            }
            for number in range(_teams(accounts))
        ],
    )
    chance = random.Random(f"staff of {accounts}")  # noqa: S311
    roles = ["director"] + ["manager"] * len(teams) + ["sales"] * _sellers(accounts)
    logins = _numbered(roles)
    users = session.add_many(User, [{"login": login, "name": _person(chance)["name"]} for login in logins])
    places = [root, *teams, *(teams[number % len(teams)] for number in range(_sellers(accounts)))]
    role_names = ["administrator" if role == "director" else role for role in roles]
    memberships: list[Row] = []
    for number, (user, place, role) in enumerate(zip(users, places, role_names, strict=True)):
        row: Row = {"user_id": user, "unit_id": place, "role": role}
        if role == "sales" and number % 7 == 0:
            # Some have changed their team, so who was where on a day is a question worth asking.
            moved = _FIRST_DAY + dt.timedelta(days=number % _DAYS + 30)
            memberships.append({**row, "unit_id": teams[(number + 1) % len(teams)], "valid_to": moved})
            row["valid_from"] = moved
        memberships.append(row)
    session.add_many(Membership, memberships)
    return 1 + len(regions) + len(teams), users[1 + len(teams) :]


def _numbered(roles: Sequence[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for role in roles:
        seen[role] = seen.get(role, 0) + 1
        yield role if role == "director" else f"{role}{seen[role]}"


def _account(chance: random.Random) -> Row:
    stem, trade, city = chance.choice(words.STEMS), chance.choice(words.TRADES), chance.choice(words.CITIES)
    second = chance.choice(words.STEMS)
    row: Row = {
        "name": f"{stem[0]}{second[0].lower()} {trade[0]}",
        "industry": trade[2],
        "grade": chance.choices("ABC", (1, 3, 6))[0],
        "employees": int(chance.lognormvariate(4, 1.3)) + 1,
        "address": Address(street=f"{chance.randrange(1, 400)} {second[0]} Road", city=city[0], country=city[2]),
        "tags": frozenset(chance.sample(words.TAGS, chance.randrange(3))),
        "active": chance.random() < 0.95,
    }
    if city[2] == "CN":
        row["local_name"] = f"{city[1]}{stem[1]}{second[1]}{trade[1]}有限公司"
    if chance.random() < 0.6:
        row["revenue"] = Money(chance.randrange(1, 5000) * 100_000, "CNY" if city[2] == "CN" else "EUR")
    return row


def _person(chance: random.Random) -> Row:
    if chance.random() < 0.75:
        family, given = chance.choice(words.CHINESE_FAMILIES), chance.choice(words.CHINESE_GIVEN)
        return {
            "name": f"{family[0]} {given[0]}",
            "local_name": family[1] + given[1],
            "family_name": family[1],
            "given_name": given[1],
            "language": "zh",
        }
    first, last = chance.choice(words.WESTERN_GIVEN), chance.choice(words.WESTERN_FAMILIES)
    return {"name": f"{first} {last}", "given_name": first, "family_name": last, "language": "en"}


def _moment(chance: random.Random) -> dt.datetime:
    return _FIRST_DAY + dt.timedelta(days=chance.randrange(_DAYS), hours=chance.randrange(9))


def _owned(chance: random.Random, account: int, owner: int, sellers: Sequence[int]) -> Iterator[Row]:
    since = _moment(chance)
    row: Row = {"account_id": account, "role": OwnershipRole.OWNER}
    if chance.random() < 0.2:
        yield {**row, "user_id": sellers[(owner + 1) % len(sellers)], "valid_to": since}
    yield {**row, "user_id": sellers[owner], "valid_from": since}


def _place(chance: random.Random, contact: int, account: int) -> Row:
    role, title = chance.choice(words.ROLES)
    since = _moment(chance)
    row: Row = {"contact_id": contact, "account_id": account, "role": role, "title": title, "valid_from": since}
    if chance.random() < 0.15:
        row["valid_to"] = since + dt.timedelta(days=chance.randrange(90, 1500))
    return row


def _activity(chance: random.Random, account: int, contact: int, user: int) -> Row:
    start = _moment(chance)
    row: Row = {
        "kind": chance.choice(("visit", "call", "meeting", "email")),
        "subject": chance.choice(words.SUBJECTS),
        "account_id": account,
        "contact_id": contact,
        "user_id": user,
        "planned_start": start,
    }
    if chance.random() < 0.85:
        row |= {
            "status": Status.HELD,
            "started_at": start,
            "minutes": chance.randrange(5, 180),
            "feeling": chance.choice(tuple(Feeling)),
        }
    elif chance.random() < 0.3:
        row["status"] = Status.CANCELLED
    return row

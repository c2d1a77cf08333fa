"""A company of any size, of which a tenth at most is written through the CRM: the rest are copies of that.

A *clerk* owns a thousand accounts whatever the size. The *pattern* is nine times as many, spread evenly over a hundred
salespeople in five regions, so that a salesperson has one hundredth of all that is copied and a region a fifth. Both
were imported two years ago; of each hundred accounts twenty were edited within the last year, two of them within the
last month, and of each thousand one within the last day: each edit is a change set of whoever owns the account.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Sequence
from string import ascii_lowercase

import attrs

from benchmarks.rows import FIRST, SECOND
from crm_core import Account, Activity, Affiliation, Contact, Crm, Membership, Ownership, Status, Unit, User
from crm_core.store.ids import IdPool

__all__ = ["MARK", "RARE", "READERS", "Clock", "Pattern", "write_pattern"]

MARK = "qzjx"
"""A word in the name of each account of the pattern, and in nothing else; a copy has another one in its place."""

READERS = {
    "clerk": "clerk",
    "owner of 1 %": "seller007",
    "director of 20 %": "director",
    "administrator": "administrator",
}
"""Who reads, each by login."""

RARE = "Zyzzyva"
"""A word in the name of one account alone."""

REGIONS, DISTRICTS, SELLERS = 5, 2, 10
BATCH = 1000
YEAR = dt.timedelta(days=365)
_IMPORTED = 2 * YEAR
_GIVEN = ("Ada", "Ben", "Cem", "Dora", "Eli", "Fay", "Gus", "Hana", "Ivo", "Jana", "Kai", "Lea", "Max", "Nora", "Ole")
_FAMILY = ("Miller", "Rossi", "Novak", "Silva", "Kovacs", "Lind", "Moreau", "Ortega", "Petrov", "Quist", "Ricci")
_SHARES = (("day", dt.timedelta(days=1), 0.001), ("month", dt.timedelta(days=30), 0.02), ("year", YEAR, 0.2))


class Clock:
    """What the CRM takes for the present."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        """The present."""
        return self.now


@attrs.frozen
class Pattern:
    """What was written through the CRM: the ids of the pattern and all that belongs to it, from ``low`` to ``high``."""

    accounts: int
    clerks: int
    low: int
    high: int
    now: dt.datetime
    seconds: float
    rate: float
    """Customers (five records each) that were imported in a second."""


@attrs.frozen
class _Edit:
    at: dt.datetime
    account: int
    login: str
    number: int


def write_pattern(crm: Crm, clerks: int, now: dt.datetime, measure: Callable[[], float]) -> Pattern:
    """Write the organisation, the accounts of the clerk and those of the pattern, and a year of edits."""
    clock = Clock(now - _IMPORTED - dt.timedelta(days=2))
    store, usual = crm.store, crm.store.clock
    store.clock = clock
    begun = measure()
    try:
        sellers = _organisation(crm)
        clerk = {"clerk": sellers.pop("clerk")}
        clock.now = now - _IMPORTED - dt.timedelta(days=1)
        own = _import(crm, clock, clerk, "", clerks, now)
        low = _next_block(crm)
        importing = measure()
        pattern = _import(crm, clock, sellers, MARK, 9 * clerks, now)
        rate = 9 * clerks / (measure() - importing)
        for edit in sorted([*_edits(own, now, 1), *_edits(pattern, now, 2)], key=lambda each: each.at):
            clock.now = edit.at
            _edit(crm, edit)
        clock.now = now
        high = _next_block(crm)
    finally:
        store.clock = usual
    return Pattern(9 * clerks, clerks, low, high, now, measure() - begun, rate)


def _next_block(crm: Crm) -> int:
    """The first of the ids that will be given out, beyond all that were."""
    crm.store._ids = IdPool()  # what was left over of earlier blocks would come after later ones
    with crm.system_session("growth") as session:
        number = session.next_id()
    return number


def _organisation(crm: Crm) -> dict[str, int]:
    """Units and users; returns the ids of those who own accounts, by login."""
    found: dict[str, int] = {}
    with crm.system_session("growth") as session:
        root = session.add_one(Unit(name="Headquarters", code="HQ"))

        def user(login: str, unit: Unit, role: str) -> int:
            one = session.add_one(User(login=login, name=f"User {login.title()}"))
            session.add(Membership(user_id=one.id, unit_id=unit.id, role=role))
            return one.id

        user("administrator", root, "administrator")
        for region in range(REGIONS):
            above = session.add_one(Unit(name=f"Region {region}", code=f"R{region}", parent_id=root.id))
            user("director" if region == 0 else f"director{region}", above, "manager")
            for district in range(DISTRICTS):
                unit = session.add_one(Unit(name=f"District {region}.{district}", parent_id=above.id))
                for _ in range(SELLERS):
                    login = f"seller{len(found):03d}"
                    found[login] = user(login, unit, "sales")
        found["clerk"] = user("clerk", session.add_one(Unit(name="Counter", parent_id=root.id)), "sales")
    return found


def _import(
    crm: Crm, clock: Clock, owners: dict[str, int], mark: str, count: int, now: dt.datetime
) -> list[tuple[int, str]]:
    """Import customers in change sets of a thousand; returns each account with the login of its owner."""
    chance = random.Random(f"{mark} {count}")
    logins = list(owners)
    found: list[tuple[int, str]] = []
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        since = clock.now = clock.now + dt.timedelta(minutes=1)
        given = [logins[number % len(logins)] for number in numbers]
        with crm.system_session("growth", source="import") as session:
            accounts = session.add_many(Account, [_account(chance, mark, number) for number in numbers])
            people = session.add_many(Contact, [_contact(chance) for _ in numbers])
            pairs = list(zip(accounts, people, given, strict=True))
            session.add_many(
                Affiliation,
                [{"account_id": account, "contact_id": person, "role": "buyer", "title": "Purchasing manager",
                  "primary": True, "valid_from": since} for account, person, _ in pairs],
            )  # fmt: skip
            session.add_many(
                Ownership,
                [{"account_id": account, "user_id": owners[login], "valid_from": since} for account, _, login in pairs],
            )
            session.add_many(Activity, [_activity(chance, *each, owners, now) for each in pairs])
        found += zip(accounts, given, strict=True)
    return found


def _account(chance: random.Random, mark: str, number: int) -> dict[str, object]:
    # The mark comes first: copies of one account must not stand beside each other in the order of names.
    first = mark or "".join(chance.choices(ascii_lowercase, k=4))
    # One of the clerk's has a name that no other has a part of.
    second = SECOND if mark or number else (RARE,)
    return {
        "name": f"{first} {chance.choice(FIRST).title()} {chance.choice(second).title()} {number:05d}",
        "industry": chance.choice(("it", "food", "steel", "chemicals", "retail")),
        "grade": chance.choice("AABBBCCCCC"),
        "employees": chance.randrange(1, 5000),
        "website": f"https://{first}{number}.example",
    }


def _contact(chance: random.Random) -> dict[str, object]:
    given, family = chance.choice(_GIVEN), f"{chance.choice(_FAMILY)}{chance.choice(('', 'son', 'berg', 'ova'))}"
    return {"name": f"{given} {family}", "family_name": family, "given_name": given, "language": "en"}


def _activity(
    chance: random.Random, account: int, person: int, login: str, owners: dict[str, int], now: dt.datetime
) -> dict[str, object]:
    day = now + dt.timedelta(days=chance.randrange(-365, 60), minutes=chance.randrange(600))
    held = day < now
    return {
        "kind": chance.choice(("visit", "call", "meeting")),
        "subject": f"{chance.choice(('Offer', 'Complaint', 'Delivery', 'Prices'))} {chance.choice(SECOND)}",
        "account_id": account,
        "contact_id": person,
        "user_id": owners[login],
        "status": Status.HELD if held else Status.PLANNED,
        "planned_start": day,
        "started_at": day if held else None,
        "outcome": "They want to think about it until next week." if held else None,
    }


def _edits(accounts: Sequence[tuple[int, str]], now: dt.datetime, seed: int) -> Iterator[_Edit]:
    """Which accounts are edited when: the stated shares within the last day, month and year, each account once."""
    chance = random.Random(seed)
    left = chance.sample(accounts, len(accounts))
    latest, before = dt.timedelta(0), 0
    for _, length, share in _SHARES:
        # At least one of each, or a small company would have no last day.
        upto = max(round(share * len(accounts)), before + 1)
        for number in range(upto - before):
            account, login = left.pop()
            ago = latest + (length - latest) * (chance.uniform(0.01, 0.98))
            yield _Edit(now - ago, account, login, number)
        latest, before = length, upto


def _edit(crm: Crm, edit: _Edit) -> None:
    with crm.session(edit.login) as session:
        account = session.require(Account, edit.account)
        account.employees = (account.employees or 0) + 7
        if edit.number % 3 == 0:
            account.grade = "B" if account.grade == "A" else "A"
        # What decides the order of names is changed seldom.
        if edit.number % 20 == 0:
            account.name = f"{account.name} New"

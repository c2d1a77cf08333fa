"""The rows that every side of a benchmark writes: an account with a contact, an affiliation and an owner."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

FIRST = [
    "acme",
    "globex",
    "vertex",
    "lunar",
    "solar",
    "terra",
    "amber",
    "frost",
    "granite",
    "harbor",
    "iron",
    "jade",
    "karma",
    "lotus",
    "maple",
    "north",
]
SECOND = [
    "systems",
    "holdings",
    "partners",
    "logistics",
    "software",
    "hardware",
    "foods",
    "media",
    "labs",
    "works",
    "trading",
    "supply",
]
CITIES = ("Paris", "Lyon", "Berlin", "Hamburg", "Madrid", "Rome", "Milan", "London", "Dublin", "Oslo")
SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

Row = dict[str, Any]


def customers(count: int, start: int = 0, users: int = 50) -> Iterator[tuple[Row, Row, Row, Row]]:
    """Account, contact, affiliation and ownership without ids; ``user`` is an index below ``users``."""
    chance = random.Random(start)
    for number in range(start, start + count):
        name = f"{chance.choice(FIRST).title()} {chance.choice(SECOND).title()} {chance.randrange(10**6):06d}"
        account = {
            "name": name,
            "industry": "it",
            "grade": "ABC"[number % 3],
            "employees": number % 5000,
            "website": f"https://w{number}.example",
            "email": f"i{number}@example.com",
            "phone": f"+33{number:09d}",
        }
        contact = {
            "name": f"Ann {name.split(maxsplit=1)[0]}",
            "family_name": name.split(maxsplit=1)[0],
            "given_name": "Ann",
        }
        yield account, contact, {"role": "buyer", "title": "CTO", "primary": True}, {"user": number % users}

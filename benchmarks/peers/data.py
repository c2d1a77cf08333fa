"""The customers that every side creates: the same for everybody, and what a list of them must show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["PAGE", "USERS", "WORDS", "Known", "customers", "write_customers"]

USERS = 50
"""The salespeople; each is responsible for the same share of the accounts."""

PAGE = 50
"""Rows on a page."""

WORDS = ("轴承", "bearings")
"""What is searched for: each stands in every tenth name, within it."""

_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxz", "aeiou"
_LATIN = ("Bearings GmbH", "Pumps & Valves Ltd", "Foods SA", "Machine Tools AG", "Logistics BV")
_CHINESE = ("轴承有限公司", "泵业股份有限公司", "食品贸易有限公司", "机床集团", "物流有限责任公司")
_PLACES = ("青岛", "上海", "广州", "沈阳", "成都", "杭州", "武汉", "西安", "宁波", "佛山")
_FIRST, _SECOND = "华天金泰恒鑫宏源瑞盛", "信达丰隆安康利通兴和"
_FAMILIES = ("Reed", "Martin", "Novak", "Costa", "Berg", "Dubois", "Rossi", "Weber", "Silva", "Larsen")
_GIVEN = ("Ann", "Jean", "Eva", "Marco", "Ines", "Paul", "Greta", "Tomas", "Lucia", "Erik")
_SURNAMES, _CALLED = "王李张刘陈杨赵黄周吴单曾", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平"


def customers(count: int, start: int = 0) -> Iterator[dict[str, Any]]:
    """Accounts, each with a contact, who buys there, and the number of the user who is responsible."""
    for number in range(start, start + count):
        given, family = _person(number)
        chinese = not given.isascii()
        yield {
            "name": f"{_invented(number)} {_business(number)}",
            "grade": "ABC"[number % 3],
            "employees": number % 5000,
            "industry": "it",
            "website": f"https://w{number}.example",
            "email": f"i{number}@example.com",
            "phone": f"+33{number:09d}",
            "person": f"{family}{given}" if chinese else f"{given} {family}",
            "given": given,
            "family": family,
            "role": "buyer",
            "title": "采购经理" if chinese else "CTO",
            "user": number % USERS,
        }


def write_customers(path: Path, count: int) -> None:
    """All of them as JSON lines, which every side reads."""
    with path.open("w", encoding="utf-8") as lines:
        for customer in customers(count):
            lines.write(json.dumps(customer, ensure_ascii=False) + "\n")


def _invented(number: int) -> str:
    """A word of eight letters that no other number has, in no order.

    Every name begins with one: by its Chinese half we sort as pinyin and the others by code point, and then pages could
    not be compared.
    """
    rest, syllables = number * 61_803_399 % 10**8, ""
    for _ in range(4):
        rest, pair = divmod(rest, 100)
        syllables = _CONSONANTS[pair // 5] + _VOWELS[pair % 5] + syllables
    return syllables.title()


def _person(number: int) -> tuple[str, str]:
    """Given and family name, of some thousand Chinese and some hundred others: namesakes are there, and are few."""
    if number % 3 == 1:
        called = _CALLED[number // 3 % 20] + _CALLED[number // 60 % 20]
        return called, _SURNAMES[number // 1200 % 12]
    middle = "ABCDEFGHIJKLMNOPQRST"[number // 300 % 20]
    return f"{_GIVEN[number // 3 % 10]} {middle}.", _FAMILIES[number // 30 % 10]


def _business(number: int) -> str:
    """What they do; every other one is Chinese, with a thousand names for each trade."""
    if number % 2 == 0:
        return _LATIN[number // 2 % 5]
    place, first, second = _PLACES[number // 10 % 10], _FIRST[number // 100 % 10], _SECOND[number // 1000 % 10]
    return f"{place}{first}{second}{_CHINESE[number // 2 % 5]}"


class Known:
    """What must be there by now, as plain Python."""

    def __init__(self) -> None:
        self.base: list[str] = []
        self.names: list[str] = []

    def created(self, count: int) -> None:
        """The next customers are there."""
        fresh = [each["name"] for each in customers(count, len(self.names))]
        self.base += fresh
        self.names += fresh

    def renamed(self, start: int, count: int, suffix: str) -> None:
        """These have got another end of their name."""
        for number in range(start, start + count):
            self.names[number] = f"{self.base[number]} {suffix}"

    def page(self, position: int = 0, user: int | None = None, word: str = "") -> list[str]:
        """The names on a page, in order."""
        numbered = enumerate(self.names)
        fitting = (
            name for n, name in numbered if user in (None, n % USERS) and word.casefold() in name.casefold()
        )  # fmt: skip
        return sorted(fitting)[position : position + PAGE]

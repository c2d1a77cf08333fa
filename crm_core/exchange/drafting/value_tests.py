"""Tests of single values: what a text may be. A column is what (almost) all of its values are."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from crm_core.domain.registration import registration_problem
from crm_core.errors import ValidationError
from crm_core.exchange.transforms.countries import is_country
from crm_core.fields import KINDS
from crm_core.fields.folding import to_half_width
from crm_core.fields.matching import domain_of_site, name_key, word_key

__all__ = ["DAYS", "MOMENTS", "TESTS", "currency_of", "parses", "passes"]

DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y年%m月%d日", "%Y%m%d")
MOMENTS = tuple(f"{day} {time}" for day in DAYS[:-1] for time in ("%H:%M", "%H:%M:%S"))

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*")
_WHOLE = re.compile(r"[-+]?(?:0|[1-9]\d{0,17}|[1-9]\d{0,2}(?:,\d{3})+)")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?|\.\d+)")
_COMMA = re.compile(r"[-+]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d+)?")
_AMOUNT = re.compile(r"(?:([A-Z]{3}|[¥￥€$£]) ?)?([-+]?[\d,]+(?:\.\d+)?)(?: ?([A-Z]{3}|[¥￥€$£元]))?")
_PERCENT = re.compile(r"[-+]?\d+(?:\.\d+)? ?%")
_PHONE = re.compile(r"[+(]?\d[\d ()/.\-]{4,}\d(?: ?(?:x|ext\.?) ?\d+)?")
_FLAGS = frozenset(["true", "false", "yes", "no", "y", "n", "t", "f", "是", "否", "1", "0"])
_USCC = re.compile(r"[0-9A-HJ-NP-RTUWXY]{2}\d{6}[0-9A-HJ-NP-RTUWXY]{10}")
_MOBILE = re.compile(r"(?:\+?86[ -]?)?1[3-9]\d{9}")
_HAN_PERSON = re.compile(r"[\u4e00-\u9fff]{2,4}(?:先生|女士|经理|总|主任)?|[\u4e00-\u9fff]{1,8}·[\u4e00-\u9fff·]{1,12}")
_HAN_COMPANY = re.compile(r"公司|集团|工厂|厂$|店$|院$|局$|大学|学校|银行|中心|协会|研究所|事务所|合作社")
_LATIN_PERSON = re.compile(r"(?:(?:Mr|Mrs|Ms|Dr|Prof)\.? )?[^\W\d_][\w'’.\-]*(?: [^\W\d_][\w'’.\-]*){1,3}")
_SALUTATION = re.compile(r"(?i)(?:mr|mrs|ms|sr|sra|miss|mx|dr|prof|herr|frau|madam|mme)\.?|先生|女士|小姐|教授|博士")

_SIGNS = {"¥": "CNY", "￥": "CNY", "元": "CNY", "€": "EUR", "$": "USD", "£": "GBP"}
"""Signs of currencies, with the one that they most often mean."""


def parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """Whether something can be made of a text."""

    def test(text: str) -> bool:
        try:
            return parse(text) is not None
        except (ValidationError, ValueError):
            return False

    return test


def _like(format_: str) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            found = dt.datetime.strptime(text.strip(), format_)
        except ValueError:
            return False
        return 1900 <= found.year <= 2200

    return test


def _iso_moment(text: str) -> bool:
    try:
        return _ISO_MOMENT.fullmatch(text.strip()) is not None and bool(dt.datetime.fromisoformat(text.strip()))
    except ValueError:
        return False


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text.strip()) is not None


_email, _url, _phone, _day = (parses(KINDS[name]().parse) for name in ("email", "url", "phone", "day"))

TESTS: Mapping[str, Callable[[str], bool]] = {
    "flag": lambda text: text.strip().lower() in _FLAGS,
    "whole": _matches(_WHOLE),
    "number": _matches(_NUMBER),
    "comma": _matches(_COMMA),
    "amount": lambda text: currency_of(text) is not None,
    "percent": _matches(_PERCENT),
    "day": lambda text: _ISO_DAY.fullmatch(text.strip()) is not None and _day(text),
    "moment": _iso_moment,
    "email": lambda text: "@" in text and _email(text),
    "url": lambda text: text.lower().startswith(("http://", "https://")) and _url(text),
    "phone": lambda text: _PHONE.fullmatch(text.strip()) is not None and _phone(text),
    **{f"day {format_}": _like(format_) for format_ in DAYS},
    **{f"moment {format_}": _like(format_) for format_ in MOMENTS},
}
"""What a text may be, by the name of the test."""


def currency_of(text: str) -> tuple[str, str] | None:
    """The sign or code of the currency in an amount, and its code; ``None`` where there is none, or two."""
    match = _AMOUNT.fullmatch(text.strip())
    signs = [each for each in match.group(1, 3) if each] if match is not None else []
    return (signs[0], _SIGNS.get(signs[0], signs[0])) if len(signs) == 1 else None


def _uscc(text: str) -> bool:
    number = to_half_width(text).strip().upper()
    return _USCC.fullmatch(number) is not None and registration_problem("CN", number) is None


def _currency(text: str) -> bool:
    from babel.core import get_global

    return text.strip() in get_global("all_currencies")


def _domain(text: str) -> bool:
    plain = text.strip()
    return "@" not in plain and " " not in plain and domain_of_site(plain, frozenset()) is not None


def _company(text: str) -> bool:
    return _HAN_COMPANY.search(text) is not None or name_key(text) != word_key(text)


def _person(text: str) -> bool:
    text = text.strip()
    return (_HAN_PERSON.fullmatch(text) or _LATIN_PERSON.fullmatch(text)) is not None and not _company(text)


_LOOKS: dict[str, Callable[[str], bool]] = {
    "uscc": _uscc,
    "mobile": lambda text: _MOBILE.fullmatch(to_half_width(text).strip()) is not None,
    "country": is_country,
    "currency": _currency,
    "domain": _domain,
    "company": _company,
    "person": _person,
    "salutation": lambda text: _SALUTATION.fullmatch(text.strip()) is not None,
}
"""Further tests, made where the answer matters: not of every value that is read."""


@lru_cache(maxsize=100_000)
def passes(name: str, value: str) -> bool:
    """Whether a value passes the test of this name."""
    return bool((TESTS.get(name) or _LOOKS[name])(value))

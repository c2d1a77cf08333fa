"""What the values of a column look like: by the checks of the kernel and its libraries, and in words that show none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from crm_core.domain.registration import registration_problem
from crm_core.errors import ValidationError
from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.table import TESTS, Column
from crm_core.exchange.transforms.countries import country_code
from crm_core.fields.folding import to_half_width
from crm_core.fields.matching import domain_of_site, name_key, word_key

__all__ = ["SHAPE_LABELS", "looks", "parses", "sample", "shape", "share"]

_MOST = 2_000
_USCC = re.compile(r"[0-9A-HJ-NP-RTUWXY]{2}\d{6}[0-9A-HJ-NP-RTUWXY]{10}")
_MOBILE = re.compile(r"(?:\+?86[ -]?)?1[3-9]\d{9}")
_HAN_PERSON = re.compile(r"[\u4e00-\u9fff]{2,4}(?:先生|女士|经理|总|主任)?|[\u4e00-\u9fff]{1,8}·[\u4e00-\u9fff·]{1,12}")
_HAN_COMPANY = re.compile(r"公司|集团|工厂|厂$|店$|院$|局$|大学|学校|银行|中心|协会|研究所|事务所|合作社")
_LATIN_PERSON = re.compile(r"(?:(?:Mr|Mrs|Ms|Dr|Prof)\.? )?[^\W\d_][\w'’.\-]*(?: [^\W\d_][\w'’.\-]*){1,3}")


_SALUTATION = re.compile(r"(?i)(?:mr|mrs|ms|sr|sra|miss|mx|dr|prof|herr|frau|madam|mme)\.?|先生|女士|小姐|教授|博士")


def _uscc(text: str) -> bool:
    number = to_half_width(text).strip().upper()
    return _USCC.fullmatch(number) is not None and registration_problem("CN", number) is None


@lru_cache(maxsize=4096)
def _country(text: str) -> bool:
    try:
        return bool(country_code(text))
    except ValueError:
        return False


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
    "country": _country,
    "currency": _currency,
    "domain": _domain,
    "company": _company,
    "person": _person,
    "salutation": lambda text: _SALUTATION.fullmatch(text.strip()) is not None,
}
"""Further tests, which some values may fail."""


def sample(column: Column) -> Iterator[str]:
    """Its different values, as many as are looked at."""
    for number, value in enumerate(column.values):
        if number >= _MOST:
            return
        yield value


def share(column: Column, test: Callable[[str], bool]) -> float:
    """Which share of its different values passes (0 to 1); none where it is empty."""
    values = list(sample(column))
    return sum(map(test, values)) / len(values) if values else 0.0


@lru_cache(maxsize=50_000)
def _look(name: str, value: str) -> bool:
    return (_LOOKS.get(name) or TESTS[name])(value)


def looks(column: Column, name: str) -> float:
    """Which share of its values looks like a ``uscc``, a ``person``, an ``email`` and so on."""
    if name in column.possible:
        return 1.0 if column.filled else 0.0
    return share(column, lambda value: _look(name, value))


def parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """Whether something can be made of a text."""

    def test(text: str) -> bool:
        try:
            return parse(text) is not None
        except (ValidationError, ValueError):
            return False

    return test


SHAPE_LABELS = {
    "email": "e-mail addresses", "url": "web addresses", "uscc": "unified social credit codes",
    "mobile": "mobile numbers", "flag": "yes and no", "day": "days", "moment": "moments",
    "phone": "telephone numbers",
    "whole": "whole numbers", "number": "numbers", "comma": "numbers with a decimal comma",
    "amount": "amounts of money",
    "percent": "percentages", "currency": "currency codes", "country": "countries", "text": "text",
}  # fmt: skip
"""What values may be called, the most special first."""

_ALMOST = 0.95


def shape(column: Column) -> Said:
    """How its values look, as a template with its values: never one of them, for they may be somebody's."""
    if not column.filled:
        return _("empty")
    formats = sorted(each.partition(" ")[0] for each in column.possible if each.startswith(("day ", "moment ")))
    dated = formats[0] if formats and not column.possible & {"whole", "number"} else None
    name = dated or next((name for name in SHAPE_LABELS if name != "text" and looks(column, name) >= _ALMOST), None)
    what = SHAPE_LABELS[name or "text"]
    values: dict[str, Any] = {"what": what, "distinct": len(column.values), "longest": column.longest}
    if column.empty:
        return _("{what}, {distinct} distinct, longest {longest}, {empty} empty", **values, empty=column.empty)
    return _("{what}, {distinct} distinct, longest {longest}", **values)

"""Which columns of a table are about people, by what they are called and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from crm_core.exchange.drafting.headers import plain
from crm_core.exchange.drafting.table import Column
from crm_core.exchange.drafting.targets import synonyms

__all__ = ["PHONE", "about_a_person"]

PHONE = re.compile(r"(?i)phone|tel|fax|mobile|cell|电话|手机|传真")
_MAIL = re.compile(r"(?i)e-?mail|邮箱|邮件")
_PERSON = ("name", "family_name", "given_name", "birthday")
"""Fields of a contact that say who somebody is; what there is besides may as well be about a thing."""
_REACH = ("email", "phone", "mobile", "fax", "wechat")


def about_a_person(column: Column) -> str | None:
    """What a column says of a person, or probably does: a field of a contact, or a way to reach somebody.

    An address for mail or a telephone number may be a company's; only who knows the table can say so.
    """
    known = _words().get(plain(column.header))
    if known is not None:
        return known
    if column.filled and "email" in column.possible:
        return "email"
    if _MAIL.search(column.header) and "flag" not in column.possible:
        return "email"
    if PHONE.search(column.header) and ("phone" in column.possible or not column.filled):
        return "phone"
    return None


@cache
def _words() -> Mapping[str, str]:
    return dict(_pairs())


def _pairs() -> Iterator[tuple[str, str]]:
    for record, names in (("contact", _PERSON), ("contact_point", _REACH)):
        for name in names:
            if name != "name":  # by itself that is the name of anything
                yield plain(name), name
            # A word with a question mark is used for other things, too.
            yield from ((plain(word), name) for word in synonyms()[record][name] if not word.endswith("?"))

"""From the name of a country to its ISO 3166 code."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from crm_core.exchange.transforms.refusal import Refusal

__all__ = ["country_code", "is_country"]

# What data files say and no catalogue of names does.
_USUAL = {
    "usa": "US", "u.s.a.": "US", "us": "US", "u.s.": "US", "united states of america": "US", "america": "US",
    "uk": "GB", "u.k.": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "p.r. china": "CN", "pr china": "CN", "people's republic of china": "CN", "mainland china": "CN",
    "中华人民共和国": "CN",
    "korea": "KR", "republic of korea": "KR", "south korea": "KR", "russian federation": "RU", "holland": "NL",
    "the netherlands": "NL", "viet nam": "VN", "uae": "AE", "czech republic": "CZ", "hong kong": "HK", "macau": "MO",
    "香港": "HK", "澳门": "MO",
}  # fmt: skip


def country_code(value: Any, *, locale: str = "en") -> str:
    """The two letters of a country. Names are read in English, Chinese and the language ``locale``; codes stay."""
    text = str(value).strip()
    names = _names(locale)
    found = names.get(text.casefold())
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(text.casefold(), names, 1, cutoff=0.8)
        if near:
            raise Refusal(
                "{value!r} is no country that we know; the nearest name is {near!r}.", value=text, near=near[0]
            )
        raise Refusal("{value!r} is no country that we know.", value=text)
    return found


def is_country(text: str) -> bool:
    """Whether a text has a code, in English or Chinese; without the search for what it is near to, which takes long."""
    return text.strip().casefold() in _names("en")


@functools.cache
def _names(locale: str) -> Mapping[str, str]:
    from babel import Locale, UnknownLocaleError

    names: dict[str, str] = {}
    for each in dict.fromkeys((locale, "en", "zh")):
        try:
            territories = Locale.parse(each).territories
        except (UnknownLocaleError, ValueError):
            raise Refusal("There is no language {locale!r}.", locale=locale) from None
        for code, name in territories.items():
            # Numbers are continents, and a few codes are no countries.
            if len(code) == 2 and code not in ("EU", "EZ", "UN", "XA", "XB", "ZZ"):
                names.setdefault(name.casefold(), code)
                names.setdefault(code.casefold(), code)
    return {**names, **_USUAL}

"""Folding and sort keys for names in any script.

Databases disagree on case and on Chinese order, so the kernel computes both once, in Python, and stores the result.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable

__all__ = ["FOLD_MARK", "HAN", "fold", "readings", "sort_key", "to_half_width"]

# Separates the sortable part of a key from the folded text that case-insensitive operators look in.
FOLD_MARK = "\x1f"

HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]+")
"""A run of Chinese characters."""


def fold(text: str) -> str:
    """Full-width, compatibility and case differences removed (NFKC, then casefold)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def to_half_width(text: str) -> str:
    """Full-width digits, letters and signs as their plain forms: １３８ is 138."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def sort_key(text: str, *, surname: bool = False) -> str:
    """What a name sorts and is folded by: ``<pinyin and Latin letters>\\x1f<folded text>``.

    With ``surname`` the first characters are read as a Chinese surname (单 is *shan*, not *dan*).
    """
    folded = fold(text)
    if folded.isascii():
        return f"{folded}{FOLD_MARK}{folded}"
    return f"{_spelled(folded, surname)}{FOLD_MARK}{folded}"


@functools.lru_cache(maxsize=4096)
def _spelled(folded: str, surname: bool) -> str:
    return HAN.sub(lambda match: " ".join(readings(match.group(), surname and match.start() == 0)) + " ", folded)


def readings(han: str, surname: bool) -> list[str]:
    """The pinyin of a run of Chinese characters, a syllable each, without tones (ü is *v*).

    With ``surname`` it is a person's name, whose first characters may have a reading of their own.
    """
    if surname:
        for length in (2, 1):
            reading = _surnames().get(han[:length])
            if reading is not None and len(han) > length:
                return [*reading, *_said(han[length:])]
    return _said(han)


def _said(han: str) -> list[str]:
    """The pinyin of each word of a run, one after the other: names are made of the same few words again and again."""
    return [syllable for word in _words()(han) for syllable in _word(word)]


@functools.cache
def _words() -> Callable[[str], list[str]]:
    """What divides a run into words."""
    # pypinyin loads tables of several megabytes: only names in Chinese pay for it.
    from pypinyin.core import Pinyin

    divide: Callable[[str], list[str]] = Pinyin().seg
    return divide


@functools.lru_cache(maxsize=16384)
def _word(word: str) -> tuple[str, ...]:
    """The pinyin of one word, for which pypinyin takes as long as for all else that is done with a name."""
    from pypinyin import lazy_pinyin

    return tuple(lazy_pinyin(word))


# Surnames whose reading differs from the commonest reading of the character.
_READINGS = {
    "单": "shan", "單": "shan", "曾": "zeng", "仇": "qiu", "解": "xie", "查": "zha", "区": "ou", "區": "ou",
    "任": "ren", "盖": "ge", "蓋": "ge", "华": "hua", "華": "hua", "朴": "piao", "繁": "po", "尉迟": "yu chi",
    "长孙": "zhang sun", "万俟": "mo qi", "洗": "xian", "冼": "xian", "覃": "qin", "乐": "yue", "樂": "yue",
    "员": "yun", "員": "yun", "黑": "he", "秘": "bi", "折": "she", "种": "chong", "召": "shao", "晟": "cheng",
    "宓": "mi", "逄": "pang", "翟": "zhai", "缪": "miao", "繆": "miao", "柏": "bai", "阚": "kan", "祭": "zhai",
    "车": "che", "盛": "sheng", "谌": "chen", "諶": "chen", "尉": "yu", "令狐": "ling hu", "澹台": "tan tai",
    "句": "gou", "贾": "jia", "賈": "jia", "佴": "nai", "隗": "wei", "郇": "xun", "郗": "xi", "郄": "qie",
}  # fmt: skip


@functools.cache
def _surnames() -> dict[str, list[str]]:
    return {name: reading.split() for name, reading in _READINGS.items()}

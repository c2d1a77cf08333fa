"""What the index keeps of a text: a body to look in, and tokens by which candidates are found.

A body has four parts. *Text* is folded, each word after a space, each field after a line's end, the title between
marks. *Syllables* are the pinyin of Chinese runs in capitals, *initials* their first letters, *digits* the bare digits
of telephone numbers, each between marks. As folded text holds neither capitals nor control characters, a pattern that
is looked for in the whole body is found in the part that it is meant for, and nowhere else.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import attrs

from crm_core.fields.folding import HAN, readings
from crm_core.fields.matching import simplified

__all__ = [
    "CHARACTERS", "FORMAT", "INITIAL", "MARKS", "NUMBER", "PART", "SYLLABLE", "Form", "Marks", "body_of", "digits_of",
    "fold_text", "grams", "tokens_of",
]  # fmt: skip

FORMAT = 2
"""The form of bodies and tokens; an index of another form must be built anew."""

CHARACTERS = 20_000
"""So many characters of a field are indexed; of longer ones the rest is not found."""

PART, SYLLABLE, INITIAL, NUMBER = "\x1f", "\x1d", "\x1c", "\x11"
_DIGITS = 5
_DIGIT = re.compile(r"\d")
_NO_DIGITS = {code: None for code in range(128) if not chr(code).isdigit()}


@attrs.frozen
class Marks:
    """What stands before a title, after it, and before every other word or run, in one script."""

    title: str
    end: str
    word: str


MARKS = {
    "text": Marks("\x02 ", " \x03", " "),
    "pinyin": Marks("\x04", "\x1d\x04", "\x1e"),
    "initials": Marks("\x1b", "\x1b", "\x1a"),
}


class Form(NamedTuple):
    """How a field's value goes into the index.

    ``title``: people know the record by it; ``sound``: it can be found by pinyin; ``surname``: it is a person's name;
    ``phone``: it is a telephone number, however short.
    """

    title: bool = False
    sound: bool = True
    surname: bool = False
    phone: bool = False


class _Plain(dict[int, int | str | None]):
    """For :meth:`str.translate`: without diacritics and invisible characters, in simplified characters; controls and
    spaces become a space.
    """

    def __missing__(self, code: int) -> int | str | None:
        char = chr(code)
        category = unicodedata.category(char)
        plain: int | str | None = code
        if category in ("Cc", "Zs", "Zl", "Zp"):
            plain = " "
        elif category == "Cf" or "\u0300" <= char <= "\u036f":
            plain = None
        else:
            parts = unicodedata.normalize("NFD", char)
            if len(parts) > 1 and all("\u0300" <= mark <= "\u036f" for mark in parts[1:]):
                plain = parts[0]
            elif category == "Lo":
                plain = simplified(char)
        self[code] = plain
        return plain


_PLAIN = _Plain()


def fold_text(text: str) -> str:
    """Full-width, compatibility and case differences, the accents of letters, and traditional characters removed.

    One space stands between words.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_PLAIN)
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def digits_of(text: str) -> str:
    """The digits alone, in their plain forms."""
    if text.isascii():
        return text.translate(_NO_DIGITS)
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


def body_of(texts: Iterable[tuple[str, Form]]) -> str:
    """The body of a document, from the values of its fields."""
    parts: list[str] = []
    syllables = initials = numbers = ""
    for value, form in texts:
        folded = fold_text(value if len(value) <= CHARACTERS else value[:CHARACTERS])
        if not folded:
            continue
        parts.append(f"\x02 {folded} \x03" if form.title else f"\n {folded}")
        if form.sound and not folded.isascii():
            for said, short in _spoken(folded, form.surname, form.title):
                syllables += said
                initials += short
        if _DIGIT.search(folded):
            digits = digits_of(folded)
            if form.phone or len(digits) >= _DIGITS:
                numbers += f"{NUMBER}{digits}{NUMBER}"
    return f"{' '.join(parts)}{PART}{syllables}{PART}{initials}{PART}{numbers}"


@functools.lru_cache(maxsize=8192)
def _spoken(folded: str, surname: bool, title: bool) -> tuple[tuple[str, str], ...]:
    """The syllables and initials of each Chinese run, with their marks."""
    found = []
    for match in HAN.finditer(folded):
        run = match.group()
        spoken = [each for each in readings(run, surname and match.start() == 0) if each.isascii() and each.isalpha()]
        if spoken:
            heads = title and match.start() == 0
            whole = heads and match.end() == len(folded)
            found.append((_said(spoken, heads, whole), "".join(_shortened(spoken, heads, whole))))
    return tuple(found)


def _said(spoken: Sequence[str], heads: bool, whole: bool) -> str:
    said = "".join(f"{SYLLABLE}{each.upper()}" for each in spoken)
    marks = MARKS["pinyin"]
    return f"{marks.title if heads else marks.word}{said}{marks.end if whole else SYLLABLE}"


def _shortened(spoken: Sequence[str], heads: bool, whole: bool) -> Iterator[str]:
    """The initials; *er* is shortened to E by the rule and to R by people, as in the HR of 海尔."""
    if len(spoken) < 2:
        return
    marks = MARKS["initials"]
    usual = "".join(each[0] for each in spoken)
    for letters in dict.fromkeys((usual, "".join("r" if each == "er" else each[0] for each in spoken))):
        short = "".join(f"{INITIAL}{letter.upper()}" for letter in letters)
        yield f"{marks.title if heads else marks.word}{short}{marks.end if whole else ''}"


_TO_WORDS = str.maketrans({INITIAL: None, "\x1a": " ", "\x1b": " "})


def grams(word: str) -> Iterable[str]:
    """The runs of three characters in a word, and its last two."""
    size = len(word) - 1
    if size < _REMEMBERED:
        return _short_grams(word)
    if size < len(_RUNS):
        # Half the time of slicing in a loop, for what is most of the work of indexing.
        return map(word.__getitem__, _RUNS[size])
    return (word[start : start + 3] for start in range(size))


_RUNS = tuple(tuple(slice(start, start + 3) for start in range(size)) for size in range(64))
_REMEMBERED = 10


@functools.lru_cache(maxsize=8192)
def _short_grams(word: str) -> tuple[str, ...]:
    """The same few words are in very many names."""
    return tuple(map(word.__getitem__, _RUNS[len(word) - 1]))


def tokens_of(body: str) -> list[str]:
    """The tokens of a body: grams of words and digits, ``~`` before syllables, ``^`` before grams of initials.

    Some come more than once.
    """
    text, syllables, initials, digits = body.split(PART)
    words = text.split()
    found: list[str] = []
    for word in words:
        # Most are short: not to call another function for each is a tenth of the time.
        found += _short_grams(word) if len(word) <= _REMEMBERED else grams(word)
    if not text.isascii():
        # A single Chinese character is a word, so that it can be asked for; grams begin with every other one.
        found += [word[-1] for word in words if word[-1] >= "\u2e80"]
    if syllables:
        found += [f"~{each.lower()}" for each in syllables.split(SYLLABLE) if each.isalpha()]
        for word in initials.translate(_TO_WORDS).lower().split():
            found += [f"^{each}" for each in grams(word)]
    for word in digits.split(NUMBER):
        if word:
            found += grams(word)
    return found

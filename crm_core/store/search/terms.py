"""What somebody looks for, as terms, each with the ways in which a document may hold it."""

from __future__ import annotations

import re

import attrs

from crm_core.errors import ValidationError
from crm_core.store.search.syllables import divided
from crm_core.store.search.texts import INITIAL, MARKS, NUMBER, SYLLABLE, digits_of, fold_text, grams

__all__ = ["MOST", "Term", "Token", "Way", "terms_of"]

MOST = 8
"""So many terms may be asked for at once."""

_PHONE = re.compile(r"[0-9+()./#*-]*[0-9][0-9+()./#*-]*")
_LETTERS = re.compile(r"[a-z]{2,12}")
_INITIALS = 8
_LONG_NUMBER = 5
_TOKENS = 40  # of a longer word the rest is decided at the document


@attrs.frozen
class Token:
    """A token that must be in the index; as ``prefix`` one that begins so."""

    text: str
    prefix: bool = False


@attrs.frozen
class Way:
    """One way to hold a term: all ``patterns`` in the body, all ``tokens`` in the index.

    ``script`` is ``text``, ``number`` (its digits), ``pinyin``, ``initials`` or ``pieces`` (the parts of a number, in
    any places). Without tokens the index cannot help.
    """

    script: str
    patterns: tuple[str, ...]
    tokens: tuple[Token, ...]

    @property
    def forms(self) -> dict[str, str]:
        """What the body holds where the term is a whole title (or number), its beginning, or that of a word.

        A number that ends so is nearly whole: what stands before is the code of the country or a zero.
        """
        if len(self.patterns) > 1:
            return {}
        (pattern,) = self.patterns
        if self.script == "number":
            return {
                "whole": f"{NUMBER}{pattern}{NUMBER}", "start": f"{pattern}{NUMBER}", "word": f"{NUMBER}{pattern}",
            }  # fmt: skip
        marks = MARKS["text" if self.script == "pieces" else self.script]
        return {
            "whole": f"{marks.title}{pattern}{marks.end}",
            "start": f"{marks.title}{pattern}",
            "word": f"{marks.word}{pattern}",
        }


@attrs.frozen
class Term:
    """A word of the query, folded, with the ways to hold it, the best first; ``place`` is its place in the query."""

    text: str
    ways: tuple[Way, ...]
    place: int = 0

    @property
    def indexed(self) -> bool:
        """Whether the index can find all documents that hold it."""
        return all(way.tokens for way in self.ways)


def terms_of(query: str) -> tuple[Term, ...]:
    """The terms of a query; raises :class:`ValidationError` for one that says too little, or too much."""
    words = fold_text(query).split()
    terms = tuple(attrs.evolve(term, place=place) for place, term in enumerate(dict.fromkeys(_merged(words))))
    if not any(term.indexed for term in terms):
        raise ValidationError(
            "{query!r} says too little to search for.",
            mend="Give a word of at least two characters, or one Chinese character.",
            query=query,
        )
    if len(terms) > MOST:
        raise ValidationError(
            "{count} words are too many to search for.", mend="Give at most {most}.", count=len(terms), most=MOST
        )
    return terms


def _merged(words: list[str]) -> list[Term]:
    """Terms; the parts of a telephone number that is written with spaces are one."""
    terms: list[Term] = []
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and _PHONE.fullmatch(words[end]):
            end += 1
        parts = words[start:end]
        if len(parts) > 1 and sum(map(len, map(digits_of, parts))) >= _LONG_NUMBER:
            terms.append(Term(" ".join(parts), (*_numbers("".join(parts)), _all_of(parts))))
            start = end
        else:
            terms.append(_term(words[start]))
            start += 1
    return terms


def _all_of(parts: list[str]) -> Way:
    patterns = tuple(dict.fromkeys(parts))
    return Way("pieces", patterns, tuple(token for part in patterns for token in _tokens(part)))


def _term(word: str) -> Term:
    ways = [Way("text", (word,), _tokens(word))]
    if _PHONE.fullmatch(word):
        ways += _numbers(word)
    letters = word.replace("lue", "lve").replace("nue", "nve")
    for way in divided(letters) if len(letters) > 1 else ():
        said = "".join(f"{SYLLABLE}{each.upper()}" for each in way)
        whole = tuple(Token(f"~{each}") for each in way[:-1])
        ways.append(Way("pinyin", (said,), (*whole, Token(f"~{way[-1]}", prefix=True))))
    if _LETTERS.fullmatch(word) and len(word) <= _INITIALS:
        short = "".join(f"{INITIAL}{letter.upper()}" for letter in word)
        ways.append(Way("initials", (short,), tuple(Token(f"^{each.text}", each.prefix) for each in _tokens(word))))
    return Term(word, tuple(ways))


def _tokens(word: str) -> tuple[Token, ...]:
    """What the index must hold where a word is part of another."""
    if len(word) > 2:
        return tuple(dict.fromkeys(Token(each) for each in grams(word) if len(each) == 3))[:_TOKENS]
    if len(word) == 2 or word >= "\u2e80":
        return (Token(word, prefix=True),)
    return ()


def _numbers(word: str) -> list[Way]:
    """A telephone number by its digits: as written, without the code of the country, without the leading zero."""
    digits = digits_of(word)
    forms = [digits]
    if len(digits) >= _LONG_NUMBER:
        forms += [_national(word, digits), digits.lstrip("0")]
    return [
        Way("number", (form,), _tokens(form))
        for form in dict.fromkeys(forms)
        if len(form) >= 2 and (form != word or len(form) >= _LONG_NUMBER)
    ]  # fmt: skip


def _national(word: str, digits: str) -> str:
    """The digits without the code of the country, if the number has one; otherwise all of them."""
    international = word.startswith("+") or digits.startswith("00")
    if not international and len(digits) < 11:
        return digits
    import phonenumbers

    try:
        number = phonenumbers.parse("+" + digits.removeprefix("00"), None)
    except phonenumbers.NumberParseException:
        return digits
    if not international and not phonenumbers.is_valid_number(number):
        return digits
    return str(number.national_number)

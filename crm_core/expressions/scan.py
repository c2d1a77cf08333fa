"""The characters of an expression: what may stand in it at all, and in which order.

Everything that can be said without knowing the fields is said here, with the exact character, before Python's parser
sees the text. So the parser meets only short, flat text of our own alphabet, and its own messages are never needed
for the common mistakes.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import Any

import attrs

from crm_core.errors import ExpressionError

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Token", "scan"]

MAX_LENGTH = 10_000
"""Characters of a source."""
MAX_DEPTH = 25
"""Levels of nesting; SQLite's own parser gives up not far above."""
MAX_STEPS = 8
"""Dots in one name."""
MAX_SUM = 40
"""Arithmetic signs in one expression; each nests the tree by one level."""
MAX_DIGITS = 30

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f]+|\#[^\n]*)
    |(?P<number>[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
    |(?P<sign>==|!=|<=|>=|<>|&&|\|\||\*\*|//|:=|.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:[\\'\"nrt]|u[0-9A-Fa-f]{4}|U000[0-9A-Fa-f]{5}|U0010[0-9A-Fa-f]{4})|\\(?P<bad>.)")
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_BINARY = frozenset({*_COMPARISONS, "+", "-", "*", ",", "."})
_WORDS = frozenset({"and", "or", "not", "in", "is", "None", "True", "False"})
_CLOSING = {"(": ")", "[": "]"}
_INSTEAD = {
    "=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "~": "not", "<>": "!=", ";": "and",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "「": '"', "」": '"', "、": ",", "。": ".", "【": "(",
    "】": ")", "《": "<", "》": ">", "≤": "<=", "≥": ">=", "≠": "!=", "\u3000": " ", "\u00a0": " ", "–": "-",
    "—": "-", "−": "-", "×": "*", "＝": "==", "＆": "and", "｜": "or", "！": "not", "［": "[", "］": "]",
}  # fmt: skip


@attrs.frozen
class Token:
    """A word, number, text or sign, and where it stands."""

    kind: str
    text: str
    start: int

    @property
    def ends_operand(self) -> bool:
        if self.kind == "name":
            return self.text not in ("and", "or", "not", "in", "is")
        return self.kind in ("number", "string") or self.text in (")", "]")


def scan(source: str) -> list[Token]:
    """The tokens of ``source``; :class:`ExpressionError` at the first character that cannot stand there."""
    if len(source) > MAX_LENGTH:
        _fail(source[:80], 0, "The expression has {length} characters; at most {limit} are read.",
              "Split it into several filters.", length=len(source), limit=MAX_LENGTH)  # fmt: skip
    tokens = []
    for match in _TOKEN.finditer(source):
        kind = str(match.lastgroup)
        if kind != "space":
            token = Token(kind, match.group(), match.start())
            _CHECKS[kind](source, token)
            tokens.append(token)
    if not tokens:
        _fail(source, 0, "The expression is empty.", 'Write a condition such as grade == "A".')
    _check_nesting(source, tokens)
    _check_order(source, tokens)
    return tokens


def _fail(source: str, position: int, problem: str, mend: str, **values: Any) -> None:
    raise ExpressionError(problem, mend=mend, source=source, position=position, **values)


def _check_number(source: str, token: Token) -> None:
    end = token.start + len(token.text)
    after = source[end : end + 1]
    whole = token.text.partition(".")[0]
    if after in (".", "_") or after.isalnum():
        _fail(source, token.start, "This is no number.", "Write digits with a plain decimal point, such as 1234.5.")
    if len(whole) > 1 and whole.startswith("0"):
        _fail(source, token.start, "A number does not begin with a zero.", "Leave out the zeros, or write a text in "
              "quotation marks.")  # fmt: skip
    if len(token.text) > MAX_DIGITS:
        _fail(source, token.start, "The number has too many digits.", "At most {limit} are read.", limit=MAX_DIGITS)


def _check_name(source: str, token: Token) -> None:
    end = token.start + len(token.text)
    if source[end : end + 1] in ("'", '"'):
        _fail(source, token.start, "Nothing may stand directly before a quotation mark.",
              "Remove {word}: there is one kind of text.", word=token.text)  # fmt: skip
    if token.text in _WORDS:
        return
    plain = unicodedata.normalize("NFKC", token.text)
    if plain != token.text:  # Python would read it so, in silence
        _fail(source, token.start, "{word} is not understood.", "Type {instead} instead.", word=token.text,
              instead=plain)  # fmt: skip
    if keyword.iskeyword(token.text):
        _fail(source, token.start, "{word!r} is no word of the filter language.",
              "Conditions are joined by and, or, not; see the reference of expressions.", word=token.text)  # fmt: skip
    if token.text.startswith("_") or "__" in token.text:
        _fail(source, token.start, "{word!r} is no name of a field.", "Names have no leading or double underscore.",
              word=token.text)  # fmt: skip


def _check_string(source: str, token: Token) -> None:
    for match in _ESCAPE.finditer(token.text):
        if match.group("bad"):
            _fail(source, token.start + match.start(), "{escape} means nothing in a text.",
                  "Write a backslash as two: \\\\.", escape=match.group())  # fmt: skip
        if match.group()[1] in "uU":
            code = int(match.group()[2:], 16)
            if code == 0 or 0xD800 <= code <= 0xDFFF:
                _fail(source, token.start + match.start(), "{escape} is no character that can be stored.",
                      "Leave it out.", escape=match.group())  # fmt: skip
    for index, char in enumerate(token.text):
        if char == "\x00" or "\ud800" <= char <= "\udfff":
            _fail(source, token.start + index, "This character cannot be stored.", "Leave it out.")


def _check_sign(source: str, token: Token) -> None:
    sign = token.text
    if sign in _COMPARISONS or sign in "+-*()[],.":
        return
    if sign in ('"', "'"):
        _fail(source, token.start, "The text that begins here has no end.", "Close it with {quote} on the same line.",
              quote=sign)  # fmt: skip
    if sign in ("/", "//", "%", "**"):
        _fail(source, token.start, "There is no {sign!r} in filters.",
              "Multiply by a fixed number instead, such as 0.5.", sign=sign)  # fmt: skip
    instead = _INSTEAD.get(sign)
    if instead is None and "\uff01" <= sign <= "\uff5e":
        instead = chr(ord(sign) - 0xFEE0)
    if instead is None:
        shown = sign if sign.isprintable() and not "\ud800" <= sign <= "\udfff" else f"U+{ord(sign[0]):04X}"
        _fail(source, token.start, "{sign} has no meaning here.", "Remove it.", sign=shown)
    _fail(source, token.start, "{sign} is not understood.", "Type {instead} instead.", sign=sign,
          instead=instead if instead != " " else "a plain space")  # fmt: skip


_CHECKS = {"number": _check_number, "name": _check_name, "string": _check_string, "sign": _check_sign}


def _check_nesting(source: str, tokens: list[Token]) -> None:
    """Brackets must pair, and neither they nor prefixes, steps or sums may nest deeply."""
    open_brackets: list[Token] = []
    prefixes = steps = sums = 0
    for token in tokens:
        sign = token.text if token.kind == "sign" else ""
        if sign in _CLOSING:
            open_brackets.append(token)
        elif sign in (")", "]"):
            if not open_brackets or _CLOSING[open_brackets[-1].text] != sign:
                _fail(source, token.start, "There is no opening bracket for this {sign!r}.",
                      "Remove it, or open one before.", sign=sign)  # fmt: skip
            open_brackets.pop()
        steps = steps + 1 if sign == "." else steps if token.kind == "name" else 0
        prefixes = prefixes + 1 if token.text in ("not", "-", "+") and token.kind != "string" else 0
        sums += sign in ("+", "-", "*")
        if len(open_brackets) > MAX_DEPTH or prefixes > MAX_DEPTH or steps > MAX_STEPS or sums > MAX_SUM:
            _fail(source, token.start, "The expression is nested too deeply, or calculates too much, here.",
                  "Simplify it, or split it into several filters.")  # fmt: skip
    if open_brackets:
        _fail(source, open_brackets[-1].start, "The bracket that opens here is never closed.", "Close it with {sign}.",
              sign=_CLOSING[open_brackets[-1].text])  # fmt: skip


def _check_order(source: str, tokens: list[Token]) -> None:
    """Values and operators must take turns."""
    before = Token("start", "", 0)
    for token, after in zip(tokens, [*tokens[1:], before], strict=True):
        if before.ends_operand:
            _check_after_value(source, before, token, after)
        elif not _may_begin(before, token):
            _fail(source, token.start, "A value is missing before {word}.", "Write a field or a value there.",
                  word=token.text)  # fmt: skip
        before = token
    if not before.ends_operand:
        _fail(source, before.start + len(before.text), "The expression ends too early.",
              "Write the value that belongs after {word}.", word=before.text)  # fmt: skip


def _check_after_value(source: str, before: Token, token: Token, after: Token) -> None:
    if token.kind == "sign":
        joins = token.text in _BINARY or token.text in (")", "]") or token.text == "("
        if token.text == "(" and not (before.kind == "name" and before.text not in _WORDS):
            joins = before.text == ")"  # calling a value: refused later, with its own words
    else:
        joins = token.kind == "name" and (
            token.text in ("and", "or", "in", "is") or (token.text == "not" and after.text == "in")
        )
    if joins:
        return
    mend = "Join them, for example with and, == or a comma."
    if token.text != token.text.lower() and token.text.lower() in ("and", "or", "in", "is", "not"):
        mend = f"Write {token.text.lower()} in small letters."
    elif token.text.lower() in ("like", "contains"):
        mend = 'Write it as a function: contains(name, "text").'
    _fail(source, token.start, "Something is missing between {before} and {word}.", mend,
          before=before.text, word=token.text)  # fmt: skip


def _may_begin(before: Token, token: Token) -> bool:
    """Whether ``token`` may stand where a value is expected."""
    if token.kind in ("number", "string"):
        return True
    if token.kind == "name":
        if token.text == "in":
            return before.text == "not"
        return token.text not in ("and", "or", "is")
    if token.text in (")", "]"):  # (), and the comma after the last element
        return before.kind == "sign" and before.text in ("(", "[", ",")
    return token.text in ("(", "[", "-", "+")

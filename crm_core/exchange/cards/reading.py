"""A card as properties with texts: parameters, encodings and escapes of all three versions are taken off here."""

from __future__ import annotations

import binascii
import quopri
import re

import attrs

from crm_core.errors import Problem, ValidationError
from crm_core.exchange.content_lines import Component, Line, unfolded

__all__ = ["MEDIA", "Card", "Property", "listed", "pieces", "plain", "read_card"]

# A semicolon begins a parameter and is part of none: with two ways to read it, a line of thirty would take for ever.
_HEAD = re.compile(rb'(?:([\w+-]+)\.)?([A-Za-z][\w-]*)\s*((?:;(?:"[^"]*"|[^":;])*)*):')
_PARAMETER = re.compile(r'(?:[^;"]|"[^"]*")+')
_ENCODINGS = {"QUOTED-PRINTABLE": "Q", "Q": "Q", "BASE64": "B", "B": "B", "8BIT": "", "7BIT": ""}
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
"""What no line may hold and nobody can see; our own cards are without it, too."""
MEDIA = frozenset({"PHOTO", "LOGO", "SOUND", "KEY", "X-MS-CARDPICTURE"})
"""What is no text."""

_OTHER_ENCODING = (
    "Save the whole file in one encoding (UTF-8 or GBK), or let the line say its own, such as CHARSET=GBK; "
    "if the line breaks off inside of a character, complete it."
)


class _WrongEncoding(ValueError):
    """A text that no encoding reads that may be meant."""


@attrs.frozen
class Property:
    """One line of a card: ``types`` and ``preferred`` as its parameters say, ``value`` as text with its escapes."""

    number: int
    name: str
    value: str
    group: str = ""
    types: frozenset[str] = frozenset()
    preferred: bool = False
    parameters: dict[str, str] = attrs.field(factory=dict)
    old: bool = False
    """Whether it is of version 2.1, where only semicolons are escaped."""


@attrs.frozen
class Card:
    """A card; ``number`` is the line of the file that it begins in."""

    number: int
    version: str
    properties: tuple[Property, ...]


def read_card(component: Component, encoding: str) -> Card:
    """The card; raises :class:`ValidationError` with every line that cannot be read."""
    lines = list(unfolded(component.lines))
    version = next((_value(line) for line in lines if line.data.upper().startswith(b"VERSION:")), "")
    old = version.startswith("2")
    found: list[Property] = []
    problems: list[Problem] = []
    depth = 0
    for line in lines:
        word, _, what = line.data.strip().partition(b":")
        if word.upper() == b"BEGIN":
            depth += 1
            if depth == 1:
                found.append(Property(line.number, "AGENT", what.decode("ascii", "replace")))
        elif word.upper() == b"END":
            depth -= 1
        elif not depth:
            try:
                found.append(_property(line, encoding, old))
            except ValueError as error:
                mend = _OTHER_ENCODING if isinstance(error, _WrongEncoding) else ""
                problems.append(Problem("", "Line {line}: {reason}", mend, {"line": line.number, "reason": str(error)}))
    if problems:
        raise ValidationError("The card cannot be read.", problems)
    return Card(component.number, version, tuple(each for each in found if each.name != "VERSION"))


def _value(line: Line) -> str:
    return line.data.partition(b":")[2].strip().decode("ascii", "replace")


def _property(line: Line, encoding: str, old: bool) -> Property:
    head = _HEAD.match(line.data)
    if head is None:
        raise ValueError("it is no property: a name, a colon and a value are expected.")
    parameters, types, coding, charset = _parameters(head[3].decode("utf-8", "replace"))
    name = head[2].decode().upper()
    data = line.data[head.end() :]
    value = "base64" if coding == "B" and name in MEDIA else _text(data, coding, charset, encoding)
    preferred = "pref" in types or parameters.get("PREF") == "1"
    group = (head[1] or b"").decode().lower()
    return Property(line.number, name, value, group, frozenset(types - {"pref"}), preferred, parameters, old)


def _parameters(text: str) -> tuple[dict[str, str], set[str], str, str]:
    parameters: dict[str, str] = {}
    types: set[str] = set()
    coding = charset = ""
    for each in _PARAMETER.findall(text):
        name, equals, value = each.partition("=")
        name, value = name.strip().upper(), value.strip()
        if not equals:
            # Version 2.1 leaves the names of parameters out.
            if name in _ENCODINGS:
                coding = _ENCODINGS[name]
            else:
                types.add(name.lower())
        elif name == "TYPE":
            types |= {one.strip().lower() for one in value.replace('"', "").split(",") if one.strip()}
        elif name == "ENCODING":
            coding = _ENCODINGS.get(value.strip('"').upper(), value)
        elif name == "CHARSET":
            charset = value.strip('"')
        else:
            parameters[name] = _uncircumflexed(value.strip('"'))
    return parameters, types, coding, charset


def _uncircumflexed(value: str) -> str:
    """A parameter's text as RFC 6868 writes it."""
    return re.sub(r"\^([n'^])", lambda match: {"n": "\n", "'": '"', "^": "^"}[match[1]], value)


def _text(data: bytes, coding: str, charset: str, encoding: str) -> str:
    if coding == "Q":
        data = quopri.decodestring(data)
    elif coding == "B":
        try:
            data = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
        except binascii.Error as error:
            raise ValueError(f"it is no base64: {error}.") from None
    elif coding:
        raise ValueError(f"nobody knows the encoding {coding!r}.")
    if charset:
        # GB 2312 and GBK are what everybody calls the larger set.
        tried = ["gb18030" if charset.lower().startswith("gb") else charset]
    else:
        tried = ["utf-8", encoding, *(["gb18030"] if coding == "Q" else [])]
    for name in tried:
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
        except LookupError:
            raise ValueError(f"nobody knows the character set {charset!r}.") from None
    raise _WrongEncoding(f"it is not written in {charset or encoding}.")


def plain(each: Property, value: str | None = None) -> str:
    """A text without escapes, its lines separated by line feeds."""
    text = each.value if value is None else value
    pattern = r"\\([;:,\\])" if each.old else r"\\(.)"
    text = re.sub(pattern, lambda match: "\n" if match[1] in "nN" else match[1], text, flags=re.DOTALL)
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def pieces(each: Property) -> list[str]:
    """The parts of a structured value, each without escapes."""
    return [plain(each, piece) for piece in _cut(each.value, ";")]


def listed(each: Property) -> list[list[str]]:
    """The parts of a structured value, each of which may be a list."""
    return [[plain(each, one) for one in _cut(piece, ",")] for piece in _cut(each.value, ";")]


def _cut(value: str, separator: str) -> list[str]:
    found, begin = [], 0
    for token in re.finditer(rf"\\.|{separator}", value, re.DOTALL):
        if token[0] == separator:
            found.append(value[begin : token.start()])
            begin = token.end()
    return [*found, value[begin:]]

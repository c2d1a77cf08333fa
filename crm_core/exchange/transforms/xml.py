"""A value inside a column of XML. Document types and entities are refused: they are how XML attacks its readers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from crm_core.exchange.transforms.refusal import Refusal

__all__ = ["texts", "xml"]


def xml(value: Any, *, path: str) -> str | None:
    """The text at ``path`` below the root element, such as ``NumberEmployees``, ``Address/City`` or ``Address/@kind``.

    Namespaces do not matter. Of several elements at one path the first counts; where there is none, nothing is found.
    """
    return texts(str(value)).get(path.strip("/"))


# Usually several fields in a row read the same cell.
@functools.lru_cache(maxsize=8)
def texts(source: str) -> Mapping[str, str | None]:
    """The texts of an XML document by path."""
    found: dict[str, str | None] = {}
    names: list[str] = []
    pieces: list[list[str]] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: Any) -> None:
        raise Refusal("The XML has a document type or entities, which are not read.")

    def start(name: str, attributes: dict[str, str]) -> None:
        names.append(name.rpartition(" ")[2])
        pieces.append([])
        for attribute, text in attributes.items():
            found.setdefault("/".join([*names[1:], "@" + attribute.rpartition(" ")[2]]), text)

    def end(_: str) -> None:
        text = "".join(pieces.pop()).strip()
        found.setdefault("/".join(names[1:]), text or None)
        names.pop()

    def data(text: str) -> None:
        pieces[-1].append(text)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise Refusal("This is no XML: {error}.", error=error) from None
    return found

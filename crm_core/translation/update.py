"""Keeping a catalogue in step with the source of its package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import attrs

from crm_core.translation.extract import constants, extract

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

__all__ = ["Flaw", "catalogue_path", "flaws", "update"]


@attrs.frozen
class Flaw:
    """What is wrong with one entry: ``missing``, ``unused``, ``fuzzy`` or ``placeholders``."""

    what: str
    text: str
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}: {self.text!r} {' '.join(self.places[:2])}".rstrip()


def catalogue_path(package: Path, language: str = "zh_CN") -> Path:
    """Where the catalogue of a package is: named after its plugin, ``crm_key_accounts`` being ``key_accounts``.

    The kernel's is called ``crm``.
    """
    name = package.name.removeprefix("crm_")
    return package / "locale" / language / "LC_MESSAGES" / f"{'crm' if package.name == 'crm_core' else name}.po"


def update(package: Path, path: Path | None = None, language: str = "zh_CN") -> Catalog:
    """Write the texts of a package into its catalogue: new ones untranslated, those that are gone left out.

    A text that was put in by hand stays as long as it stands somewhere in the source.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    path = path or catalogue_path(package, language)
    former = _read(path)
    comment = f"# {language} texts of {package.name}, under the licence of that package."
    catalogue = Catalog(locale=language, project=package.name, charset="utf-8", fuzzy=False, header_comment=comment)
    found = extract(package)
    present = constants(package)
    for message in former or ():
        if message.id and str(message.id) in present:
            found.setdefault(str(message.id), [place for place, _ in message.locations] or [package.name])
    for text, places in sorted(found.items(), key=lambda item: item[1][0].partition(":")[0]):
        known = former.get(text) if former is not None else None
        # Line numbers would change the catalogue with every edit of the source.
        files = tuple((place.partition(":")[0], None) for place in places)
        string = known.string if known is not None and not known.fuzzy else ""
        catalogue.add(text, string, locations=tuple(dict.fromkeys(files)))  # type: ignore[arg-type]
        catalogue[text].flags.discard("python-brace-format")
        catalogue[text].flags.discard("python-format")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=118, include_lineno=False, omit_header=False)
    text = path.read_text(encoding="utf-8")
    # The day on which it was made is in the history of the repository.
    path.write_text(
        re.sub(
            r'"(POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator|Language-Team|Report-Msgid-Bugs-To|Project-Id-Version)[^\n]*\n',
            "",
            text,
        ),
        encoding="utf-8",
    )
    return catalogue


def flaws(package: Path, path: Path | None = None, language: str = "zh_CN") -> Iterator[Flaw]:
    """What a catalogue lacks or has too much of, text by text."""
    found = extract(package)
    catalogue = _read(path or catalogue_path(package, language))
    known = {str(each.id): each for each in catalogue if each.id} if catalogue is not None else {}
    for text, places in found.items():
        entry = known.pop(text, None)
        if entry is None or not entry.string:
            yield Flaw("missing", text, tuple(places))
        elif entry.fuzzy:
            yield Flaw("fuzzy", text, tuple(places))
        elif _placeholders(text) != _placeholders(str(entry.string)):
            yield Flaw("placeholders", text, tuple(places))
    present = constants(package)
    for text in known:
        if text not in present:
            yield Flaw("unused", text)


def _placeholders(text: str) -> list[str]:
    """The placeholders of a template with their conversions; of a text with other braces the braces."""
    try:
        return sorted({f"{name}!{how}:{spec}" for _, name, spec, how in Formatter().parse(text) if name is not None})
    except ValueError:
        return sorted(char for char in text if char in "{}")


def _read(path: Path) -> Catalog | None:
    from babel.messages.pofile import read_po

    if not path.is_file():
        return None
    with path.open("rb") as file:
        return read_po(file, ignore_obsolete=True)

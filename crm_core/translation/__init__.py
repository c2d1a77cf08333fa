"""Texts in the reader's language: catalogues of the kernel and of plugins, looked up by an explicit translator.

English is the language of the source, so it needs no catalogue and reads no file.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from crm_core.errors import filled
from crm_core.translation.words import in_words

if TYPE_CHECKING:
    from crm_core.errors import CrmError, Problem
    from crm_core.fields import Field
    from crm_core.records import RecordType

__all__ = ["ENGLISH", "KERNEL_FOLDER", "LANGUAGES", "Ground", "Translator", "language_of"]

KERNEL_FOLDER = Path(__file__).parents[1] / "locale"
"""Where the kernel's catalogues are."""

LANGUAGES = ("en", "zh_CN")
"""The languages of the kernel."""

_KERNEL = "crm"
_KINDS = ("sort", "one", "other")
_STATES = ("state", "wanted")
_TYPED = re.compile(r"\{record[.!]|\{record\}\.|crm [a-z]+|\[|\(")
"""Templates in which the name of a record type is code: it stays as people must type it."""
_SPACES = re.compile(r"(?<=[\u2e80-\uffef]) (?=\{record\})|(?<=\{record\}) (?=[\u2e80-\uffef])")
_WHERE = re.compile(r"([a-z][a-z0-9_.]*) (\d+)")


class Ground(Protocol):
    """A template with its values, as the grounds of visibility are."""

    @property
    def text(self) -> str:
        """The template."""

    @property
    def values(self) -> Mapping[str, Any]:
        """What stands in for its placeholders."""


def language_of(name: str) -> str | None:
    """The language that is meant by ``zh_CN.UTF-8``, ``zh-Hans``, ``en_GB`` or ``C``.

    ``None`` where the kernel does not speak it.
    """
    short = name.partition(".")[0].partition("@")[0].replace("-", "_")
    if short in ("", "C", "POSIX"):
        return "en"
    return {"zh": "zh_CN", "en": "en"}.get(short.partition("_")[0].lower())


class Translator:
    """Texts in one language.

    ``folders`` are the locale folders of plugins by name, in load order; ``records`` the record types that may be
    named. A text is looked for in the catalogue of the
    plugin that says it, then in the kernel's, then in the others'; what none of them knows stays as it is.
    """

    def __init__(
        self,
        language: str = "en",
        folders: Iterable[tuple[str, Path]] = (),
        records: Iterable[RecordType] = (),
    ) -> None:
        self.language = language
        self._records = {each.name: each for each in records}
        self._folders = {_KERNEL: KERNEL_FOLDER, **dict(folders)}
        self._catalogues: dict[str, Mapping[str, str]] | None = None

    def also(self, folders: Iterable[tuple[str, Path]], records: Iterable[RecordType] = ()) -> Translator:
        """The same, with the catalogues of further plugins, and their record types."""
        return Translator(self.language, [*self._folders.items(), *folders], [*self._records.values(), *records])

    def text(self, template: str, plugin: str | None = None) -> str:
        """``template`` in this language, its placeholders untouched."""
        if self.language == "en" or not template:
            return template
        catalogues = self._read()
        for name in dict.fromkeys((plugin or _KERNEL, _KERNEL, *catalogues)):
            found = catalogues.get(name, {}).get(template)
            if found:
                return found
        return template

    __call__ = text

    def format(self, template: str, /, **values: Any) -> str:
        """``template`` in this language, filled in."""
        return filled(self.text(template), values)

    def error(self, error: CrmError | Problem) -> str:
        """An error as a paragraph, with the mend."""
        return (error if self.language == "en" else self.said(error)).text()

    def said(self, error: Any) -> Any:
        """A copy of an error or problem that speaks this language, and calls kinds and records by their labels."""
        said = copy.copy(error)
        plugin = getattr(error, "plugin", None)
        record = getattr(error, "record", None) or error.values.get("record")
        given: dict[str, Any] = {
            name: self._template(getattr(error, name), plugin, record) for name in ("problem", "mend")
        }
        values: dict[str, Any] = {
            name: value.told(self) if hasattr(value, "told") else value for name, value in error.values.items()
        }
        if isinstance(error, Exception):
            values |= {
                name: self._choices(values[name], plugin) for name in _STATES if isinstance(values.get(name), str)
            }
            # What kind of thing stands in a filter is said within the sentence.
            values |= {name: self._kind(values[name]) for name in _KINDS if name in values}
        else:
            given["path"] = self._where(error.path)
        given["values"] = values | self._reasons(error, record)
        if hasattr(error, "problems"):
            given["problems"] = tuple(map(self.said, error.problems))
        for name, value in given.items():
            object.__setattr__(said, name, value)  # problems are frozen, and this is a copy
        return said

    def _reasons(self, error: Any, record: Any) -> dict[str, Any]:
        """Values that are texts of ours themselves: why, keys that two have in common, what it is about, the field."""
        said: dict[str, Any] = {}
        for name, between in (("reason", ""), ("keys", ", "), ("about", " · ")):
            value = error.values.get(name)
            if isinstance(value, str) and not hasattr(value, "told"):
                said[name] = between.join(map(self.text, value.split(between) if between else [value]))
        field = error.values.get("field") or getattr(error, "field", None)
        record_type = self._records.get(record) if isinstance(record, str) else None
        if record_type is not None and field in record_type.by_name and not _TYPED.search(error.problem + error.mend):
            said["field"] = self.field(record_type.by_name[field], record_type)
        return said

    def _template(self, template: str, plugin: str | None, record: Any) -> str:
        said = self.text(template, plugin)
        if not isinstance(record, str) or _TYPED.search(template):
            return said
        label = self.named(record).replace("{", "{{").replace("}", "}}")
        return (said if label.isascii() else _SPACES.sub("", said)).replace("{record}", label)

    def _where(self, path: str) -> str:
        """``ownership 148`` with the label of the record type."""
        found = _WHERE.fullmatch(path)
        return f"{self.named(found[1])} {found[2]}" if found is not None else path

    def named(self, name: str) -> str:
        """A record type by its name: in English as people type it, in other languages by its label.

        A field of one (``ownership.account_id``) is named with it.
        """
        if self.language == "en":
            return name
        record_type = self._records.get(name)
        if record_type is not None:
            return self.record(record_type)
        owner, _, last = name.rpartition(".")
        if owner in self._records:
            field = self._records[owner].by_name.get(last)
            return f"{self.named(owner)}: {last if field is None else self.field(field, self._records[owner])}"
        said = self.choice(last, owner or None)
        return name if said.isascii() else said

    def word(self, word: str, label: str | None, plugin: str | None = None) -> str:
        """A word that people type, such as a role: in English as it is, in other languages by its label."""
        return word if self.language == "en" or not label else self.text(label, plugin)

    def _choices(self, values: str, plugin: str | None) -> str:
        """A state (or several: "offered / accepted") as people read it; what no catalogue knows stays as it is."""
        labels = {value: self.choice(value, plugin) for value in values.split(" / ")}
        return " / ".join(value if label.isascii() else label for value, label in labels.items())

    def _kind(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        tried = (self.text(each) for each in (value, value[:1].lower() + value[1:], value.capitalize()))
        return next((each for each in tried if not each.isascii()), value)

    def ground(self, ground: Ground) -> str:
        """Why somebody sees a record."""
        values = {
            name: value.told(self) if hasattr(value, "told")
            else self.text(value.capitalize()) if name == "label" and self.language != "en"
            else self.choice(value) if name == "role" and self.language != "en"
            else self.ground(value) if hasattr(value, "text") and hasattr(value, "values") else value
            for name, value in ground.values.items()
        }  # fmt: skip
        return self.text(ground.text).format(**values)

    def choice(self, value: str, plugin: str | None = None) -> str:
        """A value of a choice as people read it: ``won_back`` is "Won back", and ``PhD`` stays what it is."""
        return self.text(in_words(value), plugin)

    def record(self, record_type: RecordType) -> str:
        """The label of a record type."""
        return self.text(record_type.label, record_type.plugin)

    def field(self, field: Field, record_type: RecordType | None = None) -> str:
        """The label of a field."""
        return self.text(field.label or field.name, record_type.plugin if record_type else None)

    def _read(self) -> Mapping[str, Mapping[str, str]]:
        if self._catalogues is None:
            from crm_core.translation.catalogue import read

            self._catalogues = {
                name: read(folder / self.language / "LC_MESSAGES" / f"{name}.po")
                for name, folder in self._folders.items()
            }
        return self._catalogues


ENGLISH = Translator()
"""The language of the source."""

"""Texts in the reader's language: catalogues of the kernel and of plugins, looked up by an explicit translator.

English is the language of the source, so it needs no catalogue and reads no file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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

    ``folders`` are the locale folders of plugins by name, in load order. A text is looked for in the catalogue of the
    plugin that says it, then in the kernel's, then in the others'; what none of them knows stays as it is.
    """

    def __init__(self, language: str = "en", folders: Iterable[tuple[str, Path]] = ()) -> None:
        self.language = language
        self._folders = {_KERNEL: KERNEL_FOLDER, **dict(folders)}
        self._catalogues: dict[str, Mapping[str, str]] | None = None

    def also(self, folders: Iterable[tuple[str, Path]]) -> Translator:
        """The same, with the catalogues of further plugins."""
        return Translator(self.language, [*self._folders.items(), *folders])

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
        return self.text(template).format(**values)

    def error(self, error: CrmError | Problem) -> str:
        """An error as a paragraph, with the mend."""
        plugin = getattr(error, "plugin", None)
        if isinstance(error, Exception) and self.language != "en" and any(name in error.values for name in _STATES):
            error = copy.copy(error)
            error.values = {
                name: self._choices(value, plugin) if name in _STATES and isinstance(value, str) else value
                for name, value in error.values.items()
            }
        if isinstance(error, Exception) and self.language != "en" and any(name in error.values for name in _KINDS):
            error = copy.copy(error)
            # What kind of thing stands in a filter is said within the sentence.
            error.values = {
                name: self._kind(value) if name in _KINDS else value for name, value in error.values.items()
            }
        return error.text(lambda template: self.text(template, plugin))

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
            name: self.text(value.capitalize()) if name == "label" and self.language != "en"
            else self.ground(value) if hasattr(value, "text") and hasattr(value, "values") else value
            for name, value in ground.values.items()
        }  # fmt: skip
        return self.text(ground.text).format(**values)

    def choice(self, value: str, plugin: str | None = None) -> str:
        """A value of a choice as people read it: ``won_back`` is "Won back"."""
        return self.text(value.replace("_", " ").capitalize(), plugin)

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

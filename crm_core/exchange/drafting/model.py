"""What a draft consists of: files, the sections that come of each, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from crm_core.exchange.drafting.table import Table

__all__ = [
    "CERTAINTY_LABELS",
    "Draft",
    "FieldDraft",
    "FileDraft",
    "Said",
    "SectionDraft",
    "Unmapped",
    "said",
    "word_of",
]

Said: TypeAlias = tuple[str, Mapping[str, Any]]
"""A template and its values."""


def said(template: str, /, **values: Any) -> Said:
    """A template with its values; by the name ``_``, by which catalogues find their texts."""
    return template, values


CERTAINTY_LABELS = {0.85: "sure", 0.7: "likely", 0.5: "possible", 0.0: "a guess"}
"""Words for how sure something is, by the least number that they are said of."""


def word_of(certainty: float) -> str:
    """The word for how sure something is: 0.9 is "sure"."""
    return next(word for least, word in CERTAINTY_LABELS.items() if certainty >= least)


@attrs.frozen(kw_only=True)
class FieldDraft:
    """A field of a section: its ``name`` (of a part ``address.city``) and what the mapping says of it.

    ``columns`` are those that it is made from. ``certainty`` is 0 to 1; ``alternatives`` are other targets of the
    column with their certainty.
    """

    name: str
    value: Any
    columns: tuple[str, ...] = ()
    certainty: float
    because: Said
    remarks: tuple[Said, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()


@attrs.frozen(kw_only=True)
class SectionDraft:
    """A section of the mapping; ``options`` are its further keys as TOML has them."""

    name: str
    record: str
    key: Any
    fields: tuple[FieldDraft, ...]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    remarks: tuple[Said, ...] = ()


@attrs.frozen
class Unmapped:
    """A column that goes nowhere: how its values look, and where it might have gone."""

    column: str
    shape: Said
    alternatives: tuple[tuple[str, float], ...] = ()


@attrs.frozen(kw_only=True)
class FileDraft:
    """What becomes of a table. ``record`` is what its rows are, ``""`` where that is unknown; ``because`` says why.

    ``system`` is the foreign system that its shape was recognised of.
    """

    table: Table
    record: str
    certainty: float
    because: Said
    sections: tuple[SectionDraft, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
    remarks: tuple[Said, ...] = ()
    system: str = ""

    @property
    def columns(self) -> int:
        """How many columns it has."""
        return len(self.table.columns)

    @property
    def mapped(self) -> int:
        """How many of them go somewhere."""
        return self.columns - len(self.unmapped)


@attrs.frozen(kw_only=True)
class Draft:
    """A mapping that is proposed: ``files`` in the order of the import, and files that are left out with the reason."""

    system: str
    time_zone: str
    nothing: tuple[str, ...]
    files: tuple[FileDraft, ...]
    left_out: tuple[tuple[str, Said], ...] = ()

    @property
    def sections(self) -> int:
        """How many sections it has."""
        return sum(len(each.sections) for each in self.files)

"""Named transforms: from the text of a cell to a value. Plugins register more by ``crm_register_transforms``.

A transform is called with the value and the options of its table in the mapping, never with ``None``. It raises
:class:`ValueError` (or :class:`~crm_core.errors.ValidationError`) when it cannot use the value; the row is then
rejected with the reason. One that has a parameter ``context`` is given a :class:`Context`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crm_core.exchange.transforms import countries, texts, times, values, xml
from crm_core.exchange.transforms.context import Context

__all__ = ["BUILT_IN", "Context"]

BUILT_IN: Mapping[str, Callable[..., Any]] = {
    "strip": texts.strip,
    "upper": texts.upper,
    "lower": texts.lower,
    "title": texts.title,
    "prefix": texts.prefix,
    "part": texts.part,
    "replace": texts.replace,
    "shorten": texts.shorten,
    "join": texts.join,
    "split": texts.split,
    "map": values.map_,
    "int": values.int_,
    "decimal": values.decimal,
    "money": values.money,
    "percent": values.percent,
    "day": times.day,
    "moment": times.moment,
    "inclusive_end": times.inclusive_end,
    "xml": xml.xml,
    "country_code": countries.country_code,
}
"""The transforms that every build has."""

"""What a build expects of its data: counts that hold today and must hold after an upgrade."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import attrs

from crm_core.errors import CrmError, Problem, nearest
from crm_core.expressions import Environment, parse
from crm_core.fields import Field
from crm_core.records import Types
from crm_core.store.derived import DERIVED

__all__ = ["AcceptanceSection", "acceptance_mistakes"]


@attrs.frozen(kw_only=True)
class AcceptanceSection:
    """``[acceptance.<name>]``: how many records of a type match an expression.

    ``count`` is the number that is right, ``min`` and ``max`` bound it; ``same`` says that an upgrade must not change
    it. ``label`` is what people read.
    """

    record: str
    where: str = ""
    count: int | None = None
    min: int | None = None
    max: int | None = None
    same: bool = False
    label: str = ""


def acceptance_mistakes(
    sections: Mapping[str, AcceptanceSection], types: Types, custom: Mapping[str, Mapping[str, Field]], tz: dt.tzinfo
) -> Iterator[tuple[Problem, str | None]]:
    """What does not fit, each with the record type that it names, if that is the mistake."""
    for name, section in sections.items():
        path = f"acceptance.{name}"
        yield from ((problem, None) for problem in _bounds(path, section))
        record_type = types.get(section.record)
        if record_type is None:
            yield (
                Problem(f"{path}.record", "There is no record {record!r}.", "Did you mean {near}?",
                        {"record": section.record, "near": nearest(section.record, types)}),
                section.record,
            )  # fmt: skip
        elif section.where:
            env = Environment(
                now=dt.datetime.now(dt.UTC), tz=tz, visible=lambda *_: None, custom=custom, derived=DERIVED,
                readable=lambda *_: True,
            )  # fmt: skip
            try:
                parse(section.where).bind(types, record_type, env)
            except CrmError as error:
                values = {"plugin": error.plugin, "record": error.record, "field": error.field, **error.values}
                yield Problem(f"{path}.where", error.problem, error.mend, values), None


def _bounds(path: str, section: AcceptanceSection) -> Iterator[Problem]:
    given = [each for each in ("count", "min", "max") if getattr(section, each) is not None]
    if not given and not section.same:
        yield Problem(path, "It expects nothing.", "Give count, min, max, or same = true.")
    if "count" in given and len(given) > 1:
        yield Problem(path, "count says it all; min and max say it again.", "Remove them, or count.")
    for each in given:
        if getattr(section, each) < 0:
            yield Problem(f"{path}.{each}", "There are no fewer than 0 records.", "Give 0 or more.")
    if section.min is not None and section.max is not None and section.min > section.max:
        yield Problem(f"{path}.min", "It is more than max.", "Exchange them.")

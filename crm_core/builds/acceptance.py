"""Asking the data whether they are as a build expects them."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from sqlalchemy.exc import DBAPIError

from crm_core.assembly import Crm
from crm_core.assembly.acceptance import AcceptanceSection
from crm_core.errors import CrmError, Problem
from crm_core.records import Types

__all__ = ["Accepted", "accept", "counts"]


@attrs.frozen(kw_only=True)
class Accepted:
    """An expectation with what was found.

    ``before`` and ``after`` are counts, ``None`` where they could not be asked; ``problem`` says what is wrong.
    """

    name: str
    label: str
    after: int | None
    before: int | None = None
    problem: Problem | None = None


def counts(crm: Crm, sections: Mapping[str, AcceptanceSection], types: Types | None = None) -> dict[str, int | None]:
    """How many records match each; ``None`` where the database cannot answer (yet)."""
    found: dict[str, int | None] = {}
    for name, section in sections.items():
        found[name] = None
        record_type = (types or crm.types).get(section.record)
        if record_type is None:
            continue
        # Each by itself: on PostgreSQL one that fails would end the transaction of the others.
        try:
            with crm.system_session("acceptance", read_only=True) as session:
                found[name] = session.count(record_type.cls, section.where or None)
        except (CrmError, DBAPIError):
            continue
    return found


def accept(
    sections: Mapping[str, AcceptanceSection], after: Mapping[str, int | None], before: Mapping[str, int | None] = {}
) -> list[Accepted]:
    """Judge what was counted; ``before`` is needed for what must stay the same."""
    return [
        Accepted(
            name=name, label=section.label or name.replace("_", " "), before=before.get(name), after=after.get(name),
            problem=_problem(name, section, before.get(name), after.get(name)),
        )
        for name, section in sections.items()
    ]  # fmt: skip


def _problem(name: str, section: AcceptanceSection, before: int | None, after: int | None) -> Problem | None:
    path = f"acceptance.{name}"
    values = {"before": before, "after": after, "count": section.count, "min": section.min, "max": section.max}
    if after is None:
        return Problem(path, "The database cannot answer it.", "See whether the record and its fields are there.")
    if section.count is not None and after != section.count:
        return Problem(path, "{after} records match, and {count} should.", "", values)
    if section.min is not None and after < section.min:
        return Problem(path, "{after} records match, and at least {min} should.", "", values)
    if section.max is not None and after > section.max:
        return Problem(path, "{after} records match, and at most {max} should.", "", values)
    if section.same and before is not None and before != after:
        return Problem(path, "{before} records matched before, and {after} do now.", "", values)
    return None

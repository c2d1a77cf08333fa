"""What each column of a table may be: by its header, by its values, and by the other tables that it refers to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from crm_core.exchange.drafting.fitting import Fit, fit
from crm_core.exchange.drafting.headers import words
from crm_core.exchange.drafting.keys import KEY_NAMES
from crm_core.exchange.drafting.looks import SHAPE_LABELS, looks
from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.references import Reference
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import POINT, Hit, Target, Targets
from crm_core.fields.kinds import RefKind

__all__ = ["Candidate", "alternatives", "candidates", "source"]

_FITTING = 0.5
"""A target of which fewer values are taken is none."""

_WORTH_TELLING = 0.3
_EMPTY = 0.85
_BY_VALUE: Sequence[tuple[str, Target, float]] = (
    ("uscc", Target("account", "registration_number"), 0.9),
    ("email", Target(POINT, "value", "email"), 0.6),
    ("email", Target("account", "email"), 0.55),
    ("mobile", Target(POINT, "value", "mobile"), 0.6),
    ("url", Target("account", "website"), 0.55),
)
"""What values alone may say where a header says nothing."""

_IN_TEMPLATES = frozenset({
    Target("account", "name"), Target("contact", "given_name"), Target("contact", "family_name"),
})  # fmt: skip
"""What keys and logins may be made of."""

_WITHOUT_FILE, _BY_RECORD = 0.65, 0.6


@attrs.frozen
class Candidate:
    """A column for a target: how sure, how telling for what the rows are, why, and how its values are taken.

    ``refers`` says that the target is a reference; ``reference`` where its values are found, if among the tables.
    """

    column: Column
    target: Target
    certainty: float
    evidence: float
    because: Said
    fit: Fit
    reference: Reference | None = None
    refers: bool = False


def candidates(
    table: Table,
    targets: Targets,
    references: Sequence[Reference] = (),
    records: Mapping[int, str] = MappingProxyType({}),
    own: Sequence[Column] = (),
) -> list[Candidate]:
    """All candidates, the surest first.

    ``records`` says what the rows of other tables are, by their identity; ``own`` are the columns of the table's own
    key.
    """
    found: list[Candidate] = []
    if not any(column.in_templates for column in table.columns):
        return []  # nothing could be its key
    for column in table.columns:
        hits = targets.named(column.name)
        known = [each for each in references if each.column is column and id(each.table) in records]
        found += _plain(column, hits, targets)
        found += _referring(column, hits, targets, known, records, key=any(column is each for each in own))
        if not any(each.column is column for each in found):
            found += _by_value(column, targets)
    return sorted(found, key=lambda each: (-each.certainty, each.column.position))


def _plain(column: Column, hits: Sequence[Hit], targets: Targets) -> Iterator[Candidate]:
    for hit in hits:
        if isinstance(targets.field(hit.target).kind, RefKind):
            continue
        suits = fit(column, hit.target, targets)
        if suits.share < _FITTING or (hit.target in _IN_TEMPLATES and not column.in_templates):
            continue
        certainty = hit.certainty * (0.4 + 0.6 * suits.share) * (1 if column.filled else _EMPTY)
        evidence = hit.evidence if column.filled else hit.evidence * _FITTING
        yield Candidate(column, hit.target, certainty, evidence, hit.because, suits)


def _by_value(column: Column, targets: Targets) -> Iterator[Candidate]:
    for look, target, certainty in _BY_VALUE:
        if target.record in targets.types and looks(column, look) >= 0.9:
            because = _("its values are {what}", what=SHAPE_LABELS[look])
            yield Candidate(column, target, certainty, 0.6, because, fit(column, target, targets))


def _referring(
    column: Column,
    hits: Sequence[Hit],
    targets: Targets,
    known: Sequence[Reference],
    records: Mapping[int, str],
    *,
    key: bool,
) -> Iterator[Candidate]:
    if not column.filled or not column.in_templates:
        return
    hinted = {hit.target: hit for hit in hits if isinstance(targets.field(hit.target).kind, RefKind)}
    spoken = set() if known or key else _records_spoken_of(column, targets)
    best = {records[id(each.table)]: each for each in sorted(known, key=lambda each: each.certainty)}
    for record, type_ in targets.types.items():
        for field in type_.refs:
            target = Target(record, field.name)
            hit = hinted.get(target)
            reference = best.get(str(field.target))
            if reference is not None:
                certainty = max(reference.certainty, hit.certainty if hit else 0)
                # Of several references to one type, that counts which the header speaks of.
                certainty *= 1 if hit or not _several(targets, record, field.target) else 0.8
                yield Candidate(column, target, certainty, 0.8, _found_in(reference), Fit(1.0), reference, True)
            elif hit is not None:
                yield Candidate(column, target, hit.certainty * _WITHOUT_FILE / 0.9, hit.evidence * 0.8,
                                hit.because, Fit(1.0), None, True)  # fmt: skip
            elif field.target in spoken:
                because = _("its header speaks of keys of {record}", record=field.target)
                yield Candidate(column, target, _BY_RECORD, 0.4, because, Fit(1.0), None, True)


def _found_in(reference: Reference) -> Said:
    file = reference.table.path.name
    return (
        _("its values are names in {file}", file=file)
        if reference.by_name
        else _("its values are keys in {file}", file=file)
    )


def _several(targets: Targets, record: str, target: str | None) -> bool:
    return sum(field.target == target for field in targets.types[record].refs) > 1


def _records_spoken_of(column: Column, targets: Targets) -> set[str]:
    """The records whose key a header names: ``account_id``, ``客户编号``."""
    if not KEY_NAMES.search(column.header):
        return set()
    *rest, last = words(column.header) or ("",)
    before = rest if rest else [last.removesuffix("编号").removesuffix("编码").removesuffix("代码").removesuffix("id")]
    return {name for name, weight in targets.of_file(" ".join(filter(None, before))).items() if weight == 1}


def alternatives(
    column: Column, every: Iterable[Candidate], but: Target | None = None, records: Collection[str] | None = None
) -> tuple[tuple[str, float], ...]:
    """What else a column may be, of these records, with the certainty; at most two."""
    found: dict[str, float] = {}
    for each in every:
        near = records is None or each.target.record in records
        if each.column is column and each.target != but and near and each.certainty >= _WORTH_TELLING:
            found.setdefault(each.target.name, each.certainty)
    return tuple(list(found.items())[:2])


def source(column: Column, transform: Any = None) -> Any:
    """A column as a mapping names it, with a transform."""
    steps = transform if isinstance(transform, list) else [transform] if transform is not None else []
    if column.path:
        steps = [{"name": "xml", "path": column.path}, *steps]
    if not steps:
        return column.header
    return {"column": column.header, "transform": steps if len(steps) > 1 else steps[0]}

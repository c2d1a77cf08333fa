"""What the rows of a table are: the record that explains most of its columns, and what hangs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from crm_core.exchange.drafting.beside import with_what_is_the_persons
from crm_core.exchange.drafting.candidates import Candidate
from crm_core.exchange.drafting.headers import plain
from crm_core.exchange.drafting.looks import looks
from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import POINT, Target, Targets
from crm_core.records.access import Via

__all__ = ["SATELLITES", "Reading", "further_names", "missing", "name_parts", "read_as", "readings"]

SATELLITES: Mapping[str, Mapping[str, float]] = {
    "account": {"contact": 0.8, "affiliation": 0.8, POINT: 0.8, "ownership": 0.9},
    "contact": {"affiliation": 0.95, POINT: 1.0, "account": 0.85, "account_address": 0.0},
    "user": {"membership": 0.8, "contact": 0.5},
}
"""What the rows of a record may hold besides, and how readily a column is given to it."""

_ENOUGH, _LEAST = 1.3, 0.4
"""A score that says what the rows are, and how much of it must come from columns."""

_FILE, _MIXED, _PART, _BESIDE = 3.0, 1.5, 0.5, 0.6

_GIVEN, _FAMILY = Target("contact", "given_name"), Target("contact", "family_name")
_MIDDLE = frozenset({"middlename", "middleinitial", "secondname"})
_SUFFIX = frozenset({"suffix", "namesuffix"})

_MADE: Mapping[str, frozenset[str]] = {
    "user": frozenset({"login"}),
    "activity": frozenset({"subject"}),
    POINT: frozenset({"kind"}),
}
"""Required fields that are made from others where no column has them."""


@attrs.frozen(kw_only=True)
class Reading:
    """Rows read as records of a type: which column goes where, and how well that explains the table."""

    record: str
    chosen: Mapping[Target, Candidate]
    score: float
    certainty: float = 0.0
    because: Said = ("", {})

    def of(self, record: str) -> dict[Target, Candidate]:
        """What goes to one record, in the order of the columns."""
        found = [(target, each) for target, each in self.chosen.items() if target.record == record]
        return dict(sorted(found, key=lambda pair: (pair[1].column.position, pair[1].column.path)))


def readings(
    table: Table, found: Sequence[Candidate], targets: Targets, records: Mapping[int, str], wanted: str | None = None
) -> list[Reading]:
    """All ways to read a table that explain enough of it, the best first; with ``wanted`` only as that record."""
    names = [wanted] if wanted else list(targets.types)
    read = [
        each
        for name in names
        if (each := read_as(name, table, found, targets, records, wanted=wanted is not None)) is not None
    ]
    read = [each for each in read if wanted or each.score >= _ENOUGH]
    read.sort(key=lambda each: -each.score)
    if not read:
        return []
    second = read[1].score if len(read) > 1 else 0.0
    best = read[0]
    # Sure is what explains much, and much more than what else it might be.
    covered = len({id(each.column) for each in best.chosen.values()}) / len(table.columns)
    certainty = min(0.95, 0.35 + 0.08 * best.score + 0.1 * min(best.score - second, 1.5) + 0.2 * covered)
    count = len({id(each.column) for each in best.chosen.values()})
    because = _("{count} of {of} columns fit", count=count, of=len(table.columns))
    return [attrs.evolve(best, certainty=1.0 if wanted else certainty, because=because), *read[1:]]


def read_as(
    record: str,
    table: Table,
    found: Sequence[Candidate],
    targets: Targets,
    records: Mapping[int, str],
    *,
    wanted: bool = False,
) -> Reading | None:
    """The table as records of one type; ``None`` where what such a record needs is missing, or no column speaks for it
    and it is not ``wanted``.
    """  # fmt: skip
    beside = SATELLITES.get(record, {})
    chosen = _chosen(record, found, beside)
    _without_what_hangs_on_nothing(record, chosen)
    if _missing(record, chosen, table, targets):
        return None
    score = 0.0
    for target, each in chosen.items():
        weight = _BESIDE if target.record != record else _PART if target.part and record != POINT else 1.0
        score += each.certainty * each.evidence * weight
    if score < _LEAST and not wanted:
        return None
    score += _FILE * targets.of_file(table.title).get(record, 0.0) ** 2
    score += _looks(record, chosen)
    if _kind_unknown(record, chosen, table, targets):
        score -= 1.0
    if record not in _named(table, targets) and record == "user":
        score -= 0.5  # our own people are few, and seldom in a table by chance
    score -= _repeats(record, chosen, records)
    if record == "account" and (others := with_what_is_the_persons(table, found, chosen, name_parts(chosen))):
        # Only now, since whose it is says nothing about what the rows are.
        chosen = _chosen(record, others, beside)
        _without_what_hangs_on_nothing(record, chosen)
    return Reading(record=record, chosen=chosen, score=score)


def _kind_unknown(record: str, chosen: Mapping[Target, Candidate], table: Table, targets: Targets) -> bool:
    """Whether it would have to be guessed of which kind the records are, though they must be of one."""
    kind = targets.fields(record).get("kind")
    return (
        kind is not None and kind.required and bool(kind.vocabulary) and Target(record, "kind") not in chosen
        and targets.words_in(record, "kind", table.title) is None
    )  # fmt: skip


def missing(record: str, table: Table, found: Sequence[Candidate], targets: Targets) -> list[str]:
    """What rows of a table lack to be records of a type."""
    chosen = _chosen(record, found, SATELLITES.get(record, {}))
    _without_what_hangs_on_nothing(record, chosen)
    return _missing(record, chosen, table, targets)


def _named(table: Table, targets: Targets) -> Iterable[str]:
    return targets.of_file(table.title)


def _chosen(record: str, found: Sequence[Candidate], beside: Mapping[str, float]) -> dict[Target, Candidate]:
    """Each column to one target (and one reference), each target from one column: the surest first."""
    ready = {**beside, record: 1.0}
    pool = [(each.certainty * ready[each.target.record], each) for each in found
            if ready.get(each.target.record) and _possible(record, each.target)]  # fmt: skip
    chosen: dict[Target, Candidate] = {}
    taken: set[tuple[int, bool]] = set()
    for _rank, each in sorted(pool, key=lambda pair: (-pair[0], pair[1].column.position)):
        # A number may be kept, and lead to the record of that number as well.
        use = (id(each.column), each.refers)
        if use not in taken and each.target not in chosen:
            chosen[each.target] = each
            taken.add(use)
    return chosen


def _possible(record: str, target: Target) -> bool:
    """Whether rows of a record may say this: what comes of the same row needs no column that leads to it."""
    if target.record == record:
        return True
    if record == "user" and target.record == "contact":
        return target in (_GIVEN, _FAMILY)
    if target.record == POINT:
        return target.field == "value" and target.part != "other"
    if record in ("account", "contact") and target.record == "affiliation":
        return target.field not in ("contact_id", *(["account_id"] if record == "account" else []))
    return not (record == "account" and target == Target("ownership", "account_id"))


def _without_what_hangs_on_nothing(record: str, chosen: dict[Target, Candidate]) -> None:
    """Take out what belongs to a person or a company of whom the row says nothing else."""
    place = chosen.get(Target("affiliation", "account_id"))
    known = place is not None and place.reference is not None
    company = Target("account", "name") in chosen and not known
    for target in list(chosen):
        alone = (
            (record == "account" and target.record in ("contact", "affiliation") and not name_parts(chosen))
            or (record == "contact" and target.record == "affiliation" and place is None and not company)
            or (record == "contact" and target.record == "account" and not company)
        )
        if alone:
            del chosen[target]


def name_parts(chosen: Mapping[Target, Candidate]) -> list[Candidate]:
    """The columns of a person's name: one with all of it, or its parts."""
    whole = chosen.get(Target("contact", "name")) or chosen.get(Target("user", "name"))
    parts = [each for target in (_GIVEN, _FAMILY) if (each := chosen.get(target)) is not None]
    return [whole] if whole is not None else parts


def further_names(table: Table) -> tuple[list[Column], list[Column]]:
    """Columns that stand in the middle and at the end of a name."""
    return (
        [each for each in table.columns if plain(each.header) in _MIDDLE],
        [each for each in table.columns if plain(each.header) in _SUFFIX],
    )


def _missing(record: str, chosen: Mapping[Target, Candidate], table: Table, targets: Targets) -> list[str]:
    """What a record of the type needs and no column gives."""
    fields = targets.fields(record)
    given = {target.field for target in chosen if target.record == record}
    made = _MADE.get(record, frozenset())
    lacking = []
    for name, field in fields.items():
        if not field.required or name in given or name in made:
            continue
        if name == "name" and record in ("contact", "user") and name_parts(chosen):
            continue
        if targets.choices(record, name) and targets.words_in(record, name, table.title):
            continue
        if name == "kind" and field.vocabulary:
            continue  # a word is proposed
        lacking.append(name)
    type_ = targets.types[record]
    if isinstance(type_.access, Via):
        ways = {*type_.access.fields, *([type_.access.own] if type_.access.own else [])}
        if not ways & given and record != "activity":
            lacking += sorted(ways - set(lacking))
    if record == "activity" and not given & {"account_id", "contact_id", "user_id", "series_id", "subject"}:
        lacking.append("account_id")
    return lacking


def _looks(record: str, chosen: Mapping[Target, Candidate]) -> float:
    """What the values of the name say of rows that may be companies or people."""
    company, person = chosen.get(Target("account", "name")), chosen.get(Target("contact", "name"))
    if record == "account" and company is not None:
        wrong = looks(company.column, "person") > 0.8 and looks(company.column, "company") < 0.1
        score = -1.0 if wrong and company.evidence < 1 else 0.0
        return score + (_MIXED if name_parts(chosen) and not _often(company.column) else 0.0)
    if record == "contact":
        score = -1.0 if person is not None and looks(person.column, "company") > 0.3 else 0.0
        return score + (_MIXED if company is not None and _often(company.column) else 0.0)
    return 0.0


def _often(column: Column) -> bool:
    """Whether several rows share a value."""
    return len(column.values) < 0.9 * column.filled


def _repeats(record: str, chosen: Mapping[Target, Candidate], records: Mapping[int, str]) -> float:
    """Rows that hang on records of this very type, several on one, are something else than these."""
    for each in chosen.values():
        if each.reference is not None and records.get(id(each.reference.table)) == record and not each.column.unique:
            return 0.0 if each.target.record == record else 1.0
    return 0.0

"""Whose a telephone or an address for mail is, where a row speaks of a company and of a person there.

People write tables as they speak: the company and what is known of it, then somebody there and how to reach them. What
stands behind the name of the person, directly or after other columns about them, is theirs; the next column about the
company ends that, and so does a header that itself says whose it is (``公司邮箱``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from crm_core.exchange.drafting.candidates import Candidate
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import POINT, Target

__all__ = ["with_what_is_the_persons"]

_OF_PEOPLE = ("contact", "affiliation", POINT)
_REACHED = ("email", "phone")
"""What both a company and a person may have."""


def with_what_is_the_persons(
    table: Table, found: Sequence[Candidate], chosen: Mapping[Target, Candidate], names: Sequence[Candidate]
) -> list[Candidate] | None:
    """The candidates without those by which a person's telephone would be their company's; ``None`` if there are none.

    ``chosen`` says what the columns of a table of companies are so far, ``names`` in which a person's name stands.
    """
    block = list(_behind(table, found, chosen, max(each.column.position for each in names))) if names else []
    taken = {target for target, each in chosen.items()
             if target.record == POINT and any(each.column is column for column in block)}  # fmt: skip
    theirs: dict[int, Target] = {}
    for column in block:
        if not any(each.column is column and target.record in _OF_PEOPLE for target, each in chosen.items()):
            target = next(each.target for each in found if each.column is column and _reaches(each))
            if target not in taken:
                taken.add(target)
                theirs[id(column)] = target
    if not theirs:
        return None
    because = _("it stands behind the name of the person")
    return [
        attrs.evolve(each, because=because) if theirs.get(id(each.column)) == each.target else each
        for each in found
        if id(each.column) not in theirs or each.target.record != "account"
    ]


def _behind(
    table: Table, found: Sequence[Candidate], chosen: Mapping[Target, Candidate], position: int
) -> Iterator[Column]:
    """The columns behind a position that are about the person, up to the next that is about the company."""
    for column in sorted(table.columns, key=lambda each: each.position):
        if column.position <= position or column.path:
            continue
        uses = [target for target, each in chosen.items() if each.column is column]
        about = any(target.record in _OF_PEOPLE for target in uses)
        either = all(target.record == "account" and target.field in _REACHED for target in uses)
        if about or (uses and either and any(each.column is column and _reaches(each) for each in found)):
            yield column
        elif uses:
            return  # a column of which nothing is known says nothing


def _reaches(each: Candidate) -> bool:
    """Whether a column may be a way to reach somebody."""
    return each.target.record == POINT and each.target.part in (*_REACHED, "mobile")

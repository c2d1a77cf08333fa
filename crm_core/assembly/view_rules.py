"""Whether ``[views]`` names fields that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crm_core.domain.viewing import PARTS, Views
from crm_core.errors import Problem, nearest
from crm_core.fields import Field
from crm_core.records import RecordType

__all__ = ["wrong_names"]


def wrong_names(views: Views, account: RecordType, custom: Mapping[str, Field]) -> Iterator[Problem]:
    """What is named in the section and is no field of an account, nor a part of its completeness."""
    fields = {*account.by_name, *(f"custom.{name}" for name in custom)}
    for name, weight in views.weights.items():
        path = f"views.weights.{name}" if name.isidentifier() else f'views.weights."{name}"'
        if name not in fields | {*PARTS}:
            yield _unknown(path, name, fields | {*PARTS})
        elif weight < 0:
            yield Problem(path, "A weight of {weight} makes no sense.", "Give 0 or more.", {"weight": weight})
    for number, name in enumerate(views.news_fields):
        if name not in fields:
            yield _unknown(f"views.news_fields[{number}]", name, fields)


def _unknown(path: str, name: str, known: set[str]) -> Problem:
    return Problem(path, "An account has no field {name!r}.", "Did you mean {near}?",
                   {"name": name, "near": nearest(name, known)})  # fmt: skip

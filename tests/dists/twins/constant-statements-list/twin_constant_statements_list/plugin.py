"""The hooks."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.orm import object_session

from crm_core import Record, hookimpl
from twin_constant_statements_list.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@event.listens_for(Thing, "load")
def count(thing: Thing, _context: Any) -> None:
    """Know of each thing how many there are of its name."""
    session = object_session(thing)
    if session is not None:
        thing.__dict__["count"] = session.scalar(select(func.count()).where(Thing.name == thing.name))

"""A sound record, and beside it in the same registry a mapping that leads nowhere."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table
from sqlalchemy.orm import Mapped, relationship

from crm_core.fields import text
from crm_core.records import Record, public, record
from crm_core.records.types import mapper_registry


@record("broken_mapping.crack", access=public())
class Crack(Record):
    """Sound in itself."""

    name: Mapped[str] = text(80)


class Nowhere:
    """Mapped by hand, with a relationship that SQLAlchemy cannot resolve."""


registry = mapper_registry("broken_mapping")
registry.map_imperatively(
    Nowhere,
    Table("broken_mapping__nowhere", registry.metadata, Column("id", BigInteger, primary_key=True)),
    properties={"there": relationship("ThereIsNoSuchClass")},
)

"""Under which key another system knows a record of ours."""

from __future__ import annotations

from sqlalchemy.orm import Mapped

from crm_core.fields import number, text
from crm_core.records import Record, administered, record

__all__ = ["ExternalRef"]


@record(
    "external_ref",
    access=administered(),
    label="Key in another system",
    technical_key=("system", "record_type", "key"),
    indexes=[("record_id",)],
)
class ExternalRef(Record):
    """The key of a record in a source system, so that a second import updates instead of doubling."""

    system: Mapped[str] = text(80)
    record_type: Mapped[str] = text(80)
    key: Mapped[str] = text(200)
    record_id: Mapped[int] = number(0)

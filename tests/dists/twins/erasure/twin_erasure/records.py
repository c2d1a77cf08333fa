"""The record."""

from crm_core import Mapped, Record, record, ref, text, via


@record("twin_erasure.thing", access=via("account_id"), label="Thing")
class Thing(Record):
    """Something of a person at an account."""

    account_id: Mapped[int] = ref("account", collection="things")
    contact_id: Mapped[int] = ref("contact", collection="things")
    person: Mapped[str | None] = text(200, default=None)

"""The record."""

from crm_core import Mapped, Record, record, ref, text, via


@record("twin_leaving_removed.thing", access=via("account_id"), label="Thing")
class Thing(Record):
    """Something of an account."""

    account_id: Mapped[int] = ref("account", collection="things")
    name: Mapped[str] = text(80)

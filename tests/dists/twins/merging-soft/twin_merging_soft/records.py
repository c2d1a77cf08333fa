"""The record."""

from crm_core import Mapped, Record, number, record, ref, text, via


@record("twin_merging_soft.thing", access=via("account_id"), label="Thing")
class Thing(Record):
    """Something of an account, about another record."""

    account_id: Mapped[int] = ref("account", collection="things")
    subject_id: Mapped[int | None] = number(0, default=None, label="Subject")
    name: Mapped[str] = text(80)

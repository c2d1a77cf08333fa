"""The record."""

from crm_core import Mapped, Record, number, record, ref, text, via


@record("twin_merging_split.thing", access=via("account_id"), label="Thing")
class Thing(Record):
    """Something of an account."""

    account_id: Mapped[int] = ref("account", collection="things")
    moves: Mapped[int] = number(0, default=0)
    name: Mapped[str] = text(80)

"""The record."""

from crm_core import Mapped, Record, number, record, ref, text, via


@record("twin_leaving_disabled.thing", access=via("account_id"), label="Thing")
class Thing(Record):
    """Something of an account, that was delivered to another one."""

    account_id: Mapped[int] = ref("account", collection="things")
    name: Mapped[str] = text(80)
    delivered_to: Mapped[int] = number(0, label="Delivered to")

"""The record."""

from crm_core import Mapped, Record, number, record, ref, text, via


@record("twin_requirements_reference.thing", access=via("account_id"), label="Thing")
class Thing(Record):
    """Something of an account."""

    account_id: Mapped[int] = ref("account", collection="things")
    name: Mapped[str] = text(80)
    role_id: Mapped[int | None] = number(0, default=None, label="Role")

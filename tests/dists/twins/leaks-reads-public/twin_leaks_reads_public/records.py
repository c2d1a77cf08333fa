"""The record."""

from crm_core import Mapped, Record, public, record, ref, text


@record("twin_leaks_reads_public.thing", access=public(), label="Thing")
class Thing(Record):
    """Something of an account."""

    account_id: Mapped[int] = ref("account", collection="things")
    name: Mapped[str] = text(80)

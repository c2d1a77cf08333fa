"""Fields that look personal and are not declared so are remarked on: nobody would think of them at an erasure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crm_core import Mapped, Record, email, number, phone, public, record, text, url
from crm_core.testing.conformance.checks import erasure


@record("looks_test.guest", access=public())
class Guest(Record):
    """Somebody who came by."""

    mail: Mapped[str | None] = email(default=None)
    call: Mapped[str | None] = phone(default=None)
    phone_2: Mapped[str | None] = text(40, default=None)
    mail_address: Mapped[str | None] = text(40, default=None)
    shou_ji: Mapped[str | None] = text(40, default=None, label="手机")
    private_email: Mapped[str | None] = email(default=None, personal=True)
    mailing: Mapped[str | None] = text(40, default=None)
    telling: Mapped[str | None] = text(40, default=None)
    mobiles: Mapped[int | None] = number(0, default=None, label="Mobile phones")
    site: Mapped[str | None] = url(default=None)


def test_by_kind_and_by_name():
    found = [field for _, field in erasure.looks_personal([Guest.crm_type])]
    assert found == ["mail", "call", "phone_2", "mail_address", "shou_ji"]


def test_they_are_remarks_and_no_findings():
    said = []

    class Stop(Exception):
        """What needs a database comes after the remarks."""

    def crm():
        raise Stop

    subject = SimpleNamespace(types=[Guest.crm_type], crm=crm, note=lambda *_, **values: said.append(values["field"]))
    with pytest.raises(Stop):
        next(iter(erasure._look(subject)))
    assert said[0] == "looks_test.guest.mail"
    assert len(said) == 5

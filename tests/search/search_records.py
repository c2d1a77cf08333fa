"""Records that can be searched in every way that the kernel's own do not show."""

from __future__ import annotations

from sqlalchemy.orm import Mapped

import crm_core.domain.activities
import crm_core.domain.external
import crm_core.domain.shares  # noqa: F401
from crm_core.domain.accounts import Account
from crm_core.fields import phone, ref, text
from crm_core.records import KERNEL, Dated, Record, Types, declared, extends, parent, private, public, record, via
from crm_core.store.policy import Policy, Role, Scope

PLUGIN = "search_probe"


@record("search_probe.site", access=via("account_id"))
class Site(Record):
    """Hangs on an account, and has nothing to search itself."""

    account_id: Mapped[int] = ref("account")

    account: Mapped[Account] = parent("account_id")


@record("search_probe.device", access=via("site_id"))
class Device(Record):
    """Hangs on an account by way of a site; a field of it has readers of its own."""

    site_id: Mapped[int] = ref("search_probe.site")
    name: Mapped[str] = text(80, search=True)
    hotline: Mapped[str | None] = phone(default=None, search=True)
    flaw: Mapped[str | None] = text(None, default=None, search=True, restricted="search_probe.device.read_flaw")

    site: Mapped[Site] = parent("site_id")


@record("search_probe.part", access=via("device_id"))
class Part(Record):
    """Further below."""

    device_id: Mapped[int] = ref("search_probe.device")
    label: Mapped[str] = text(80, search=True)

    device: Mapped[Device] = parent("device_id")


@record("search_probe.rate", access=via("account_id"))
class Rate(Dated):
    """Holds for a time."""

    account_id: Mapped[int] = ref("account")
    name: Mapped[str] = text(80, search=True)


@record("search_probe.memo", access=private("user_id"))
class Memo(Record):
    """One person's."""

    user_id: Mapped[int] = ref("user")
    text: Mapped[str] = text(200, search=True)


@record("search_probe.lead", access=via("account_id"))
class Lead(Record):
    """Outlives its account."""

    account_id: Mapped[int | None] = ref("account", default=None, on_delete="clear")
    name: Mapped[str] = text(80, search=True)


@record("search_probe.norm", access=public())
class Norm(Record):
    """Everybody's."""

    name: Mapped[str] = text(80, search=True)


@extends("account", "search_probe.nickname")
class Nickname(Record):
    """Found in the extension, shown as the account."""

    nickname: Mapped[str | None] = text(80, default=None, search=True)


TYPES = Types(each for each in declared.values() if each.plugin in (KERNEL, PLUGIN))
WITHOUT = Types(each for each in declared.values() if each.plugin == KERNEL)
WRITING = ("read", "create", "update", "delete")
POLICY = Policy(
    roles={
        role.name: role
        for role in (
            Role("sales", tuple((f"*.{verb}", Scope.OWN) for verb in WRITING)),
            Role("engineer", (*((f"*.{verb}", Scope.OWN) for verb in WRITING),
                              ("search_probe.device.read_flaw", Scope.OWN))),
            Role("manager", tuple((f"*.{verb}", Scope.SUBTREE) for verb in WRITING)),
            Role("director", (("*.read", Scope.ALL),)),
            Role("no_people", (("*.read", Scope.OWN), ("contact.erase", Scope.OWN))),
            Role("admin", (("*", Scope.ALL),)),
            Role("reader", (("*.read", Scope.OWN),)),
            Role("deputy", (("*.read", Scope.UNIT),)),
            Role("stranger", ()),
            # Sees affiliations far and wide, but people and accounts of their own only.
            Role("lopsided", (("affiliation.read", Scope.ALL), ("contact_point.read", Scope.ALL),
                              ("account.read", Scope.OWN), ("contact.read", Scope.OWN))),
        )
    }
)  # fmt: skip

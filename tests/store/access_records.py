"""Records with every kind of access that the kernel's own do not show, and the roles that the tests give."""

from __future__ import annotations

from sqlalchemy.orm import Mapped

import crm_core.domain.activities
import crm_core.domain.external  # noqa: F401
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import User
from crm_core.fields import Money, flag, money, ref, text
from crm_core.fields.field import Field
from crm_core.fields.kinds import TextKind
from crm_core.records import (
    KERNEL,
    Dated,
    Record,
    Types,
    administered,
    declared,
    extends,
    parent,
    private,
    public,
    record,
    via,
)
from crm_core.store.policy import Policy, Role, Scope

PLUGIN = "access_probe"


@record("access_probe.node", access=via("account_id"))
class Node(Record):
    """A tree at an account: its navigation leads to its own type."""

    account_id: Mapped[int] = ref("account")
    up_id: Mapped[int | None] = ref("access_probe.node", default=None, on_delete="clear")
    name: Mapped[str] = text(80)

    up: Mapped[Node | None] = parent("up_id")
    account: Mapped[Account] = parent("account_id")


@record("access_probe.memo", access=private("user_id"))
class Memo(Record):
    user_id: Mapped[int] = ref("user")
    name: Mapped[str] = text(80)


@record("access_probe.ledger", access=administered())
class Ledger(Record):
    name: Mapped[str] = text(80)


@record("access_probe.channel", access=public())
class Channel(Record):
    name: Mapped[str] = text(80)


@record("access_probe.badge", access=via("user_id"))
class Badge(Record):
    """Hangs on a public record."""

    user_id: Mapped[int] = ref("user")
    name: Mapped[str] = text(80)

    user: Mapped[User] = parent("user_id")


@record("access_probe.term", access=via("account_id"), indexes=[("name", "id", "account_id", "valid_from", "valid_to")])
class Term(Dated):
    account_id: Mapped[int] = ref("account")
    name: Mapped[str] = text(80)
    price: Mapped[Money | None] = money(default=None, restricted="access_probe.term.read_price")


@record("access_probe.link", access=via("account_id", "contact_id", every=True))
class Link(Record):
    """Between two that may both be absent."""

    account_id: Mapped[int | None] = ref("account", default=None)
    contact_id: Mapped[int | None] = ref("contact", default=None)


@record("access_probe.clause", access=via("term_id"))
class Clause(Record):
    """Refers to a dated record."""

    term_id: Mapped[int] = ref("access_probe.term")
    name: Mapped[str] = text(80)

    term: Mapped[Term] = parent("term_id")


@extends("account", "access_probe.secret")
class Secret(Record):
    """An extension with restricted fields of more than one column."""

    limit: Mapped[Money | None] = money(default=None, restricted="access_probe.secret.read_limit")
    nick: Mapped[str | None] = text(80, default=None, folded=True, restricted="access_probe.secret.read_limit")
    open: Mapped[bool] = flag(default=True)


TYPES = Types(each for each in declared.values() if each.plugin in (KERNEL, PLUGIN))


def grants(scope: Scope, *verbs: str) -> tuple[tuple[str, Scope], ...]:
    return tuple((f"*.{verb}", scope) for verb in verbs)


POLICY = Policy(
    roles={
        role.name: role
        for role in (
            Role("sales", grants(Scope.OWN, "read", "create", "update", "delete")),
            Role("clerk", (*grants(Scope.UNIT, "read"), *grants(Scope.OWN, "create", "update"))),
            Role("manager", grants(Scope.SUBTREE, "read", "create", "update", "delete")),
            Role("deputy", grants(Scope.UNIT, "read", "update")),
            Role("director", (*grants(Scope.ALL, "read"), *grants(Scope.SUBTREE, "update", "create"))),
            Role("admin", (("*", Scope.ALL),)),
            Role("dispatcher", (("activity.*", Scope.ALL), ("account.read", Scope.OWN), ("affiliation.read", Scope.OWN),
                                ("contact.read", Scope.OWN))),
            Role("confidant", (("*.read", Scope.OWN), ("contact.read_notes", Scope.OWN),
                               ("activity.read_notes", Scope.OWN), ("access_probe.secret.read_limit", Scope.OWN))),
            Role("reader", grants(Scope.OWN, "read")),
            Role("editor", grants(Scope.OWN, "read", "update", "create")),
            Role("adder", (("*.read", Scope.UNIT), ("access_probe.secret.create", Scope.UNIT))),
            Role("keeper", (*grants(Scope.OWN, "read"), *grants(Scope.ALL, "create", "update", "delete"))),
            Role("filer", (*grants(Scope.UNIT, "read", "create"), *grants(Scope.OWN, "update"))),
            Role("mender", grants(Scope.SUBTREE, "update")),
            Role("looker", (("account.read", Scope.UNIT), ("contact.read", Scope.UNIT))),
            Role("guest", ()),
        )
    },
    custom={"access_probe.term": {"colour": Field(TextKind(40), "colour", optional=True, default=None)}},
)  # fmt: skip

"""Records of a plugin that refer to accounts and people in every way there is, and what compares databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import inspect, literal_column, select, table
from sqlalchemy.orm import Mapped

import crm_core.domain.activities
import crm_core.domain.duties
import crm_core.domain.external
import crm_core.domain.handovers.records
import crm_core.domain.pools
import crm_core.domain.quality
import crm_core.domain.redirects  # noqa: F401
from crm_core import Account, SoftReference
from crm_core.domain.references import REFERENCES
from crm_core.fields import Money, money, number, ref, tags, text
from crm_core.records import KERNEL, Dated, Record, Types, declared, extends, one_at_a_time, parent, record, via
from crm_core.store.dispatch import NoPlugins
from crm_core.store.partitions.layout import is_part
from crm_core.store.policy import Policy, Role, Scope
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from crm_core.store.tables import MATCH_KEY, TECHNICAL_TABLES

PLUGIN = "merge_probe"


@record("merge_probe.machine", access=via("account_id"))
class Machine(Record):
    """Stands at an account, may be a spare for another's, and may be built for a machine."""

    account_id: Mapped[int] = ref("account")
    spare_for_id: Mapped[int | None] = ref("account", default=None, on_delete="clear")
    buyer_id: Mapped[int | None] = ref("contact", default=None, on_delete="clear")
    part_of_id: Mapped[int | None] = ref("merge_probe.machine", default=None, on_delete="clear")
    name: Mapped[str] = text(80)
    price: Mapped[Money | None] = money(default=None)

    account: Mapped[Account] = parent("account_id")


@record("merge_probe.link", access=via("account_id", "other_id", every=True))
class Link(Record):
    """Between two accounts."""

    account_id: Mapped[int] = ref("account")
    other_id: Mapped[int] = ref("account")


@record("merge_probe.term", access=via("account_id"), exclusive=[one_at_a_time("account_id", "line")])
class Term(Dated):
    """At most one at a time for each line; gives way."""

    account_id: Mapped[int] = ref("account")
    line: Mapped[str] = text(20)
    value: Mapped[int] = number(0, default=0)
    secret: Mapped[str | None] = text(80, default=None, restricted="merge_probe.term.read_secret")


@record("merge_probe.clause", access=via("term_id"))
class Clause(Record):
    """Hangs on a term, which may go into another one."""

    term_id: Mapped[int] = ref("merge_probe.term")


@record("merge_probe.seat", access=via("account_id"), exclusive=[one_at_a_time("account_id", "contact_id")])
class Seat(Dated):
    """At most one at a time for each person; does not give way."""

    account_id: Mapped[int] = ref("account")
    contact_id: Mapped[int] = ref("contact")


@extends("account", "merge_probe.rating")
class Rating(Record):
    """One-to-one beside the account."""

    stars: Mapped[int] = number(0, default=0)
    remark: Mapped[str | None] = text(200, default=None)
    labels: Mapped[frozenset[str]] = tags(default=frozenset())
    secret: Mapped[str | None] = text(80, default=None, restricted="merge_probe.rating.read_secret")


@record("merge_probe.review", access=via("rating_id"))
class Review(Record):
    """Refers to an extension."""

    rating_id: Mapped[int] = ref("merge_probe.rating")
    note: Mapped[str | None] = text(80, default=None)


@record("merge_probe.memo", access=via("account_id"))
class Memo(Record):
    """Names other records by type and id, and an account by id alone."""

    account_id: Mapped[int | None] = ref("account", default=None)
    about_type: Mapped[str | None] = text(80, default=None)
    about_id: Mapped[int | None] = number(0, default=None)
    payer: Mapped[int | None] = number(0, default=None)


@record("merge_probe.hint", access=via("account_id"))
class Hint(Record):
    """About a person at an account."""

    account_id: Mapped[int] = ref("account")
    contact_id: Mapped[int] = ref("contact")
    note: Mapped[str] = text(80, personal=True)


TYPES = Types(each for each in declared.values() if each.plugin in (KERNEL, PLUGIN))
KERNEL_TYPES = Types(each for each in declared.values() if each.plugin == KERNEL)
SOFT = (
    *REFERENCES,
    SoftReference(record="merge_probe.memo", type_field="about_type", id_field="about_id"),
    SoftReference(record="merge_probe.memo", id_field="payer", target="account"),
)
ROLES = {
    role.name: role
    for role in (
        Role("sales", (("*", Scope.OWN),)),
        Role("manager", (("*", Scope.SUBTREE),)),
        Role("reader", (("*.read", Scope.OWN),)),
        Role("admin", (("*", Scope.ALL),)),
        Role("looker", (("*.read", Scope.ALL), ("account.merge", Scope.ALL), ("account.update", Scope.OWN))),
    )
}
POLICY = Policy(roles=ROLES, references=SOFT)


class Plugins(NoPlugins):
    """The terms give way; the seats do not."""

    def check_merge(self, session: CrmSession, record_type: str, target_id: int, source_id: int) -> frozenset[str]:
        return frozenset({"merge_probe.term"})


_STAMPS = {"version", "updated_at"}


def dump(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but the journal's, as the driver gives them, ordered, without stamps."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    left_out = {table.name for table in TECHNICAL_TABLES} - {MATCH_KEY.name}
    with store._reading.connect() as connection:
        # Names alone: to reflect all tables takes as long as to merge and split a hundred records.
        for name in inspect(connection).get_table_names():
            if name in left_out or is_part(name) or name.startswith(("crm_version", "crm_search")):
                continue
            rows = connection.execute(select(literal_column("*")).select_from(table(name)))
            kept = [number for number, column in enumerate(rows.keys()) if column not in _STAMPS]
            found[name] = sorted((tuple(row[number] for number in kept) for row in rows), key=repr)
    return found


def dangling(store: Store, types: Types = TYPES) -> list[str]:
    """References, declared or soft, that lead nowhere."""
    wrong = []
    with store._reading.connect() as connection:
        ids = {
            name: set(connection.execute(select(each.table.c.id)).scalars())
            for name, each in types.items()
        }  # fmt: skip
        for record_type in types.values():
            table = record_type.table
            refs = [(field.name, field.target) for field in record_type.refs]
            refs += [("id", record_type.extends)] if record_type.extends else []
            for column, target in refs:
                for id_, value in connection.execute(select(table.c.id, table.c[column])):
                    if value is not None and value not in ids[str(target)]:
                        wrong.append(f"{record_type.name} {id_}.{column} -> {target} {value}")
        for soft in SOFT:
            if soft.record not in types:
                continue
            table = types[soft.record].table
            kind = table.c[soft.type_field] if soft.type_field else table.c.id
            for id_, name, value in connection.execute(select(table.c.id, kind, table.c[soft.id_field])):
                target = name if soft.type_field else soft.target
                if value is not None and target in ids and value not in ids[target]:
                    wrong.append(f"{soft.record} {id_}.{soft.id_field} -> {target} {value}")
    return wrong


def day(number_: int | None) -> dt.datetime | None:
    """A day as a moment."""
    return None if number_ is None else dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number_)

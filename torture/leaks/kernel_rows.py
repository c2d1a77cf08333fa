"""Rows of those records of the kernel that a made up company lacks, and a past: changes, moves, merges, deletions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select, update

from crm_core import (
    Account,
    AccountAddress,
    AccountRelation,
    Address,
    Contact,
    ContactPoint,
    CrmError,
    DutyConfirmation,
    ExternalRef,
    Lifecycle,
    Ownership,
    OwnershipRole,
    Participant,
    PointKind,
    PoolEvent,
    PoolEventKind,
    QualityIssue,
    Stage,
    handovers,
    merging,
)
from crm_core.store.tables import CHANGE_SET
from crm_core.testing.conformance.marks import Lively, markable
from crm_core.testing.conformance.population import PRINCIPAL, REFUSALS, Population

if TYPE_CHECKING:
    from crm_core import Crm, CrmSession
    from torture.leaks.company import Together

__all__ = ["further_rows", "past"]

_CALLS = ("+86 10 5555 {:04d}", "zq@firm{:04d}.example")


@attrs.frozen
class _Maker:
    """Draws from what there is."""

    subject: Together
    chance: random.Random
    lively: Lively
    ids: dict[str, list[int]]

    def one(self, record: str) -> int:
        """Any record of a type."""
        return self.chance.choice(self.ids[record])

    def maybe(self, record: str) -> int | None:
        """Any record of a type, or none."""
        return self.chance.choice([None, *self.ids[record]])


def further_rows(
    subject: Together, crm: Crm, population: Population, chance: random.Random, lively: Lively, each: int
) -> None:
    """Up to ``each`` rows of every record of the kernel that has none yet, and what makes the rest look alike."""
    maker = _Maker(subject, chance, lively, population.ids)
    with crm.system_session(PRINCIPAL) as session:
        _alike(session, maker)
    for make in (_address, _relation, _point, _stage, _deputy, _participant, _event, _confirmation, _key, _issue):
        for _ in range(each):
            _try(crm, maker, make)
    for _ in range(max(3, each // 3)):
        _try(crm, maker, _handover)


def _try(crm: Crm, maker: _Maker, make: Callable[[CrmSession, _Maker], Any]) -> None:
    """What chance made up may contradict what is there; then there is one row less."""
    try:
        with crm.system_session(PRINCIPAL) as session:
            made = make(session, maker)
            if made is not None:
                session.add(made)
    except REFUSALS:
        return


def _alike(session: CrmSession, maker: _Maker) -> None:
    """Accounts and people that share a telephone or a mail, so that they might be doubles; some grades and towns."""
    for account in session.list(Account, limit=None):
        account.grade = maker.chance.choice([None, "A", "B"])
        account.industry = maker.lively.word()
        account.phone = _CALLS[0].format(maker.chance.randrange(6))
        account.address = Address(city=maker.lively.word())
        account.custom = {"motto": maker.lively.word()}
    for person in session.list(Contact, limit=None):
        person.custom = {"hobby": maker.lively.word()}


def _address(session: CrmSession, maker: _Maker) -> Any:
    address = Address(city=maker.lively.word())
    return AccountAddress(account_id=maker.one("account"), kind=maker.lively.word(), address=address)


def _relation(session: CrmSession, maker: _Maker) -> Any:
    start, end = maker.lively.validity()
    kind = maker.chance.choice(sorted(session.policy.vocabularies["account.relation"]))
    return AccountRelation(
        account_id=maker.one("account"), other_id=maker.one("account"), kind=kind, valid_from=start, valid_to=end
    )


def _point(session: CrmSession, maker: _Maker) -> Any:
    at_account = maker.chance.random() < 0.5
    kind, value = maker.chance.choice(
        [(PointKind.PHONE, _CALLS[0]), (PointKind.EMAIL, _CALLS[1]), (PointKind.OTHER, maker.lively.word())]
    )
    return ContactPoint(
        contact_id=None if at_account else maker.one("contact"),
        account_id=maker.one("account") if at_account else None,
        kind=kind,
        value=value.format(maker.chance.randrange(6)),
        label=maker.lively.word(),
    )


def _stage(session: CrmSession, maker: _Maker) -> Any:
    return Lifecycle(account_id=maker.one("account"), stage=maker.chance.choice(list(Stage)))


def _deputy(session: CrmSession, maker: _Maker) -> Any:
    start, end = maker.lively.validity()
    role = maker.chance.choice([OwnershipRole.BACKUP, OwnershipRole.MENTOR])
    return Ownership(
        account_id=maker.one("account"), user_id=maker.one("user"), role=role, valid_from=start, valid_to=end,
        reason=maker.lively.word(),
    )  # fmt: skip


def _participant(session: CrmSession, maker: _Maker) -> Any:
    return Participant(
        activity_id=maker.one("activity"), contact_id=maker.maybe("contact"), user_id=maker.maybe("user")
    )


def _event(session: CrmSession, maker: _Maker) -> Any:
    return PoolEvent(
        account_id=maker.one("account"), pool="best", user_id=maker.maybe("user"),
        kind=maker.chance.choice(list(PoolEventKind)), at=session.now, reason=maker.lively.word(),
    )  # fmt: skip


def _confirmation(session: CrmSession, maker: _Maker) -> Any:
    duty = maker.chance.choice(sorted(session.policy.duties))
    return DutyConfirmation(
        account_id=maker.one("account"), duty=duty, user_id=maker.maybe("user"), confirmed_at=session.now,
        note=maker.lively.word(),
    )  # fmt: skip


def _key(session: CrmSession, maker: _Maker) -> Any:
    record = maker.chance.choice(["account", "contact"])
    return ExternalRef(system="erp", record_type=record, key=maker.lively.word(), record_id=maker.one(record))


def _issue(session: CrmSession, maker: _Maker) -> Any:
    record = maker.chance.choice(["account", "contact"])
    about = maker.one(record)
    proposal = maker.chance.random() < 0.6
    anchor: dict[str, Any] = {f"{record}_id": about}
    return QualityIssue(
        **anchor, record_type=record, record_id=about, kind="change" if proposal else "mend",
        field="name" if proposal else None, found=maker.lively.word() if proposal else None,
        proposed=maker.lively.word() if proposal else None, subject=maker.lively.word(), reason=maker.lively.word(),
        proposer_id=maker.maybe("user"), assignee_id=maker.maybe("user"),
    )  # fmt: skip


def _handover(session: CrmSession, maker: _Maker) -> Any:
    drafted = handovers.draft(
        session, maker.one("user"), to=maker.one("user"), message=maker.lively.word(), reason=maker.lively.word()
    )
    session.flush()
    if maker.chance.random() < 0.6:
        handovers.offer(session, drafted)


def past(crm: Crm, chance: random.Random, lively: Lively) -> None:
    """A week ago: texts were replaced, records moved to other accounts, some were merged and some deleted.

    Afterwards each change set is somebody's, so that there are people who wrote what they see no more.
    """
    for record_type in crm.types.values():
        for id_ in _some(crm, record_type.cls, chance, 0.25):
            _change(crm, record_type, id_, chance, lively)
        if record_type.name not in ("unit", "user", "membership", "account", "contact"):
            for id_ in _some(crm, record_type.cls, chance, 0.06):
                _changed(crm, partial(_delete, cls=record_type.cls, id_=id_))
    for cls in (Account, Contact):
        one, other = chance.sample(_some(crm, cls, chance, 1.0), 2)
        _changed(crm, partial(_merge, cls=cls, one=one, other=other))
    with crm.system_session(PRINCIPAL) as session:
        users = list(session.core(select(crm.types["user"].table.c.id)).scalars())
        for id_ in session.core(select(CHANGE_SET.c.id)).scalars().all():
            author = chance.choice([None, *users])
            session.core(update(CHANGE_SET).where(CHANGE_SET.c.id == id_).values(user_id=author))


def _delete(session: CrmSession, cls: Any, id_: int) -> None:
    session.delete_many(cls, [id_])


def _merge(session: CrmSession, cls: Any, one: int, other: int) -> None:
    merging.merge(session, session.require(cls, one), session.require(cls, other))


def _some(crm: Crm, cls: Any, chance: random.Random, part: float) -> list[int]:
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        ids: Sequence[int] = [each.id for each in session.list(cls, limit=None, all_dates=True)]
    return [id_ for id_ in ids if chance.random() < part]


def _change(crm: Crm, record_type: Any, id_: int, chance: random.Random, lively: Lively) -> None:
    texts = [field.name for field in record_type.fields if markable(field)]
    moves = [field.name for field in record_type.refs if field.target == "account" and field.name != "other_id"]

    def work(session: CrmSession) -> None:
        record = session.require(record_type.cls, id_)
        if texts:
            setattr(record, chance.choice(texts), lively.word())
        elif moves and record_type.name not in ("ownership", "quality_issue", "handover_item"):
            setattr(record, chance.choice(moves), chance.choice(_some(crm, Account, chance, 1.0)))

    _changed(crm, work)


def _changed(crm: Crm, work: Callable[[CrmSession], Any]) -> None:
    try:
        with crm.system_session(PRINCIPAL) as session:
            work(session)
    except CrmError:
        return

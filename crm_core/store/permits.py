"""What an actor may write: the questions that the write path asks before it does."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, bindparam, select

from crm_core.domain.ownership import TRANSFER
from crm_core.errors import NotFound, PermissionDenied
from crm_core.records import RecordType, Via
from crm_core.store.created import Created
from crm_core.store.key_fields import require_steward
from crm_core.store.locking import all_at_once
from crm_core.store.parts import in_parts
from crm_core.store.quick import quickly
from crm_core.store.values import row_reader

if TYPE_CHECKING:
    from crm_core.store.actor import Reach
    from crm_core.store.session import CrmSession

__all__ = ["Permits"]

_BESIDE = ("id", "version", "created_at", "created_by", "custom")


class Permits:
    """Who may see, create and change what, in one session."""

    def __init__(self, session: CrmSession) -> None:
        self.session = session
        self.created = Created()
        self.seeing: Mapping[str, Collection[int]] = {}
        """By record type, what new records may refer to although the actor does not see it."""
        self.locked: defaultdict[str, set[int]] = defaultdict(set)
        """By record type what this transaction has locked, as far as it remembers."""
        self._kernel = False

    @contextmanager
    def as_kernel(self, seeing: Mapping[str, Collection[int]] | None = None) -> Iterator[None]:
        """What follows from the kernel's own rules needs no permission of the actor.

        ``seeing`` are ids by record type that new records may refer to although the actor does not see them: whoever
        claims an account from a pool, or takes over what somebody else left. What was assigned before still needs the
        actor's own permission, and is written first.
        """
        self.session.flush()
        before = self._kernel, self.seeing
        self._kernel, self.seeing = True, {**self.seeing, **{name: set(ids) for name, ids in (seeing or {}).items()}}
        try:
            yield
            self.session.flush()
        finally:
            self._kernel, self.seeing = before

    @property
    def is_kernel(self) -> bool:
        """Whether what is written now follows from a rule of the kernel."""
        return self._kernel

    # -- questions ---------------------------------------------------------------------------------------------

    def visible_ids(
        self, record_type: RecordType, ids: Iterable[int], verb: str = "read", *, permission: str | None = None
    ) -> set[int]:
        """Those of ``ids`` that exist and that the actor may read (update, delete), or reads with a ``permission``."""
        criterion = self.session.visibility.criterion(record_type, record_type.table, verb, permission=permission)
        return self._matching(record_type, ids, criterion)

    def require_steward(self, record_type: RecordType, ids: Iterable[int]) -> None:
        """Refuse whoever may not decide about key fields of these records."""
        require_steward(self.session, record_type, ids)

    def within(self, record_type: RecordType, ids: Iterable[int], reaches: frozenset[Reach]) -> set[int]:
        """Those of the accounts ``ids`` that lie within all of ``reaches``."""
        return self._matching(record_type, ids, self.session.visibility.accounts_within(record_type.table, reaches))

    def reached(self, permissions: Iterable[str], accounts: Iterable[int]) -> set[int]:
        """Those of the accounts that every one of the permissions reaches for the actor."""
        wanted = set(accounts)
        reaches = {self.session.visibility.reach(name) for name in permissions}
        narrow = frozenset(reach for reach in reaches if not reach.all)
        if not narrow:
            return wanted
        own = wanted & self.created.of(self.session.types["account"])
        found = set() if any(reach.nothing for reach in narrow) else own
        return found | self.within(self.session.types["account"], wanted - own, narrow)

    def require_transfer(self, accounts: Iterable[int]) -> None:
        """Refuse whoever may not transfer these accounts, to whomever."""
        wanted = set(accounts)
        missing = wanted - self.reached(TRANSFER, wanted)
        if missing:
            raise PermissionDenied(
                "{principal} may not give the account {id} to somebody else: that needs the right to transfer it.",
                mend="Ask whoever may, or for a role whose permissions {permissions} reach it.",
                record="ownership",
                principal=self.session.actor.principal,
                permissions=", ".join(TRANSFER),
                id=min(missing),
            )

    def answers_for(self, user_id: int, permissions: Iterable[str]) -> bool:
        """Whether every one of the permissions reaches whatever a user is responsible for now."""
        for reach in {self.session.visibility.reach(name) for name in permissions}:
            if reach.all or (reach.own and user_id == self.session.actor.user_id):
                continue
            people = self.session.visibility.people(reach)
            if people is None or user_id not in self.session.core(people).scalars():
                return False
        return True

    def _outside(
        self, record_type: RecordType, ids: set[int], criterion: Callable[[], ColumnElement[bool] | None]
    ) -> set[int]:
        """Those of ``ids`` that do not meet a criterion, which is made only if there are any."""
        meets = criterion() if ids else None
        return set() if meets is None else ids - self._matching(record_type, ids, meets)

    def _matching(self, record_type: RecordType, ids: Iterable[int], criterion: ColumnElement[bool] | None) -> set[int]:
        found: set[int] = set()
        ordered = sorted(ids)
        for part in in_parts(ordered):
            if criterion is None:
                found.update(quickly(self.session.core_connection(), _by_ids(record_type), {"ids": part}).scalars())
            else:
                found.update(self.session.core(_by_ids(record_type).where(criterion), {"ids": part}).scalars())
        return found

    def rows(
        self,
        record_type: RecordType,
        ids: Iterable[int],
        *,
        fields: Collection[str] | None = None,
        lock: bool = False,
    ) -> dict[int, dict[str, Any]]:
        """Rows by id: values of all ``fields``, and ``version``, ``created_at``, ``created_by``, ``custom``.

        ``lock`` keeps others from changing them, or hanging something on them, until the transaction ends.
        """
        found: dict[int, dict[str, Any]] = {}
        ordered = sorted(ids)
        query, read = _rows_by_ids(record_type, None if fields is None else frozenset(fields))
        if lock:
            # By id: of two who lock the same records the other way round, PostgreSQL would end one, after a second.
            query = query.order_by(record_type.table.c.id).with_for_update()
        for part in in_parts(ordered):
            for row in self.session.core(query, {"ids": part}):
                found[row.id] = values = read(row)
                if row.custom:
                    values["custom"] = row.custom
        return found

    def hold(
        self, changing: Mapping[RecordType, Collection[int]], going: Mapping[RecordType, Collection[int]] | None = None
    ) -> None:
        """Before anything is written: see :func:`crm_core.store.locking.all_at_once`."""
        all_at_once(self.session, changing, going)

    def may(self, record_type: RecordType, verb: str) -> None:
        """Refuse what no role or share of the actor allows anywhere."""
        session = self.session
        if session.read_only:
            raise PermissionDenied(
                "This session is read-only.", mend="Open one without read_only=True.", record=record_type.name
            )
        if session.at_given or session.as_of is not None:
            raise PermissionDenied(
                "A session that looks at another time cannot write.",
                mend="Open a session without at and as_of; give dates to the verbs.",
                record=record_type.name,
            )
        if self._kernel:
            return
        reach = session.visibility.reach(record_type.permission(verb))
        if reach.nothing and not reach.share_roles:
            raise self._no_role(record_type, verb)

    def _no_role(self, record_type: RecordType, verb: str) -> PermissionDenied:
        return PermissionDenied(
            "{principal} may not {verb} records of type {record}.",
            mend="A role with the permission {permission} is needed.",
            principal=self.session.actor.principal,
            verb=verb,
            record=record_type.name,
            permission=record_type.permission(verb),
        )

    def may_change(self, record_type: RecordType, ids: Iterable[int], verb: str) -> None:
        """Refuse changes of records that the actor does not see, or sees but may not change.

        Of whoever may update all it is not asked whether they are there: who updates them finds that out.
        """
        self.may(record_type, verb)
        if self.session.actor.system or self._kernel:
            return
        wanted = set(ids) - self.created.of(record_type)
        criterion = self.session.visibility.criterion(record_type, record_type.table, verb) if wanted else None
        if criterion is None and verb == "update":
            return
        missing = wanted - self._matching(record_type, wanted, criterion)
        if not missing:
            return
        if unseen := missing - self.visible_ids(record_type, missing):
            raise NotFound(
                "There is no {record} {id}.",
                mend="Check the id, or ask whoever is responsible for it.",
                record=record_type.name,
                id=min(unseen),
            )
        raise PermissionDenied(
            "{principal} may see the {record} {id}, but not {verb} it.",
            mend="Ask its owner, or a role whose permission {permission} reaches it.",
            principal=self.session.actor.principal,
            record=record_type.name,
            id=min(missing),
            verb=verb,
            permission=record_type.permission(verb),
        )

    def may_create(self, record_type: RecordType, rows: Sequence[Mapping[str, Any]], ids: Sequence[int]) -> None:
        """Refuse new records beneath something the actor may not add to."""
        self.may(record_type, "create")
        if self.session.actor.system or self._kernel:
            return
        if self.session.visibility.reach(record_type.permission("create")).nothing:
            # Only a share could grant it, and a share reaches no further than what hangs on the account.
            names = self.session.visibility.shareable(record_type)
            if not all(any(name == "id" or row.get(name) is not None for name in names) for row in rows):
                raise self._no_role(record_type, "create")
        if not self.session.visibility.may_add(record_type):
            raise PermissionDenied(
                "{principal} may not create records of type {record}, from which everybody's rights follow.",
                mend="A role with the permission {permission} at scope all is needed.",
                principal=self.session.actor.principal,
                record=record_type.name,
                permission=record_type.permission("create"),
            )
        for name, target, wanted, criterion in self.session.visibility.parents(record_type, rows, ids):
            beneath = wanted - self.created.of(target)
            if missing := self._outside(target, beneath, criterion):
                raise PermissionDenied(
                    "{principal} may not add a {record} to the {target} {id}.",
                    mend="Ask its owner, or a role whose permission {permission} reaches it.",
                    principal=self.session.actor.principal,
                    record=record_type.name,
                    field=name,
                    target=target.name,
                    id=min(missing),
                    permission=record_type.permission("create"),
                )

    def may_move(self, record_type: RecordType, rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """A record that is hung on another parent must be allowed there, as if it were created there.

        ``rows`` are pairs of what a record is to be and what of it changes.
        """
        if not isinstance(record_type.access, Via) or self.session.actor.system or self._kernel:
            return
        moved = [row for row, change in rows if not change.keys().isdisjoint(record_type.access.fields)]
        for _, target, wanted, criterion in self.session.visibility.parents(record_type, moved, (), "update"):
            beneath = wanted - self.created.of(target)
            if self._outside(target, beneath, criterion):
                raise PermissionDenied(
                    "{principal} may not move a {record} there.",
                    mend="Ask the owner of the target.",
                    principal=self.session.actor.principal,
                    record=record_type.name,
                )


@functools.cache
def _by_ids(record_type: RecordType) -> Select[tuple[int]]:
    """Ids that exist; made once, because every write with references asks it."""
    table = record_type.table
    return select(table.c.id).where(table.c.id.in_(bindparam("ids", expanding=True)))


@functools.lru_cache(maxsize=1024)  # whoever changes records chooses the fields
def _rows_by_ids(
    record_type: RecordType, fields: frozenset[str] | None
) -> tuple[Select[Any], Callable[[Sequence[Any]], dict[str, Any]]]:
    """Rows, whole or with some fields and what stands beside them, and what reads them.

    Kept, because every change asks it.
    """
    table = record_type.table
    columns = list(table.c)
    if fields is not None:
        wanted = {name for field in record_type.fields if field.name in fields for name in field.column_names}
        columns = [table.c[name] for name in (*sorted(wanted), *_BESIDE)]
    query = select(*columns).where(table.c.id.in_(bindparam("ids", expanding=True)))
    names = tuple(column.name for column in columns)
    return query, row_reader(record_type, names, ("version", "created_at", "created_by"))

"""At creation: whether a new record may be there already, told to whoever creates it, as far as they may know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.store.actor import valid_at
from crm_core.store.collecting import uncollected
from crm_core.store.duplicates import Candidate, Holders, all_holders, make_candidate
from crm_core.store.match_keys import KEYED, Key, Row, keys_of
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["Noted", "Served", "note"]

_KEPT = 1000
_SOURCES = frozenset({"account", "contact", "contact_point", "affiliation"})


@attrs.frozen
class Served:
    """The customer of a new record is served already, by somebody out of sight.

    ``ask`` is the name of a colleague to ask, where the build allows to say so much. Nothing else is known here.
    """

    id: int
    ask: str | None = None


@attrs.define
class Noted:
    """What was found about the records that a transaction created; of very many candidates the first are kept."""

    candidates: list[Candidate] = attrs.field(factory=list)
    served: list[Served] = attrs.field(factory=list)
    count: int = 0
    position: int = 0
    """How far the session's log was looked through."""
    over: bool = False
    """Whether the transaction has ended, so that the next one begins anew."""
    worked_out: dict[int, tuple[Mapping[str, Any], list[Row]]] = attrs.field(factory=dict)

    def begin(self) -> None:
        """A new transaction begins."""
        if self.over:
            self.clear()

    def clear(self) -> None:
        """Nothing is known."""
        self.candidates, self.served = [], []
        self.count = self.position = 0
        self.over = False
        self.worked_out.clear()

    def end(self, *, committed: bool) -> None:
        """The transaction has ended: what was found in it stays to be read, or did not happen."""
        if self.over:
            return
        self.worked_out.clear()
        self.position = 0
        if not committed:
            self.clear()
        self.over = True

    def back(self, gone: set[int], length: int) -> None:
        """A savepoint was rolled back, and with it the creation of the records ``gone``."""
        self.position = min(self.position, length)
        if gone:
            kept = [each for each in self.candidates if not gone & {each.id, each.other_id}]
            self.count -= len(self.candidates) - len(kept)
            self.candidates = kept
            self.served = [each for each in self.served if each.id not in gone]


def note(session: CrmSession) -> None:
    """Look once at what was created since the last look: few statements for each thousand records."""
    noted, log = session.noted, session.writer.log
    noted.begin()
    entries = log[noted.position :]
    noted.position = len(log)
    if not session.policy.duplicates.at_creation:
        return
    made = [each for each in entries if each.operation == "create" and each.name in _SOURCES]
    people = {each.id: each.after for each in made if each.name == "contact"}
    for each in entries:
        if each.operation != "create" and each.name == "contact":
            people.pop(each.id, None)  # the database knows the latest name
    for part in in_parts(made, _KEPT):
        _look(session, part, people)


@uncollected
def _look(session: CrmSession, entries: Sequence[Entry], people: Mapping[int, Mapping[str, Any]]) -> None:
    by_type: defaultdict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for entry in entries:
        by_type[entry.name][entry.id] = entry.after
    wanted: dict[str, dict[Key, list[int]]] = {name: {} for name in KEYED}
    created = {name: session.writer.created.of(session.types[name]) for name in KEYED}
    worked_out = session.noted.worked_out
    for name, rows in by_type.items():
        shares: dict[int, list[Row]] = {id_: [] for id_ in rows}
        for row in keys_of(session, name, rows, people):
            record_type, record_id, source_id, kind, key = row
            shares[source_id].append(row)
            # Only what is new itself: of an older record it was told when it was created.
            if record_id in created[record_type]:
                holders = wanted[record_type].setdefault((kind, key), [])
                if record_id not in holders[-1:]:
                    holders.append(record_id)
        for id_, values in rows.items():
            worked_out[id_] = (values, shares[id_])
    asked = {name: new for name, new in wanted.items() if new}
    for name, there in (all_holders(session, asked) if asked else {}).items():
        _tell(session, name, asked[name], there)


def _tell(session: CrmSession, name: str, new: Mapping[Key, Sequence[int]], there: Holders) -> None:
    rules, noted = session.policy.duplicates, session.noted
    pairs: defaultdict[tuple[int, int], set[Key]] = defaultdict(set)
    for key, ids in new.items():
        if len(ids) == 1 and key not in there.seen:
            continue
        fresh = dict.fromkeys(ids)
        everybody = sorted({*fresh, *there.seen.get(key, ())})
        if 1 < len(everybody) <= rules.most:
            for id_ in fresh:
                for other in everybody:
                    # Two new records are one pair: the later is the double of the earlier.
                    if other != id_ and (other not in fresh or other < id_):
                        pairs[id_, other].add(key)
    known = {(each.id, each.other_id): place for place, each in enumerate(noted.candidates)}
    for (id_, other), keys in sorted(pairs.items()):
        place = known.get((id_, other))
        if place is not None:
            held = {(each.kind, each.key) for each in noted.candidates[place].keys}
            noted.candidates[place] = make_candidate(name, id_, other, held | keys)
            continue
        noted.count += 1
        if len(noted.candidates) < _KEPT:
            noted.candidates.append(make_candidate(name, id_, other, keys))
    if name == "account" and rules.tell != "nothing" and not session.actor.system:
        _tell_served(session, new, there)


def _tell_served(session: CrmSession, new: Mapping[Key, Sequence[int]], there: Holders) -> None:
    """That somebody serves the customer, and perhaps who: of however many that are out of sight, the oldest's owner."""
    account = session.types["account"]
    own = session.writer.created.of(account)
    unseen: defaultdict[int, set[int]] = defaultdict(set)
    for key, fresh in new.items():
        hidden = there.hidden.get(key, set()) - own
        for id_ in fresh:
            unseen[id_] |= hidden
    owners = _owners(session, {id_ for ids in unseen.values() for id_ in ids})
    told = {each.id for each in session.noted.served}
    for id_, hidden in sorted(unseen.items()):
        served = min(hidden & owners.keys(), default=None)
        if served is not None and id_ not in told:
            ask = owners[served] if session.policy.duplicates.tell == "whom" else None
            session.noted.served.append(Served(id_, ask))


def _owners(session: CrmSession, accounts: Iterable[int]) -> dict[int, str]:
    """The name of an owner of each account that has one now."""
    owner, user = Ownership.crm_type.table, User.crm_type.table
    found: dict[int, str] = {}
    ordered = sorted(accounts)
    for part in in_parts(ordered):
        query = (
            select(owner.c.account_id, user.c.name)
            .select_from(owner.join(user, user.c.id == owner.c.user_id))
            .where(
                owner.c.account_id.in_(part),
                owner.c.role == OwnershipRole.OWNER,
                valid_at(owner, session.now),
            )
            .order_by(owner.c.account_id, owner.c.scope, owner.c.id)
        )
        for row in session.core(query):
            found.setdefault(row.account_id, row.name)
    return found

"""What a set of rules would have done: replayed over the journal before it is switched on."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import or_, select

from crm_core.domain.dated import moment_of
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.pools import HELD_ACTIVITY, Pool
from crm_core.errors import ValidationError
from crm_core.store.partitions.recorded import require_recorded
from crm_core.store.parts import in_parts
from crm_core.store.pools.free import Bound, account_type, bound
from crm_core.store.pools.journal import Sign, account_versions, held_activities
from crm_core.store.pools.replay import FOREVER, Known, Lost, Runs, State, Tenure, replay
from crm_core.store.pools.signs import ENDLESS, gathered, horizon, kinds_of

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["HOUR", "Loss", "Simulation", "simulate"]

HOUR = 2
"""The hour of the day, on the organisation's clocks, at which the rules run."""

_BATCH = 1000


@attrs.frozen(kw_only=True)
class Loss:
    """An account that somebody would have lost.

    ``last_chance`` is the latest day on which one more ``sign`` of life (a held activity, an order) would have kept it
    beyond ``day``: until ``lost_then``, or to the end (``None``). It is ``None`` where one alone would not have helped.
    """

    account_id: int
    user_id: int
    day: dt.date
    pool: str
    rule: str
    sign: str
    grade: str | None
    warned_on: dt.date | None
    last_chance: dt.date | None
    lost_then: dt.date | None

    @property
    def saved(self) -> bool:
        """Whether one more sign of life would have kept the account to the end."""
        return self.last_chance is not None and self.lost_then is None


@attrs.frozen(kw_only=True)
class Simulation:
    """What the rules would have done from the day ``since`` up to the day ``until``.

    ``losses`` are in order of day and account; ``owned`` counts the times of owners that were looked at. ``notes`` name
    the pools whose condition could not be asked of the past and was asked of today.
    """

    since: dt.date
    until: dt.date
    owned: int
    losses: tuple[Loss, ...]
    notes: tuple[str, ...] = ()

    def by_user(self) -> dict[int, list[Loss]]:
        """The losses of each user, those with the most first."""
        found: defaultdict[int, list[Loss]] = defaultdict(list)
        for loss in self.losses:
            found[loss.user_id].append(loss)
        return dict(sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])))

    def by_day(self) -> Counter[dt.date]:
        """How many accounts would have gone back on each day."""
        return Counter(loss.day for loss in self.losses)


def simulate(
    session: CrmSession,
    pools: Mapping[str, Pool] | Iterable[Pool] | None = None,
    *,
    since: dt.date | None = None,
    days: int = 180,
) -> Simulation:
    """Replay rules (by default the build's) over the last ``days``, or since a day: who would have lost which accounts.

    The rules run once a day, at two o'clock, from the first day on as if they had been switched on then: warnings come
    first. They know what the CRM knew at the time: an activity that was entered late did not help before, and the grade
    is that of the day. Ownership is as its dated rows say. Only accounts that the actor sees today are told of. The
    number of statements grows with each thousand accounts and changes, the work with what happened.

    Raises :class:`ValidationError` for a day that lies ahead, :class:`~crm_core.errors.PastDetached` where what was
    recorded since then is not all here, :class:`~crm_core.errors.HookError` when a plugin cannot tell the signs of life
    that a rule looks at.
    """
    given = pools.values() if isinstance(pools, Mapping) else pools
    rules = bound(session, given)
    runs = _runs(session, since, days)
    work = _Simulator(session, rules, runs)
    if runs.moments:
        require_recorded(session, runs.moments[0])
    losses = [loss for tenure in work.tenures for loss in work.losses(tenure)]
    losses.sort(key=lambda loss: (loss.day, loss.account_id, loss.pool))
    return Simulation(
        since=runs.first,
        until=session.clock().astimezone(runs.tz).date(),
        owned=len(work.tenures),
        losses=tuple(losses),
        notes=work.notes,
    )


def _runs(session: CrmSession, since: dt.date | None, days: int) -> Runs:
    tz = session.policy.tz
    now = session.clock()
    today = now.astimezone(tz).date()
    first = today - dt.timedelta(days) if since is None else since
    if first > today or days < 0:
        raise ValidationError("{since} lies ahead.", mend="Rules are simulated over days that have passed.",
                              since=first)  # fmt: skip
    moments = []
    for number in range((today - first).days + 1):
        moment = moment_of(dt.datetime.combine(first + dt.timedelta(number), dt.time(HOUR), tz), tz)
        if moment <= now:
            moments.append(moment)
    return Runs(first, moments, tz)


class _Simulator:
    """Loads what there is to know, a few statements for everything, and replays it owner by owner."""

    def __init__(self, session: CrmSession, rules: Bound, runs: Runs) -> None:
        self.session = session
        self.rules = rules
        self.runs = runs
        self.scopes = [scope for scope in rules.scopes if any(each.recycle for each in rules.of_scope(scope).pools)]
        self.notes = tuple(pool.name for pool, asked in zip(rules.pools, _of_today(session, rules), strict=True)
                           if asked)  # fmt: skip
        self.tenures: list[Tenure] = self._tenures() if runs.moments and self.scopes else []
        ids = {tenure.account_id for tenure in self.tenures}
        self.states = self._states(ids) if ids else {}
        self.signs = self._signs(ids) if ids else {}

    def losses(self, tenure: Tenure) -> Iterable[Loss]:
        """The loss of one owner, if there is one, with the visit that would have saved it."""
        states = self.states[tenure.scope][tenure.account_id]
        signs = self.signs.get(tenure.account_id, [])
        lost = replay(self.runs, tenure, states, signs)
        if lost is None:
            return
        chance, then = None, None
        if lost.rule.without is not None:
            chance, then = self._saved(tenure, states, signs, lost)
        yield Loss(
            account_id=tenure.account_id,
            user_id=tenure.user_id,
            day=self.runs.day(lost.run),
            pool=lost.pool.name,
            rule=lost.rule.key,
            sign=lost.rule.signal,
            grade=lost.grade,
            warned_on=None if lost.warned is None else self.runs.day(lost.warned),
            last_chance=chance,
            lost_then=then,
        )

    def _saved(
        self, tenure: Tenure, states: Sequence[State], signs: Sequence[Known], lost: Lost
    ) -> tuple[dt.date | None, dt.date | None]:
        """The last day on which one more sign of life would have helped, and when the account was lost even so."""
        day = self.runs.day(lost.run)
        at = moment_of(day, self.runs.tz) - dt.timedelta(microseconds=1)
        saved = replay(self.runs, tenure, states, [*signs, Known(lost.rule.signal, at, lost.run, FOREVER)])
        if saved is None:
            return day - dt.timedelta(1), None
        if saved.run == lost.run:
            return None, None
        return day - dt.timedelta(1), self.runs.day(saved.run)

    # -- loading -----------------------------------------------------------------------------------------------

    def _owners(self, *columns: Any) -> Any:
        owner = Ownership.crm_type.table
        first, last = self.runs.moments[0], self.runs.moments[-1]
        return select(*columns).where(
            owner.c.role == OwnershipRole.OWNER,
            owner.c.scope.in_(self.scopes),
            or_(owner.c.valid_from.is_(None), owner.c.valid_from <= last),
            or_(owner.c.valid_to.is_(None), owner.c.valid_to > first),
        )

    def _tenures(self) -> list[Tenure]:
        owner = Ownership.crm_type.table
        query = self._owners(
            owner.c.account_id, owner.c.user_id, owner.c.scope, owner.c.valid_from, owner.c.valid_to, owner.c.created_at
        ).order_by(owner.c.account_id, owner.c.id)
        account = account_type(self.session)
        if (seen := self.session.visibility.criterion(account, account.table)) is not None:
            query = query.where(owner.c.account_id.in_(select(account.table.c.id).where(seen)))
        found = []
        for row in self.session.core(query):
            start = self.runs.at(row.valid_from)
            end = len(self.runs.moments) if row.valid_to is None else self.runs.at(row.valid_to)
            if start < end:
                found.append(Tenure(row.account_id, row.user_id, row.scope, row.valid_from, row.created_at, start, end))
        return found

    def _states(self, ids: set[int]) -> dict[str, dict[int, list[State]]]:
        """By scope and account: the pool that would take it, and its grade, from which run on."""
        account, owner = account_type(self.session).table, Ownership.crm_type.table
        pools = {scope: self.rules.of_scope(scope) for scope in self.scopes}
        numbers = [pools[scope].number(account).label(f"pool_{place}") for place, scope in enumerate(self.scopes)]
        rows: Any = self.session.core(
            select(account.c.id, account.c.grade, account.c.active, *numbers).where(
                account.c.id.in_(self._owners(owner.c.account_id))
            )
        )
        changed = account_versions(self.session, account_type(self.session), self.runs.moments[0], ids)
        asked_of_today = set(self.notes)
        found: dict[str, dict[int, list[State]]] = {scope: {} for scope in self.scopes}
        for id_, grade, active, *here in rows:
            if id_ not in ids:
                continue
            for scope, number in zip(self.scopes, here, strict=True):
                now = pools[scope].pools[number] if number is not None and active else None
                if id_ not in changed:
                    found[scope][id_] = [State(0, now, grade)]
                    continue
                today = now if asked_of_today.intersection(each.name for each in pools[scope].pools) else None
                found[scope][id_] = [
                    State(self.runs.at(since), _pool_of(pools[scope], id_, values, today, asked_of_today),
                          None if values is None else values.get("grade"))
                    for since, values in changed[id_]
                ]  # fmt: skip
        return found

    def _signs(self, ids: set[int]) -> dict[int, list[Known]]:
        first, last = self.runs.moments[0], self.runs.moments[-1]
        pools = [pool for pool in self.rules.pools if pool.recycle]
        signs: dict[int, list[Sign]] = {}
        without, after = kinds_of(pools, after=False), kinds_of(pools, after=True)
        if HELD_ACTIVITY in without:
            signs = held_activities(self.session, first, last, ids)
        system = self.session.as_system("pools.simulate")
        try:
            ordered = sorted(ids)
            for part in in_parts(ordered, _BATCH):
                for each in gathered(system, part, without, horizon(pools, first), last):
                    sign = Sign(each.kind, each.at, each.known_at)
                    signs.setdefault(each.account_id, []).append(sign)
                for each in gathered(system, part, after, None, ENDLESS):
                    # A date ahead is known before it comes: it is seen from the first run on.
                    sign = Sign(each.kind, each.at, each.known_at)
                    signs.setdefault(each.account_id, []).append(sign)
        finally:
            system.close()
        return {id_: [self._known(sign, sign.kind in after) for sign in found] for id_, found in signs.items()}

    def _known(self, sign: Sign, ahead: bool) -> Known:
        enters = self.runs.at(sign.known_from)
        leaves = FOREVER if sign.known_until is None else self.runs.at(sign.known_until)
        return Known(sign.kind, sign.at, enters if ahead else max(enters, self.runs.at(sign.at)), leaves)


def _pool_of(
    pools: Bound, id_: int, values: Mapping[str, Any] | None, today: Pool | None, asked_of_today: set[str]
) -> Pool | None:
    """The first pool that takes an account with such values."""
    if values is None or not values.get("active"):
        return None
    if asked_of_today.intersection(pool.name for pool in pools.pools):
        return today
    row = {**values, "id": id_}
    for pool, condition in zip(pools.pools, pools.filters, strict=True):
        if condition is None or condition.matches(row, None):
            return pool
    return None


def _of_today(session: CrmSession, rules: Bound) -> list[bool]:
    """Whether the condition of each pool can be asked of today only: it looks at other records, or at the day."""
    later = bound(session, rules.pools, session.now + dt.timedelta(days=400))
    return [
        one is not None and other is not None and (one.needs_world or not one.means_the_same(other))
        for one, other in zip(rules.filters, later.filters, strict=True)
    ]

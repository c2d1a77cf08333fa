"""What follows from rights of one shape, put together once for everybody who has such rights.

A session reads each time who acts and where they belong. What that means in SQL is the same for all who have the same
roles in as many units: only the ids and the moment differ. So the conditions are made with parameters in their place,
and are kept, together with the statements that they were added to; each session brings its own values. A right that is
taken away makes another shape, at the next session.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import attrs
from sqlalchemy import ColumnClause, ColumnElement, Dialect, FromClause, bindparam
from sqlalchemy.orm import LoaderCriteriaOption
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.visitors import iterate

from crm_core.fields.columns import BIGINT, Moment
from crm_core.records import Administered, Private, Public, RecordType, Types
from crm_core.store.actor import Actor, valid_at
from crm_core.store.gathered import GatheredVisibility, HeldVisibility
from crm_core.store.policy import Policy
from crm_core.store.ready import Ready, ready
from crm_core.store.visibility import WIDE, Criterion, Visibility, bare

__all__ = ["Criteria", "Kept", "Passing", "Shape", "Shapes", "Way", "values_of"]

_KEPT = 64
"""How many shapes are kept: builds have a handful of roles, and most people have one of them."""

_NOW: Any = bindparam("crm_now", type_=Moment())
_AT: Any = bindparam("crm_at", type_=Moment())
_USER: Any = bindparam("crm_user", type_=BIGINT)


class Likeness(Actor):
    """Anybody with rights of one shape: in place of their id and those of their units stand parameters."""

    @property
    def mine(self) -> Any:
        """See :attr:`Actor.mine`."""
        return _USER

    def those(self, units: frozenset[int]) -> list[Any]:
        """See :meth:`Actor.those`; the units of a likeness are numbered from 0."""
        return [bindparam(f"crm_unit{number}", type_=BIGINT) for number in sorted(units)]


class Criteria(LoaderCriteriaOption):
    """``with_loader_criteria`` that also holds where a join leads to an alias.

    SQLAlchemy adapts the criterion to an alias in the FROM, but not in the ON of a join, where it expects a lambda that
    is called with the alias; a lambda would keep its first branch.
    """

    def __init__(self, record_type: RecordType, criterion: ColumnElement[bool]) -> None:
        super().__init__(record_type.cls, criterion, include_aliases=True, propagate_to_loaders=True)
        key, self._parameters = _known_by(criterion)
        self._kept = (Criteria, self.entity, key)

    def _gen_cache_key(self, anon_map: Any, bindparams: list[Any]) -> Any:
        bindparams.extend(self._parameters)
        return self._kept

    def _resolve_where_criteria(self, ext_info: Any) -> ColumnElement[bool]:
        # Not as SQLAlchemy has it, with each element marked against recursion: our criteria have nothing of the ORM
        # inside, and parameters with marks are slow to look up whenever the statement is executed.
        criterion = cast("ColumnElement[bool]", self.where_criteria)
        return ext_info._adapter.traverse(criterion) if ext_info.is_aliased_class else criterion


class Known(Grouping[bool]):
    """A condition in brackets, for a statement that is put together for each page; it, too, is walked once."""

    inherit_cache = True

    def __init__(self, condition: ColumnElement[bool]) -> None:
        super().__init__(condition)
        key, self._parameters = _known_by(condition)
        self._kept = (Known, key)

    def _gen_cache_key(self, anon_map: Any, bindparams: list[Any]) -> Any:
        bindparams.extend(self._parameters)
        return self._kept


def _known_by(condition: ColumnElement[bool]) -> tuple[Any, tuple[Any, ...]]:
    """By what SQLAlchemy's cache tells statements with this condition apart, and its parameters.

    It is found once: to walk the condition takes longer than to run most statements. No two conditions share a
    parameter but those named above, or else one statement would be taken for another in which the same two parameters
    have different values.
    """
    kept = condition._generate_cache_key()
    assert kept is not None
    return kept.key, tuple(kept.bindparams)


@attrs.frozen
class Passing:
    """What decides whether a walk passes over a row: the condition, the rows it is about, and which columns it needs.

    The rows have a name of their own, so that they are not those of the statement around the walk.
    """

    rows: FromClause
    condition: Known
    names: frozenset[str]


class Way(NamedTuple):
    """How a statement is carried out: whether dates are let be, whether all is gathered, whether rows are probed."""

    all_dates: bool
    gathered: bool
    wide: bool


class Kept:
    """What a statement that somebody keeps has become under the conditions of one shape.

    One that was not changed is not held here, or else nobody's would be kept for good.
    """

    def __init__(self, given: Any, changed: Any) -> None:
        self._changed = None if changed is given else changed
        self._ready: Ready | None = None
        self._tried = False

    def statement(self, given: Any) -> Any:
        """The ``given`` statement as it is executed."""
        return given if self._changed is None else self._changed

    def ready(self, given: Any, dialect: Dialect) -> Ready | None:
        """The same as text; ``None`` where SQLAlchemy has to execute it."""
        if not self._tried:
            self._ready, self._tried = ready(self.statement(given), dialect), True
        return self._ready


@attrs.frozen(eq=False)
class Shape:
    """The conditions of rights of one shape, and the statements that they were added to."""

    types: Types
    policy: Policy
    actor: Actor
    _options: dict[tuple[RecordType, bool, bool, bool], Criteria | None] = attrs.field(factory=dict)
    _passing: dict[tuple[RecordType, bool, bool], Passing | None] = attrs.field(factory=dict)
    # A statement that somebody keeps is kept here as it is executed, for as long as it is kept there.
    statements: WeakKeyDictionary[Any, dict[Way, Kept]] = attrs.field(factory=WeakKeyDictionary)

    def depends_on_width(self, types: Iterable[RecordType]) -> bool:
        """Whether it matters for these types how much the actor sees."""
        return not self.actor.system and not all(
            isinstance(each.access, Public | Private | Administered) for each in types
        )

    def option(self, record_type: RecordType, rows: Any, dated: bool, way: Way) -> Criteria | None:
        """The condition for the ``rows`` of a record type, and for their dates; ``None`` where there is none."""
        dated = dated and record_type.dated
        key = (record_type, dated, way.gathered, way.wide)
        if key not in self._options:
            kind = GatheredVisibility if way.gathered else Visibility
            criterion = self._criterion(kind, way.wide, record_type, rows, dated)
            self._options[key] = None if criterion is None else Criteria(record_type, criterion)
        return self._options[key]

    def passing(self, record_type: RecordType, dated: bool, held: bool) -> Passing | None:
        """The same condition for rows that are walked along an index, probed or ``held`` to what is gathered."""
        dated = dated and record_type.dated
        key = (record_type, dated, held)
        if key not in self._passing:
            rows = bare(record_type.table).alias("crm_walked")
            criterion = self._criterion(HeldVisibility if held else Visibility, not held, record_type, rows, dated)
            if criterion is None:
                self._passing[key] = None
            else:
                mine = [each for each in iterate(criterion) if isinstance(each, ColumnClause) and each.table is rows]
                self._passing[key] = Passing(rows, Known(criterion), frozenset(each.name for each in mine))
        return self._passing[key]

    def _criterion(
        self, kind: type[Visibility], wide: bool, record_type: RecordType, rows: Any, dated: bool
    ) -> Criterion:
        # A new one for each condition, so that no two have anything in common.
        visibility = kind(self.types, self.policy, self.actor, _NOW, lambda: WIDE if wide else 0)
        criterion = visibility.criterion(record_type, rows)
        if dated:
            holds = valid_at(rows, _AT)
            criterion = holds if criterion is None else holds & criterion
        return criterion


class Shapes:
    """The shapes of rights that a store has met lately."""

    def __init__(self, types: Types, policy: Policy) -> None:
        self._types = types
        self._policy = policy
        self._lock = threading.Lock()
        self._shapes: OrderedDict[Any, Shape] = OrderedDict()

    def of(self, actor: Actor) -> Shape:
        """The shape of somebody's rights: the roles, and which of them are in the same unit."""
        numbers = _numbers(actor)
        places = tuple((numbers[unit], role) for unit, role in _places(actor))
        # With what the roles grant, in case that somebody changes the policy of a store that is open.
        key = (actor.system, places, tuple(self._policy.roles.get(role) for _, role in places))
        with self._lock:
            found = self._shapes.get(key)
            if found is None:
                like = actor if actor.system else Likeness(principal="", user_id=0, places=places)
                found = self._shapes[key] = Shape(self._types, self._policy, like)
                if len(self._shapes) > _KEPT:
                    self._shapes.popitem(last=False)
            else:
                self._shapes.move_to_end(key)
        return found


def values_of(actor: Actor, now: dt.datetime, at: dt.datetime) -> Mapping[str, Any]:
    """What stands for the parameters of a shape in a session."""
    units = {f"crm_unit{number}": unit for unit, number in _numbers(actor).items()}
    return {"crm_now": now, "crm_at": at, "crm_user": actor.user_id, **units}


def _places(actor: Actor) -> list[tuple[int, str]]:
    return sorted(actor.places, key=lambda place: place[1])


def _numbers(actor: Actor) -> dict[int, int]:
    """The units of an actor, numbered in the order of the roles there."""
    found: dict[int, int] = {}
    for unit, _ in _places(actor):
        found.setdefault(unit, len(found))
    return found

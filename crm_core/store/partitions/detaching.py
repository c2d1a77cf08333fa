"""Detaching the oldest parts of the journal: what stands in the way is told first, and nothing is lost by it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from sqlalchemy import bindparam, func, insert, or_, select, text, tuple_, update

from crm_core.errors import NotFound, Problem, StillNeeded, StoreError
from crm_core.fields.columns import Moment
from crm_core.store.clock import database_now
from crm_core.store.partitions.changing import changing, require_partitions
from crm_core.store.partitions.files import file_name, occupied, write
from crm_core.store.partitions.layout import DIVIDED, bounds, made, name_of, number_of
from crm_core.store.partitions.listing import current_number
from crm_core.store.partitions.moving import erasures, take_out
from crm_core.store.tables import CHANGE, CHANGE_SET, FEED_POSITION, JOB, JOURNAL_PART, LAST_LOOK

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.policy import Policy
    from crm_core.store.store import Store

__all__ = ["Detached", "detach", "detachable", "duties_before"]

_AGAIN: Final = "feed.deliver"
_OPEN: Final = ("waiting", "running", "dead")


@attrs.frozen
class Detached:
    """What is (``dry_run``: would be) detached: the numbers of the parts, and from when on the journal is whole.

    ``written`` are the files, also of parts that were detached before and are written now. ``obstacles`` are what a
    dry run found in the way. ``looked_before`` counts users who looked at their news last before that moment: what
    happened between is not told to them.
    """

    numbers: tuple[int, ...] = ()
    cut: dt.datetime | None = None
    change_sets: int = 0
    changes: int = 0
    written: tuple[str, ...] = ()
    obstacles: tuple[Problem, ...] = ()
    looked_before: int = 0


def detach(store: Store, before: dt.datetime, *, to: Path | None = None, dry_run: bool = False) -> Detached:
    """Detach the parts in which everything was recorded before a moment; their tables are kept beside the journal.

    With ``to`` each is then written to a file in that folder, read back, and its tables are dropped; parts that were
    detached before are, too. Raises :class:`NotFound` where no part is that old, :class:`StillNeeded` with all that
    stands in the way (a consumer of the feed that has not come so far, a duty that looks further back), and
    :class:`StoreError` on SQLite, or where a file cannot be written: whatever is not in a file then is kept, and
    written by the next call.
    """
    require_partitions(store)
    if to is not None and not to.is_dir():
        raise StoreError("There is no folder {path}.", mend="Make it, or give another one.", path=str(to))
    found = Detached()
    with changing(store) as connection:
        chosen, cut = detachable(connection, before)
        if chosen and cut is not None:
            found = _look(store, connection, chosen, cut)
            if found.obstacles and not dry_run:
                raise _refused(found)
            for number in chosen:
                if to is not None and (to / file_name(number)).exists():
                    raise occupied(to / file_name(number))
                if not dry_run:
                    _take(connection, number, cut)
    kept = [] if to is None else _kept(store, before)
    if not found.numbers and not kept:
        raise NotFound(
            "No part of the journal holds only what was recorded before {before}.",
            mend="'crm journal' shows the parts; what is recorded after 'crm journal begin' goes to a new one.",
            before=before.astimezone(store.policy.tz).isoformat(" ", "seconds"),
        )
    if to is None:
        return found
    files = {number: (to / file_name(number)).resolve() for number in sorted({*kept, *found.numbers})}
    written = [str(file) for number, file in files.items() if dry_run or _write(store, number, file)]
    return attrs.evolve(found, written=tuple(written))


def detachable(connection: Connection, before: dt.datetime) -> tuple[list[int], dt.datetime | None]:
    """The parts that may go, and the moment from which on everything is in the others.

    That is when the first of the others began. So a part may go when one after it has begun.
    """
    current = current_number(connection)
    begun = {number: _first(connection, number) for number in made(connection)}
    filled = [number for number, first in begun.items() if first is not None and number < current]
    chosen: list[int] = []
    cut: dt.datetime | None = None
    for number in filled:
        later = [first for other, first in begun.items() if other > number and first is not None]
        if not later or min(later) > before:
            break
        chosen.append(number)
        cut = min(later)
    return chosen, cut


def _first(connection: Connection, number: int) -> dt.datetime | None:
    table = name_of(CHANGE_SET.name, number)
    query = text(f"SELECT min(at) AS first FROM {table} WHERE source <> 'erasure'")  # noqa: S608 - a name of our own
    found: dt.datetime | None = connection.execute(query.columns(first=Moment())).scalar()
    return found


def _take(connection: Connection, number: int, cut: dt.datetime) -> None:
    heads, changes = (name_of(table, number) for table, _ in DIVIDED)
    # Counted before anybody has to wait: nothing more of that time comes in.
    held: Any = connection.execute(
        text(
            "SELECT min(at) AS first_at, max(at) AS last_at, max(place) AS place, count(*) AS change_sets, "  # noqa: S608
            f"(SELECT count(*) FROM {changes} AS c JOIN {heads} AS h ON h.id = c.change_set_id "
            "WHERE h.at < :cut AND h.source <> 'erasure') AS changes "
            f"FROM {heads} WHERE at < :cut AND source <> 'erasure'"
        )
        .bindparams(bindparam("cut", type_=Moment()))
        .columns(first_at=Moment(), last_at=Moment()),
        {"cut": cut},
    ).one()
    take_out(connection, number, cut, erasures(connection, number))
    connection.execute(
        insert(JOURNAL_PART).values(number=number, cut=cut, detached_at=database_now(connection), **held._mapping)
    )


# -- what stands in the way ------------------------------------------------------------------------------------


def _look(store: Store, connection: Connection, numbers: list[int], cut: dt.datetime) -> Detached:
    inside = [(CHANGE_SET.c.id >= start) & (CHANGE_SET.c.id < end) for start, end in map(bounds, numbers)]
    going = or_(*inside) & (CHANGE_SET.c.at < cut) & (CHANGE_SET.c.source != "erasure")
    last = connection.execute(
        select(CHANGE_SET.c.place, CHANGE_SET.c.id).where(going).order_by(CHANGE_SET.c.place.desc(),
                                                                          CHANGE_SET.c.id.desc()).limit(1)
    ).first()  # fmt: skip
    sets = connection.execute(select(func.count()).select_from(CHANGE_SET).where(going)).scalar_one()
    changes = connection.execute(
        select(func.count())
        .select_from(CHANGE.join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id))
        .where(going)
    ).scalar_one()
    looks = select(func.count(LAST_LOOK.c.user_id.distinct())).where(LAST_LOOK.c.at < cut)
    obstacles = [
        *([] if last is None else _consumers(connection, last)),
        *_jobs(connection, set(numbers)),
        *duties_before(store.policy, database_now(connection), cut),
    ]
    looked_before: int = connection.execute(looks).scalar_one()
    return Detached(tuple(numbers), cut, sets, changes, obstacles=tuple(obstacles), looked_before=looked_before)


def _consumers(connection: Connection, last: Any) -> Iterator[Problem]:
    """Those that have yet to be told of something that would go."""
    at = tuple_(FEED_POSITION.c.place, FEED_POSITION.c.change_set_id)
    behind = select(FEED_POSITION.c.consumer).where(at < tuple_(last.place, last.id)).order_by(FEED_POSITION.c.consumer)
    for name in connection.execute(behind).scalars():
        yield Problem(
            name,
            "the plugin was not told of everything in it.",
            "Let the worker run ('crm worker'), after switching the plugin on if it is off.",
        )


def _jobs(connection: Connection, numbers: Iterable[int]) -> Iterator[Problem]:
    """Change sets that were put aside for a plugin, and would be looked up again."""
    going = set(numbers)
    waiting = select(JOB.c.id, JOB.c.arguments).where(JOB.c.name == _AGAIN, JOB.c.state.in_(_OPEN)).order_by(JOB.c.id)
    for row in connection.execute(waiting):
        given = json.loads(row.arguments)
        if number_of(int(given["change_set"])) in going:
            yield Problem(
                str(given["plugin"]),
                "the job {job} is to tell it of the change set {id} again.",
                "Repeat the job ('crm jobs retry {job}'), or drop it.",
                {"job": row.id, "id": given["change_set"]},
            )


def duties_before(policy: Policy, now: dt.datetime, cut: dt.datetime) -> Iterator[Problem]:
    """Duties that look further back than to a moment."""
    for rule in policy.duties.values():
        if now - rule.every < cut:
            yield Problem(
                f"duties.{rule.name}",
                "the duty looks {days} days back.",
                "Detach what is older, or shorten the duty.",
                {"days": rule.every_days},
            )


def _refused(found: Detached) -> StillNeeded:
    return StillNeeded(
        "Parts of the journal cannot be detached, as they are still needed.",
        found.obstacles,
        mend="Nothing was changed.",
    )


# -- files -----------------------------------------------------------------------------------------------------


def _kept(store: Store, before: dt.datetime) -> list[int]:
    kept = select(JOURNAL_PART.c.number).where(JOURNAL_PART.c.file.is_(None), JOURNAL_PART.c.cut <= before)
    with store.reading() as connection:
        return list(connection.execute(kept.order_by(JOURNAL_PART.c.number)).scalars())


def _write(store: Store, number: int, file: Path) -> bool:
    """Write a part to its file, and only then drop its tables; whether its tables were still kept."""
    with changing(store) as connection:
        row = (JOURNAL_PART.c.number == number) & JOURNAL_PART.c.file.is_(None)
        if connection.execute(select(JOURNAL_PART.c.number).where(row)).first() is None:
            return False  # somebody attached or wrote it meanwhile
        try:
            held = write(connection, number, file)
        except OSError as error:
            raise StoreError(
                "{path} cannot be written: {reason}. The part is detached, and its tables are kept.",
                mend="Give the command once more when that is mended, or with another folder.",
                path=str(file),
                reason=error.strerror or str(error),
            ) from error
        sets, changes = (held.rows[table] for table, _ in DIVIDED)
        values = {"file": str(file), "sha256": held.sha256, "change_sets": sets, "changes": changes}
        connection.execute(update(JOURNAL_PART).where(row).values(**values))
        for table, _ in DIVIDED:
            connection.exec_driver_sql(f"DROP TABLE {name_of(table, number)}")
    return True

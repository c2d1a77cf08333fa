"""Merging: two records that are the same become one, and can be taken apart again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from crm_core.domain.redirects import Redirect
from crm_core.errors import Conflict, MergeConflict, NotFound, Objection, PastDetached, Problem, ValidationError
from crm_core.records import Record, RecordType
from crm_core.store.erasure import is_erased
from crm_core.store.key_fields import check_key_fields
from crm_core.store.merges.engine import Engine, referring
from crm_core.store.merges.report import FieldChoice, MergeReport
from crm_core.store.merges.survivors import Survivors, choose_fields
from crm_core.store.tables import CHANGE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.store.undo import UndoReport

__all__ = ["FieldChoice", "MergeReport", "merge", "merged_into", "resolve", "split", "tell_merged"]

R = TypeVar("R", bound=Record)


def merge(
    session: CrmSession,
    target: R,
    source: R,
    *,
    choose: Mapping[str, str] | None = None,
    dry_run: bool = False,
    reason: str | None = None,
) -> MergeReport:
    """Let ``source`` go into ``target``: what refers to it refers to the target from now on, and so do its keys.

    Where both have a value, the rules of the build decide (``[merge.account]``), or ``choose``: a rule by field
    (``{"name": "source", "custom.vehicles": "newest", "key_accounts.profile.tier": "longest"}``). Nothing is lost: the
    owner of the source becomes a collaborator, rows that cannot both hold are cut or joined, and the report tells of
    each. The source leaves a redirect. The merge is a change set of its own, so that its undo splits the two again
    (:func:`split`): raises :class:`Conflict` in a session that has written already, and so does whatever is written
    after it before the commit.

    Needs the permission ``<record>.merge`` on both, and that both may be changed. Raises :class:`MergeConflict`, and
    changes nothing, when something stands in the way, as it does where one of the two was erased; with ``dry_run`` the
    report says what would.
    """
    record_type = _mergeable(target, source)
    session.check()
    if session.writer.log or session.writer.journal.change_set_id is not None:
        raise Conflict(
            "A merge stands alone, so that it can be taken apart again.",
            mend="Commit the other changes of this session first.",
        )
    ids = (target.id, source.id)
    for verb in ("merge", "update"):  # not "delete": nothing is lost by a merge
        session.writer.may_change(record_type, ids, verb)
    report = MergeReport(record_type.name, *ids, dry_run)
    own, extensions = _sorted_choices(session, record_type, choose or {})
    session.writer.hold(referring(session, record_type, ids), {record_type: ids})
    rows = session.writer.rows(record_type, ids, lock=True)
    if rows.keys() != set(ids):
        raise NotFound("There is no {record} {id}.", record=record_type.name, id=min(set(ids) - rows.keys()))
    if _refuse_erased(record_type, ids, rows, report):
        if not dry_run:
            raise _conflict(report)
        return report
    survivors = choose_fields(session, record_type, ids, (rows[ids[0]], rows[ids[1]]), own)
    check_key_fields(session, record_type, [(target.id, survivors.changes)])
    # What the source loses is a change of it, too: or else a new record, freely written, would outdo a guarded one.
    merged = {**rows[ids[0]], **survivors.changes}
    lost = {name: merged.get(name) for name in record_type.by_name if merged.get(name) != rows[ids[1]].get(name)}
    check_key_fields(session, record_type, [(source.id, lost)])
    report.fields += survivors.told
    savepoint = session.begin_nested()
    try:
        _carry_out(session, record_type, survivors, report, extensions)
    except BaseException:
        savepoint.rollback()
        session.expire_all()
        raise
    if report.conflicts or dry_run:
        savepoint.rollback()
        session.expire_all()
        if report.conflicts and not dry_run:
            raise _conflict(report)
        report.redirect_id = None
    else:
        savepoint.commit()
        session.writer.closed = True
        session.source, session.reason = "merge", reason or session.reason
        session.expire_all()
    return report


def _conflict(report: MergeReport) -> MergeConflict:
    return MergeConflict(
        "The {record} {source} cannot be merged into {target}. Nothing was changed.",
        report.conflicts,
        record=report.record_type,
        source=report.source_id,
        target=report.target_id,
    )


def _refuse_erased(
    record_type: RecordType, ids: Iterable[int], rows: Mapping[int, Mapping[str, Any]], report: MergeReport
) -> bool:
    """What was erased is nobody's double any more: the tombstone would outlive the person, or come back to life."""
    for id_ in ids:
        if is_erased(record_type, rows[id_]):
            report.conflicts.append(
                Problem(
                    f"{record_type.name} {id_}",
                    "it was erased.",
                    "Leave it by itself. If the other one is the same person, erase that one too.",
                )
            )
    return bool(report.conflicts)


def _mergeable(target: Record, source: Record) -> RecordType:
    record_type = target.crm_type
    if source.crm_type is not record_type or record_type.extends or target.id == source.id:
        raise ValidationError(
            "{source} cannot be merged into {target}.",
            mend="Give two different records of one type that is no extension.",
            target=f"{record_type.name} {target.id}",
            source=f"{source.crm_type.name} {source.id}",
        )
    return record_type


def _sorted_choices(
    session: CrmSession, record_type: RecordType, choose: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Choices for the record's own fields, and those for each extension."""
    own: dict[str, str] = {}
    extensions: defaultdict[str, dict[str, str]] = defaultdict(dict)
    known = {each.name for each in session.types.extensions(record_type.name)}
    for name, rule in choose.items():
        extension = next((each for each in known if name.startswith(f"{each}.")), None)
        if extension is None:
            own[name] = rule
        else:
            extensions[extension][name.removeprefix(f"{extension}.")] = rule
    return own, dict(extensions)


def _carry_out(
    session: CrmSession,
    record_type: RecordType,
    survivors: Survivors,
    report: MergeReport,
    choose: Mapping[str, Mapping[str, str]],
) -> None:
    target, source = report.target_id, report.source_id
    try:
        cut = session.store.dispatch.check_merge(session, record_type.name, target, source)
        engine = Engine(session, report, choose, cut)
        with session.writer.as_kernel():
            engine.absorb(record_type, {source: target}, {target: survivors.changes})
            if report.conflicts:
                return
            (report.redirect_id,) = session.add_many(
                Redirect,
                [{"record_type": record_type.name, "source_id": source, "target_id": target, "at": session.clock()}],
            )
        session.check()
    except Objection as error:
        report.conflicts += error.problems
    except Conflict as error:
        report.conflicts.append(Problem("", error.problem, error.mend, {**error.values, "record": error.record}))


def split(
    session: CrmSession,
    merged: Redirect | int,
    *,
    record_type: RecordType | None = None,
    dry_run: bool = False,
) -> UndoReport:
    """Take apart what was merged: ``merged`` is the redirect, or the id of the record that went (of this type).

    The merge's change set is undone, with what was changed since as conflicts. Raises :class:`NotFound` where nothing
    was merged, or where the actor may not know of it.
    """
    redirect = Redirect.crm_type.table
    id_ = merged.id if isinstance(merged, Redirect) else merged
    condition = (redirect.c.id == id_) | (redirect.c.source_id == id_)
    if record_type is not None:
        condition &= redirect.c.record_type == record_type.name
    row = session.core(select(redirect).where(condition).order_by(redirect.c.id.desc()).limit(1)).first()
    if row is None or _seen_target(session, row.record_type, row.target_id) is None:
        raise NotFound("Nothing was merged under the id {id}.", mend="Give the id of the record that went.", id=id_)
    # Where a split was itself undone, that is what made it the last time.
    made: int | None = session.core(
        select(CHANGE.c.change_set_id)
        .where(CHANGE.c.type == Redirect.crm_type.name, CHANGE.c.record_id == row.id, CHANGE.c.operation == "create")
        .order_by(CHANGE.c.version.desc())
        .limit(1)
    ).scalar()
    if made is None:
        raise PastDetached(
            "The merge under the id {id} was recorded in a part of the journal that is detached.",
            mend="Bring it back ('crm journal attach'), and split then.",
            id=id_,
        )
    report: UndoReport = session.undo(made, dry_run=dry_run)
    return report


def resolve(session: CrmSession, record_type: RecordType | type[Record] | str, id_: int) -> int:
    """Where a record is now: the id of what it was merged into, step by step, or its own.

    Of what the actor does not see nothing is told: the answer is ``id_`` then.
    """
    if isinstance(record_type, str):
        record_type = session.store.find_type(record_type)
    elif isinstance(record_type, type):
        record_type = record_type.crm_type
    found = merged_into(session, record_type, [id_]).get(id_)
    return id_ if found is None else found


def merged_into(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> dict[int, int]:
    """What records were merged into, for those of which the actor sees the survivor."""
    found: dict[int, int] = {}
    redirect = Redirect.crm_type.table
    if Redirect.crm_type.name not in session.types:
        return found
    steps = {id_: id_ for id_ in ids}
    while steps:
        rows = session.core(
            select(redirect.c.source_id, redirect.c.target_id).where(
                redirect.c.record_type == record_type.name, redirect.c.source_id.in_(sorted(set(steps.values())))
            )
        )
        next_: dict[int, int] = {row.source_id: row.target_id for row in rows}
        steps = {id_: next_[at] for id_, at in steps.items() if at in next_ and found.get(id_) != next_[at]}
        found |= steps
    visible = session.writer.visible_ids(record_type, set(found.values())) if found else set()
    return {id_: target for id_, target in found.items() if target in visible}


def _seen_target(session: CrmSession, name: str, id_: int) -> int | None:
    record_type = session.types.get(name)
    if record_type is None or not session.writer.visible_ids(record_type, {id_}):
        return None
    return id_


def tell_merged(session: CrmSession, record_type: RecordType, id_: int) -> None:
    """Raise :class:`NotFound` that says where a record went, to whoever sees what it was merged into."""
    now = merged_into(session, record_type, [id_]).get(id_)
    if now is not None:
        raise NotFound(
            "The {record} {id} was merged into {target}.",
            mend="Ask for {target}.",
            record=record_type.name,
            id=id_,
            target=now,
        )

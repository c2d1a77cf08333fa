"""Handovers whose time has come: done by the worker, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from crm_core.domain.handovers.doing import do, settle
from crm_core.domain.handovers.records import WAITING, Handover, HandoverItem, HandoverState, ItemState

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.store.session import CrmSession

__all__ = ["JOB", "do_due", "due"]

JOB = "handover.due"
"""The name of the job."""


def due(session: CrmSession) -> list[int]:
    """The handovers whose effective date has come: all of it accepted and not done, or done and not settled."""
    unsettled = select(HandoverItem.handover_id).where(
        HandoverItem.state == ItemState.DONE, HandoverItem.settled_at.is_(None), HandoverItem.done_at <= session.clock()
    )
    return sorted({*_ready(session), *session.scalars(unsettled)})


def do_due(crm: Crm, arguments: Mapping[str, Any] | None = None) -> list[int]:
    """Do every handover that is due; returns their ids. One that fails keeps none of the others, and is told at last.

    It may be repeated: what is done is no longer due.
    """
    with crm.system_session(JOB, read_only=True) as session:
        ids = due(session)
    failures: list[Exception] = []
    for id_ in ids:
        try:
            with crm.system_session(JOB, reason="its day has come") as session:
                handover = session.require(Handover, id_)
                settle(session, handover)
                if id_ in _ready(session):
                    do(session, handover)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return ids


def _ready(session: CrmSession) -> Sequence[int]:
    """Offered, all of it accepted, and its day has come."""
    unanswered = exists().where(
        HandoverItem.handover_id == Handover.id,
        HandoverItem.state.in_([state for state in WAITING if state is not ItemState.ACCEPTED]),
    )
    accepted = exists().where(HandoverItem.handover_id == Handover.id, HandoverItem.state == ItemState.ACCEPTED)
    query = select(Handover.id).where(
        Handover.state == HandoverState.OFFERED, Handover.effective_at <= session.clock(), accepted, ~unanswered
    )
    return session.scalars(query).all()

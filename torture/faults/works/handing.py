"""A handover of all that somebody is responsible for, from the draft to the deed."""

from __future__ import annotations

from crm_core import Crm, CrmSession, Handover, handovers
from crm_core.domain.handovers import HandoverState, ItemState
from torture.faults.ground import Ground
from torture.faults.works.work import Work

__all__ = ["HandingOver"]

_LEAVER, _SUCCESSORS = "sales1", ("sales2", "sales3")


class HandingOver(Work):
    """Drafted, offered, accepted, done: each a change set, as each is the decision of somebody else."""

    name = "handover"
    sets = 4

    def run(self, ground: Ground, crm: Crm) -> None:
        with crm.system_session("handover", reason="a new life") as session:
            known = session.list(Handover)
            handover = known[0] if known else handovers.draft(session, _LEAVER, round_robin=_SUCCESSORS)
        ground.acknowledge(session.last_change_set)
        for step in (self._offer, self._accept, self._do):
            with crm.system_session("handover", reason="a new life") as session:
                step(session, session.require(Handover, handover.id))
            ground.acknowledge(session.last_change_set)

    @staticmethod
    def _offer(session: CrmSession, handover: Handover) -> None:
        if handover.state is HandoverState.DRAFTED:
            handovers.offer(session, handover)

    @staticmethod
    def _accept(session: CrmSession, handover: Handover) -> None:
        if offered := handovers.items(session, handover, ItemState.OFFERED):
            handovers.accept(session, offered)

    @staticmethod
    def _do(session: CrmSession, handover: Handover) -> None:
        if handover.state is HandoverState.OFFERED:
            handovers.do(session, handover)

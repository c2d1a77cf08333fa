"""Merges of accounts that are the same, one after the other."""

from __future__ import annotations

from crm_core import Account, Crm, merging
from torture.faults.ground import PAIRS, Ground
from torture.faults.works.work import Work

__all__ = ["Merging"]


class Merging(Work):
    """Each pair is a change set."""

    name = "merge"
    sets = PAIRS

    def run(self, ground: Ground, crm: Crm) -> None:
        for target, source in ground.facts["pairs"]:
            with crm.system_session("merge", reason="they are the same") as session:
                gone = session.get(Account, source)
                if gone is not None:
                    merging.merge(session, session.require(Account, target), gone)
            ground.acknowledge(session.last_change_set)

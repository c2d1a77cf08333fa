"""Pools: looking into them, claiming and giving back, recycling, handing out, and what rules would have done."""

from crm_core.store.pools.assigning import Assigned, AssignReport, assign
from crm_core.store.pools.browsing import Offer, Offers, browse
from crm_core.store.pools.claiming import claim, release
from crm_core.store.pools.free import find
from crm_core.store.pools.overview import Orphans, PoolCount, counts, history, orphans
from crm_core.store.pools.recycling import Due, Recycled, RecycleReport, due, recycle
from crm_core.store.pools.simulating import Loss, Simulation, simulate

__all__ = [
    "AssignReport", "Assigned", "Due", "Loss", "Offer", "Offers", "Orphans", "PoolCount", "RecycleReport", "Recycled",
    "Simulation", "assign", "browse", "claim", "counts", "due", "find", "history", "orphans", "recycle", "release",
    "simulate",
]  # fmt: skip

"""Pools: looking into them, claiming and giving back, recycling, handing out, and what rules would have done."""

from crm_core.store.pools.browsing import Offer, Offers, browse
from crm_core.store.pools.claiming import claim, release
from crm_core.store.pools.free import find

__all__ = ["Offer", "Offers", "browse", "claim", "find", "release"]

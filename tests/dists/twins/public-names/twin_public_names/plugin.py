"""Inner names of the kernel."""

from typing import Any

import crm_core
import crm_core.store.writer
from crm_core import dated
from crm_core.domain.accounts import Account

__all__ = ["Account", "later"]


def later() -> Any:
    """What may be gone in the next version."""
    from crm_core.fields import Kinds

    return Kinds, dated._overlaps, crm_core.secrets, crm_core.store.writer

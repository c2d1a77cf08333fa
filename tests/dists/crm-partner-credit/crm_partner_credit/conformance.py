"""What generated rows must keep beyond their declarations, for the conformance kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from crm_core import Money

__all__ = ["strategies"]


def strategies(ids: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Amounts and times of zero or more."""
    amounts = st.decimals(0, Decimal("999999.99"), places=2).map(lambda amount: Money(amount, "CNY"))
    return {
        "partner_credit.line": {
            "limit": st.none() | amounts,
            "outstanding": st.none() | amounts,
            "days_to_pay": st.integers(0, 365),
        }
    }

"""Help for testing the kernel, plugins and builds: fixtures, servers, strategies, the conformance kit.

The kit is loaded when one of its names is first touched, because every run of pytest imports this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_core.testing.conformance import CHECKS as CHECKS
    from crm_core.testing.conformance import Check as Check
    from crm_core.testing.conformance import Finding as Finding
    from crm_core.testing.conformance import Report as Report
    from crm_core.testing.conformance import Subject as Subject
    from crm_core.testing.conformance import check_plugin as check_plugin
    from crm_core.testing.conformance import verify as verify

__all__ = ["CHECKS", "Check", "Finding", "Report", "Subject", "check_plugin", "verify"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'crm_core.testing' has no attribute {name!r}")
    from crm_core.testing import conformance

    return getattr(conformance, name)

"""Every way to read records of one type: those of the conformance kit, which plugins are held to."""

from __future__ import annotations

from crm_core.testing.conformance.looks import LOOKS, counts, navigations, one_by_one

__all__ = ["LOOKS", "counts", "navigations", "one_by_one"]

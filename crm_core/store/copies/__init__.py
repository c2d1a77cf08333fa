"""Whole databases: copied consistently while others work, compared by content, and put back whole or not at all."""

from __future__ import annotations

from crm_core.store.copies.contents import Content, Contents, Tell, differences, quiet
from crm_core.store.copies.placing import Left, Workplace
from crm_core.store.copies.source import Facts, Source, Verified, opened, place_of
from crm_core.store.copies.targets import Target, target

__all__ = [
    "Content",
    "Contents",
    "Facts",
    "Left",
    "Source",
    "Target",
    "Tell",
    "Verified",
    "Workplace",
    "differences",
    "opened",
    "place_of",
    "quiet",
    "target",
]

"""The quality of what we know: proposals and their decision, and what is stale, contradicts itself, or is missing."""

from crm_core.domain.quality import (
    DECIDE,
    IssueState,
    approve,
    assigned,
    close,
    note_issues,
    proposals,
    propose,
    refuse,
    withdraw,
)
from crm_core.views.stewardship.findings import CHECKS, QualityFinding, findings
from crm_core.views.stewardship.queue import QueueEntry, queue

__all__ = [
    "CHECKS",
    "DECIDE",
    "IssueState",
    "QualityFinding",
    "QueueEntry",
    "approve",
    "assigned",
    "close",
    "findings",
    "note_issues",
    "proposals",
    "propose",
    "queue",
    "refuse",
    "withdraw",
]

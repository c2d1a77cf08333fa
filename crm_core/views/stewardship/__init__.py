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
from crm_core.views.stewardship.findings import CHECK_LABELS, CHECKS, QualityFinding, findings
from crm_core.views.stewardship.queue import QueueEntry, QueuePage, queue, queue_page

__all__ = [
    "CHECKS",
    "CHECK_LABELS",
    "DECIDE",
    "IssueState",
    "QualityFinding",
    "QueueEntry",
    "QueuePage",
    "approve",
    "assigned",
    "close",
    "findings",
    "note_issues",
    "proposals",
    "propose",
    "queue",
    "queue_page",
    "refuse",
    "withdraw",
]

"""Handovers: somebody gives accounts up, others take them over, and nothing that is open is left behind.

drafted → offered → accepted or refused, account by account → done → undone.
"""

from crm_core.domain.handovers.answering import accept, cancel, offer, refuse
from crm_core.domain.handovers.doing import Deed, Received, do, settle
from crm_core.domain.handovers.drafting import assign, draft
from crm_core.domain.handovers.due import JOB, do_due, due
from crm_core.domain.handovers.finding import items, waiting_for
from crm_core.domain.handovers.owning import Unchanged
from crm_core.domain.handovers.records import Handover, HandoverItem, HandoverState, ItemState
from crm_core.domain.handovers.splits import Split, splits
from crm_core.domain.handovers.undoing import Left, TakenBack, take_back, undo

__all__ = [
    "JOB",
    "Deed",
    "Handover",
    "HandoverItem",
    "HandoverState",
    "ItemState",
    "Left",
    "Received",
    "Split",
    "TakenBack",
    "Unchanged",
    "accept",
    "assign",
    "cancel",
    "do",
    "do_due",
    "draft",
    "due",
    "items",
    "offer",
    "refuse",
    "settle",
    "splits",
    "take_back",
    "undo",
    "waiting_for",
]

"""Contacts who changed employer or role, from a file: found by any contact point, moved, and what hung on them told."""

from crm_core.exchange.moved.report import Flagged, Move, MovedReport
from crm_core.exchange.moved.running import contacts_moved

__all__ = ["Flagged", "Move", "MovedReport", "contacts_moved"]

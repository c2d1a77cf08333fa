"""Address books: vCard 2.1, 3.0 and 4.0 in, 3.0 and 4.0 out."""

from __future__ import annotations

from crm_core.exchange.cards.importing import import_cards
from crm_core.exchange.cards.report import CardReport, TakenCard
from crm_core.exchange.cards.writing import export_cards

__all__ = ["CardReport", "TakenCard", "export_cards", "import_cards"]

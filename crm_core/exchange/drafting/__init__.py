"""Drafting a mapping: what is in a table, and what becomes of it."""

from crm_core.exchange.drafting.drafting import draft
from crm_core.exchange.drafting.model import Draft, FieldDraft, FileDraft, SectionDraft
from crm_core.exchange.drafting.rendering import as_json, as_toml

__all__ = ["Draft", "FieldDraft", "FileDraft", "SectionDraft", "as_json", "as_toml", "draft"]

"""Drafting a mapping: what is in a table, and what becomes of it."""

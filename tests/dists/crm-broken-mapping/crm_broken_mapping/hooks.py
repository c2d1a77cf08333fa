"""Registers a record whose registry cannot be configured."""

from crm_broken_mapping.records import Crack
from crm_core.hooks import hookimpl


@hookimpl
def crm_register_records():
    """The record."""
    return [Crack]

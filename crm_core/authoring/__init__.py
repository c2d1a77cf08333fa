"""Making a plugin: a whole distribution from a template, and a record proposed from a table."""

from crm_core.authoring.distribution import Made, new_plugin
from crm_core.authoring.naming import checked_name
from crm_core.authoring.proposing import Field, Proposal, propose

__all__ = ["Field", "Made", "Proposal", "checked_name", "new_plugin", "propose"]

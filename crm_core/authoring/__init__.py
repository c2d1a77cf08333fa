"""Making a plugin: a whole distribution from a template, a record proposed from a table, and revisions."""

from crm_core.authoring.distribution import Made, new_plugin
from crm_core.authoring.naming import checked_name
from crm_core.authoring.proposing import Field, Proposal, propose
from crm_core.authoring.revision import NextRevision, next_revision

__all__ = ["Field", "Made", "NextRevision", "Proposal", "checked_name", "new_plugin", "next_revision", "propose"]

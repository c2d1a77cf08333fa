"""Rehearsing an upgrade: on a copy of the database, with the build's own expectations before and after."""

from crm_core.builds.rehearsing.report import Noticed, Rehearsal, Step, TableRows
from crm_core.builds.rehearsing.running import rehearse

__all__ = ["Noticed", "Rehearsal", "Step", "TableRows", "rehearse"]

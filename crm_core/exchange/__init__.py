"""Import and export: the files of other systems, and our own."""

from crm_core.exchange.exporting import run_export
from crm_core.exchange.importing import run_import
from crm_core.exchange.mapping import ImportMapping
from crm_core.exchange.mapping_file import read_mapping
from crm_core.exchange.moved import MovedReport, contacts_moved
from crm_core.exchange.own_files import mapping_of_exports
from crm_core.exchange.report import ImportReport, Progress, Rejected, SectionReport
from crm_core.exchange.transforms import BUILT_IN, Context

__all__ = [
    "BUILT_IN",
    "Context",
    "ImportMapping",
    "ImportReport",
    "MovedReport",
    "Progress",
    "Rejected",
    "SectionReport",
    "contacts_moved",
    "mapping_of_exports",
    "read_mapping",
    "run_export",
    "run_import",
]

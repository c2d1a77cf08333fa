"""Import and export: the files of other systems, and our own."""

from crm_core.exchange.importing import run_import
from crm_core.exchange.mapping import ImportMapping
from crm_core.exchange.mapping_file import read_mapping
from crm_core.exchange.report import ImportReport, Progress, Rejected, SectionReport

__all__ = ["ImportMapping", "ImportReport", "Progress", "Rejected", "SectionReport", "read_mapping", "run_import"]

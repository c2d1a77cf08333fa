"""Looking at a build as a whole: what of it is used, and what could go."""

from crm_core.inspection.fields import Demand, FieldReport, FieldUse, Use, field_report

__all__ = ["Demand", "FieldReport", "FieldUse", "Use", "field_report"]

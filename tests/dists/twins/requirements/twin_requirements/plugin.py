"""Names of another plugin."""

from crm_stakeholders import assign

__all__ = ["assign"]

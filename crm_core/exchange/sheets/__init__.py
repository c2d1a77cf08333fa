"""Spreadsheets: Excel's files (``.xlsx``, ``.xlsm``, ``.xls``) and OpenDocument's (``.ods``) in, ``.xlsx`` out."""

from __future__ import annotations

__all__ = ["READ", "WRITTEN"]

READ = (".xlsx", ".xlsm", ".xls", ".ods")
"""What the names of spreadsheets that can be read end in."""

WRITTEN = ".xlsx"
"""What the name of a spreadsheet ends in that is written."""

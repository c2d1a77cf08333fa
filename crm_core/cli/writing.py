"""Writing pages to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_core.cli.application import Application

__all__ = ["write_page"]


def write_page(application: Application, file: str, html: str) -> None:
    """Write a page of HTML; ``-`` is the standard output."""
    if file == "-":
        application.output.line(html.rstrip())
        return
    Path(file).write_text(html, encoding="utf-8")
    application.output.note("Wrote the page {file}.", file=file)

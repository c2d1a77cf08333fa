"""Pages of HTML that a command writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crm_core.cli.application import Application

__all__ = ["write_page"]


def write_page(application: Application, path: str, template: str, title: str, **values: Any) -> None:
    """Write a page in the reader's language; ``title`` is translated already."""
    from crm_core.views.html import page

    translator = application.translator
    text = page(
        template, title, translator.language, translate=translator.text, tz=application.crm.build.policy.tz, **values
    )
    Path(path).write_text(text, encoding="utf-8")
    application.output.say("Written: {file}", file=path)

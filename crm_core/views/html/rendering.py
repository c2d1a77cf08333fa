"""Rendering by Jinja2, which is imported only when a page is made."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from crm_core.errors import filled
from crm_core.views.showing import pieces

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

__all__ = ["TEMPLATES", "Translate", "page"]

Translate: TypeAlias = Callable[..., str]
"""Gives a text in the reader's language: ``translate(text, plugin=None)``, as a translator's ``text`` does."""

TEMPLATES = Path(__file__).parent / "templates"
"""The folder of the templates."""

# Marks of direction could turn a name round, and control characters are no HTML.
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _unchanged(text: str, plugin: str | None = None) -> str:
    return text


def page(
    template: str,
    title: str,
    language: str = "en",
    *,
    translate: Translate = _unchanged,
    tz: dt.tzinfo = dt.UTC,
    **values: Any,
) -> str:
    """A whole page of HTML.

    ``template`` is the name of a file in the folder of templates, which extends ``base.html``; ``title`` stands in the
    head of the page, in the reader's language already. ``language`` is such as ``zh_CN``, ``translate`` a translator's
    ``text``, ``tz`` where moments are shown. ``values`` are what the template speaks of; one that it lacks is an error.
    """
    context = {"title": title, "language": language.replace("_", "-"), "translate": translate, "tz": tz, **values}
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    environment.globals["_"] = pass_context(_say)
    environment.filters |= {
        "said": pass_context(_said),
        "pieces": pass_context(_pieces),
        "choice": pass_context(_choice),
        "moment": pass_context(_moment),
        "day": pass_context(_day),
        "address": _address,
        "filled": filled,
    }
    return environment


def _shown(value: Any) -> Any:
    """What an expression in a template becomes; Jinja2 escapes it afterwards."""
    from markupsafe import Markup

    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Decimal):
        value = f"{value:f}"
    return _STEERING.sub(lambda match: ascii(match[0])[1:-1], str(value))


def _say(context: Context, text: str, /, **values: Any) -> str:
    """A text of the kernel's in the reader's language, filled in."""
    said = _said(context, text)
    return filled(said, values) if values else said


def _said(context: Context, text: str, plugin: str | None = None) -> str:
    """A text of a plugin (or of the kernel) in the reader's language, as it is."""
    said: str = context["translate"](text, plugin)
    return said


def _pieces(context: Context, text: str | None) -> str:
    """A text that consists of several, each in the reader's language if it is known."""
    return pieces(text or "", context["translate"])


def _choice(context: Context, value: Any, plugin: str | None = None) -> str:
    """A value of a choice as people read it: ``won_back`` is "Won back"."""
    word = str(value.value if isinstance(value, Enum) else value or "")
    return _said(context, word.replace("_", " ").capitalize(), plugin) if word else ""


def _moment(context: Context, moment: dt.datetime | None) -> str:
    """A moment on the organisation's clocks; midnight, which stands for a day, as the day."""
    if moment is None:
        return ""
    local = moment.astimezone(context["tz"])
    return local.strftime("%Y-%m-%d") if local.time() == dt.time() else local.strftime("%Y-%m-%d %H:%M")


def _day(context: Context, moment: dt.datetime | dt.date | None) -> str:
    """The day of a moment."""
    if isinstance(moment, dt.datetime):
        moment = moment.astimezone(context["tz"]).date()
    return "" if moment is None else moment.isoformat()


def _address(value: str, kind: str) -> str:
    """Where a contact point leads to: an address that opens the mail or telephone programme, or nothing."""
    if kind == "email":
        return f"mailto:{quote(value, safe='@.+-_')}"
    if kind in ("phone", "mobile"):
        return f"tel:{re.sub(r'[^0-9+]', '', value)}"
    return ""

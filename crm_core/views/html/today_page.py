"""The beginning of a working day as a page of HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.domain.organisation import User
from crm_core.views.html.rendering import page
from crm_core.views.showing import filled, kind_labels
from crm_core.views.today import Today

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.translation import Translator

__all__ = ["today_page"]


def today_page(session: CrmSession, view: Today, translator: Translator) -> str:
    """News and next actions as one self-contained file, in the translator's language."""
    tz = session.policy.tz
    kinds = {each.kind for account in view.news for each in account.learned} | {each.kind for each in view.actions}
    who = session.scalar(select(User.name).where(User.id == view.news.user_id)) or ""
    return page(
        "today.html",
        f"{translator.text('Today')}: {who}",
        translator.language,
        translate=translator.text,
        tz=tz,
        view=view,
        who=who,
        kinds=kind_labels(session, translator, kinds),
        fill=lambda template, values: filled(template, values, translator, tz),
    )

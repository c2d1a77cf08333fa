"""The one view as a page of HTML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from crm_core.domain.accounts import Account
from crm_core.views.html.rendering import page
from crm_core.views.overview import Fact, Overview
from crm_core.views.showing import Shower, amount, kind_labels, said_question

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession
    from crm_core.translation import Translator
    from crm_core.views.hierarchy import Relative

__all__ = ["overview_page"]


def overview_page(session: CrmSession, view: Overview, translator: Translator) -> str:
    """The overview of an account as one self-contained file, in the translator's language."""
    shower = Shower(session, translator)
    shower.prepare("user", view.names)
    return page(
        "overview.html",
        view.name,
        translator.language,
        translate=translator.text,
        tz=session.policy.tz,
        view=view,
        facts=_pairs(shower, view.facts, Account.crm_type),
        extensions=[
            (translator.record(each.record_type), each.record_type.plugin,
             _pairs(shower, each.facts, each.record_type))
            for each in view.extensions
        ],
        kinds=kind_labels(session, translator, {entry.kind for entry in view.timeline} | {e.kind for e in view.open}),
        relations=session.policy.vocabularies.get("account.relation", {}),
        children=_children(view.group.below),
        sums=[(translator.text(each.label, each.plugin), f"{amount(each.amount.amount)} {each.amount.currency}",
               each.accounts) for each in view.group.rollup.sums],
        questions=[said_question(each, translator) for each in view.quality.ask],
    )  # fmt: skip


def _pairs(shower: Shower, facts: Iterable[Fact], record_type: RecordType) -> list[tuple[str, str]]:
    return [
        (shower.translator.text(fact.label, record_type.plugin),
         str(fact.value) if fact.field is None else shower.text(fact.field, fact.value, record_type))
        for fact in facts
    ]  # fmt: skip


def _children(below: Iterable[Relative]) -> dict[int, list[Relative]]:
    found: defaultdict[int, list[Relative]] = defaultdict(list)
    for each in below:
        found[each.parent_id].append(each)
    return dict(found)

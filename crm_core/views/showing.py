"""Values as people read them, in their language and on the organisation's clocks: for terminals and for pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from crm_core.errors import filled as filled_in
from crm_core.fields import Field, Money
from crm_core.records import Record, RecordType

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.translation import Translator
    from crm_core.views.completeness import Question

__all__ = ["Shower", "amount", "filled", "held", "kind_labels", "pieces", "readable", "said_question", "shown"]

_KIND_LABELS = (
    "Ownership", "Affiliation", "Lifecycle", "Promise", "Question", "Document", "Quote", "Deal", "People", "Stage",
    "Account", "Contact point", "Planned", "Handover", "Duty", "Proposal", "Mend", "Confirm", "Pool", "Joins", "Leaves",
    "Merge", "Ended", "Handed over", "Recycled", "Delivery", "Complaint", "Payment",
)  # fmt: skip
"""Kinds of entries and open items that no vocabulary names."""


def shown(moment: dt.datetime | None, tz: dt.tzinfo) -> str:
    """A moment on the organisation's clocks; midnight, which stands for a day, as the day."""
    if moment is None:
        return ""
    local = moment.astimezone(tz)
    if local.time() == dt.time():
        return local.date().isoformat()
    return local.strftime("%Y-%m-%d %H:%M" if not local.second else "%Y-%m-%d %H:%M:%S")


def readable(session: CrmSession, record_type: RecordType) -> list[Field]:
    """The fields that the actor may read."""
    return [field for field in record_type.fields if field.restricted is None or session.can(field.restricted)]


def held(record: Record, name: str) -> Any:
    """A value that the store writes; a record rebuilt from the journal has not all of them."""
    return record.__dict__.get(name)


def amount(value: Decimal) -> str:
    """An amount with two decimals, or more where it has them: the database keeps four."""
    short = value.quantize(Decimal("0.01"))
    return f"{short if short == value else value.normalize():f}"


class Shower:
    """Shows values of one session to people; titles of records that others refer to are read once."""

    def __init__(self, session: CrmSession, translator: Translator) -> None:
        self.session = session
        self.translator = translator
        self.tz = session.policy.tz
        self._titles: dict[tuple[str, int], str] = {}

    def text(self, field: Field, value: Any, record_type: RecordType | None = None) -> str:
        """A field's value as text."""
        plugin = record_type.plugin if record_type is not None else None
        if value is None:
            return ""
        if field.target is not None:
            return self.reference(field.target, value)
        if isinstance(value, bool):
            return self.translator.text("yes" if value else "no")
        if isinstance(value, dt.datetime):
            return shown(value, self.tz)
        if isinstance(value, Enum):
            return self.translator.choice(str(value.value), plugin)
        if field.vocabulary is not None:
            return self.word(field.vocabulary, str(value), plugin)
        if isinstance(value, Money):
            return f"{amount(value.amount)} {value.currency}"
        if isinstance(value, str):
            return value
        return field.kind.format(value)

    def word(self, vocabulary: str, word: str, plugin: str | None = None) -> str:
        """A word of a vocabulary by its label."""
        label = self.session.policy.vocabularies.get(vocabulary, {}).get(word)
        return self.translator.text(label, plugin) if label else word

    def reference(self, target: str, id_: int) -> str:
        """The record that is referred to: its id, and its title for whoever may see it."""
        if (target, id_) not in self._titles:
            self.prepare(target, [id_])
        title = self._titles[target, id_]
        return f"{id_} {title}".rstrip()

    def prepare(self, target: str, ids: Iterable[int]) -> None:
        """Read the titles of many records at once."""
        from sqlalchemy import select

        wanted = sorted({id_ for id_ in ids if (target, id_) not in self._titles})
        self._titles.update(((target, id_), "") for id_ in wanted)
        record_type = self.session.types.get(target)
        if record_type is None or record_type.title is None or not wanted:
            return
        if self.session.as_of is not None:
            found = [each for id_ in wanted if (each := self.session.get(record_type.cls, id_)) is not None]
            pairs = [(each.id, getattr(each, record_type.title)) for each in found]
        else:
            cls: Any = record_type.cls
            pairs = []
            for start in range(0, len(wanted), 500):
                query = select(cls.id, getattr(cls, record_type.title)).where(cls.id.in_(wanted[start : start + 500]))
                rows = self.session.execute(query, execution_options={"all_dates": True})
                pairs += [(row[0], row[1]) for row in rows]
        self._titles.update(((target, id_), title or "") for id_, title in pairs)

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """Labels and values of the filled fields of a record, custom fields included."""
        record_type = record.crm_type
        facts = [
            (self.translator.field(field, record_type), self.text(field, value, record_type))
            for field in readable(self.session, record_type)
            if (value := getattr(record, field.name)) not in (None, frozenset())
        ]
        custom = self.session.policy.custom.get(record_type.name, {})
        for name, value in (held(record, "custom") or {}).items():
            if name in custom:
                facts.append((self.translator.field(custom[name]), self.text(custom[name], value)))
            else:
                facts.append((name, str(value)))
        return facts


def kind_labels(session: CrmSession, translator: Translator, kinds: Iterable[str]) -> dict[str, str]:
    """What people call kinds: the words of the vocabulary of activities, labels of records, or the kind in words."""
    words: dict[str, Any] = dict(session.policy.vocabularies.get("activity.kind", {}))
    found: dict[str, str] = {}
    for kind in kinds:
        record_type = session.types.get(kind)
        if kind in words:
            found[kind] = translator.text(words[kind])
        else:
            found[kind] = translator.choice(kind) if record_type is None else translator.record(record_type)
    return found


def said_question(question: Question, translator: Translator) -> str:
    """A question in the reader's language, with what stands in it."""
    return filled(question.text, question.values, translator, dt.UTC)


_HOW_LABELS = {"claimed: ": "claimed: {pool}", "assigned: ": "assigned: {pool}"}
"""What ownerships that began at a pool say of it."""


def pieces(text: str, translate: Callable[[str], str]) -> str:
    """A text of ours that consists of several (``Final decision · Water plant``), each translated if it is known."""
    return " · ".join(_piece(each, translate) for each in text.split(" · "))


def _piece(text: str, translate: Callable[[str], str]) -> str:
    for start, template in _HOW_LABELS.items():
        if text.startswith(start):
            return translate(template).format(pool=text.removeprefix(start))
    return translate(text)


_TRANSLATED = ("label", "title", "about")
_CHOICES = ("role", "stage")


def filled(template: str, values: Mapping[str, Any], translator: Translator, tz: dt.tzinfo) -> str:
    """A template in the reader's language, filled in; without values it is no template, but a text.

    Labels and words of choices are translated, too; moments are shown as days.
    """
    said = translator.text(template)
    if not values:
        return said
    return filled_in(said, {name: _filling(name, value, translator, tz) for name, value in values.items()})


def _filling(name: str, value: Any, translator: Translator, tz: dt.tzinfo) -> Any:
    match value:
        case dt.datetime():
            return value.astimezone(tz).date().isoformat()
        case tuple():
            return ", ".join(translator.text(str(each)) for each in value)
        case str() if name in _TRANSLATED:
            return pieces(value, translator.text)
        case str() if name in _CHOICES:
            return translator.choice(value)
    return "" if value is None else value

"""Where a column may go, and by which names: labels and names of all fields of the build, and a table of synonyms."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from crm_core.domain.contacts import PointKind
from crm_core.exchange.drafting.headers import plain, singular, words
from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.mapping_file import PARTS
from crm_core.fields.field import Field
from crm_core.fields.folding import HAN
from crm_core.fields.kinds import AddressKind
from crm_core.records import RecordType

if TYPE_CHECKING:
    from crm_core.assembly import Build

__all__ = ["POINT", "Hit", "Labels", "Target", "Targets", "synonyms"]

Labels: TypeAlias = Callable[[str, str | None], str]
"""What a label of a plugin is in another language."""

POINT = "contact_point"
"""The record whose rows are ways to reach somebody; the part of its target is the kind of the way."""

_BY_ITSELF = frozenset({
    "duty_confirmation", "external_ref", "handover", "handover_item", "participant", "pool_event", "quality_issue",
    "redirect", "share",
})  # fmt: skip
"""Records that come from working with the CRM, not from a table."""

_GROUPS: Mapping[str, Collection[str]] = {
    "account": ("account",),
    "contact": ("contact", "affiliation", POINT),
    "billing": ("account",),
    "shipping": ("account_address",),
    "user": ("user", "membership"),
}
"""Whose fields are meant by the words in front of another."""

_LABEL, _SYNONYM, _WEAK = 0.95, 0.9, 0.6
_WITH_OWNER, _WITH_FILLER, _RENUMBERED = 0.95, 0.9, 0.8
_NUMBERS = ("id", "no", "nr", "num", "number", "code")
_HAN_NUMBERS = ("编号", "编码", "代码", "单号", "号码", "号")


@attrs.frozen(order=True)
class Target:
    """A field of a record, or a ``part`` of one: of an address, an amount, or the kind of a contact point."""

    record: str
    field: str
    part: str = ""

    @property
    def name(self) -> str:
        """As people write it: ``account.address.city``."""
        return ".".join(filter(None, (self.record, self.field, self.part)))


@attrs.frozen
class Hit:
    """A target that a header names: how sure that is (0 to 1), how much it says about the rows, and why."""

    target: Target
    certainty: float
    evidence: float
    because: Said


@functools.cache
def synonyms() -> Mapping[str, Any]:
    """The table of names, by what they are for."""
    return tomllib.loads(resources.files(__package__).joinpath("synonyms.toml").read_text(encoding="utf-8"))


def _renumbered(header: str) -> Iterator[str]:
    """The header with another word for what a thing is numbered by: ``orderID`` is the order number."""
    *before, last = words(header) or ("",)
    if last in _NUMBERS and before:
        yield from ("".join((*before, other)) for other in _NUMBERS if other != last)
    ending = next((each for each in _HAN_NUMBERS if last.endswith(each) and last != each), None)
    if ending is not None:
        start = "".join(before) + last.removesuffix(ending)
        yield from (start + other for other in _HAN_NUMBERS if other != ending)


class Targets:
    """All that a table may be mapped to in one build; ``labels`` are further languages of its labels.

    Records that come from working with the CRM are left out, but for one that is ``wanted``.
    """

    def __init__(self, build: Build, labels: Sequence[Labels] = (), wanted: str | None = None) -> None:
        self.types: dict[str, RecordType] = {
            each.name: each for each in build.types.values() if each.name not in _BY_ITSELF or each.name == wanted
        }
        self.policy = build.policy
        self._languages = labels
        self._hits: dict[str, dict[Target, Hit]] = {}
        for word, hit in self._words():
            known = self._hits.setdefault(plain(word), {})
            if hit.target not in known or known[hit.target].certainty < hit.certainty:
                known[hit.target] = hit
        self._contexts = {plain(word): name for name, each in synonyms()["context"].items() for word in each}
        self._han = sorted((each for each in self._contexts if HAN.match(each)), key=len, reverse=True)
        self._files: dict[tuple[str, ...], list[str]] = {}
        for record, names in self._file_names():
            self._files.setdefault(names, []).append(record)
        self._longest_name = max(map(len, self._files))
        self._han_files = {names[0]: records for names, records in self._files.items()
                           if len(names) == 1 and HAN.match(names[0])}  # fmt: skip

    def field(self, target: Target) -> Field:
        """The field of a target."""
        return self.fields(target.record)[target.field]

    def fields(self, record: str) -> Mapping[str, Field]:
        """All fields of a record by name, custom ones included."""
        return {**self.types[record].by_name, **self.policy.custom.get(record, {})}

    # -- headers -----------------------------------------------------------------------------------------------

    def named(self, header: str) -> list[Hit]:
        """The targets that a header names, the surest first."""
        found = self._exact(plain(header))
        if not found:
            found = [hit for owner, rest in self._cut(header) for hit in self._of(owner, rest)]
        if not found:
            found = [attrs.evolve(hit, certainty=hit.certainty * _RENUMBERED)
                     for other in _renumbered(header) for hit in self._exact(other)]  # fmt: skip
        best: dict[Target, Hit] = {}
        for hit in sorted(found, key=lambda each: -each.certainty):
            best.setdefault(hit.target, hit)
        return list(best.values())

    def _exact(self, name: str) -> list[Hit]:
        hits = list(self._hits.get(name, {}).values())
        # What many records have says little about which of them the rows are.
        share = 1 / math.sqrt(len({hit.target.record for hit in hits}) or 1)
        return [attrs.evolve(hit, evidence=share) for hit in hits]

    def _cut(self, header: str) -> Iterator[tuple[str, str]]:
        """The header as words that say whose it is, and the rest."""
        each = words(header)
        for cut in range(1, len(each)):
            yield "".join(each[:cut]), "".join(each[cut:])
        whole = "".join(each)
        for prefix in self._han:
            if whole.startswith(prefix) and whole != prefix:
                yield prefix, whole.removeprefix(prefix)

    def _of(self, owner: str, rest: str) -> Iterator[Hit]:
        group = self._contexts.get(owner)
        records = set(_GROUPS.get(group or "", ()))
        if group is None:
            records = {name for name, type_ in self.types.items() if owner in (plain(name), plain(type_.label))}
        for hit in self._exact(rest):
            if group == "neutral":
                yield attrs.evolve(hit, certainty=hit.certainty * _WITH_FILLER)
            elif hit.target.record in records and (
                group not in ("billing", "shipping") or hit.target.field == "address"
            ):
                yield attrs.evolve(hit, certainty=hit.certainty * _WITH_OWNER, evidence=1.0)
            elif group == "shipping" and hit.target.field == "address" and hit.target.record == "account":
                target = attrs.evolve(hit.target, record="account_address")
                yield attrs.evolve(hit, target=target, certainty=hit.certainty * _WITH_OWNER)

    # -- files -------------------------------------------------------------------------------------------------

    def of_file(self, name: str) -> Mapping[str, float]:
        """The records that the name of a file (or sheet) speaks of: 1 where it ends so, less where it only says so."""
        each = [singular(word) for word in words(name)]
        while each and each[-1].isdecimal():
            each.pop()
        found: dict[str, float] = {}
        last = 0
        for start in range(len(each)):
            for size in range(1, min(self._longest_name, len(each) - start) + 1):
                for record in self._files.get(tuple(each[start : start + size]), ()):
                    ends = start + size == len(each)
                    # Of "sales person" and "person", the longer says what it is.
                    weight = 1.0 if ends and last in (0, size) else 0.5
                    last = size if ends and not last else last
                    found[record] = max(found.get(record, 0.0), weight)
        for word, records in self._han_files.items():
            if any(word in other for other in each):
                found |= dict.fromkeys(records, 1.0)
        return found

    # -- words -------------------------------------------------------------------------------------------------

    def word_of(self, record: str, field: str, said: str) -> str | None:
        """The word of a field's vocabulary or choice that a cell (or a part of a file's name) means."""
        return self._spoken(record, field).get(plain(said))

    def words_in(self, record: str, field: str, name: str) -> str | None:
        """The word of a field that the name of a file speaks of: the one with most of its words."""
        each = {singular(word) for word in words(name)}
        each |= {main for main, others in synonyms()["same"].items() for other in others if plain(other) in each}
        best, score = None, 0.0
        for said, word in self._spoken_words(record, field):
            own = {singular(part) for part in words(said)}
            inside = own <= each or (len(own) == 1 and HAN.match(said) and any(said in other for other in each))
            if inside and len(own) > score:
                best, score = word, float(len(own))
        return best

    def _spoken(self, record: str, field: str) -> Mapping[str, str]:
        return {plain(said): word for said, word in reversed(list(self._spoken_words(record, field)))}

    def _spoken_words(self, record: str, field: str) -> Iterator[tuple[str, str]]:
        """What a word of a field is called, the word itself first."""
        kind = self.fields(record)[field]
        plugin = self.types[record].plugin
        labels = self.choices(record, field)
        for word, label in labels.items():
            yield word, word
            for said in self._called(label, plugin):
                yield said, word
        names = [f"{record}.{field}", *([kind.vocabulary] if kind.vocabulary else [])]
        for name in dict.fromkeys(names):
            for word, others in synonyms()["words"].get(name, {}).items():
                if word in labels:
                    yield from ((other, word) for other in others)

    def choices(self, record: str, field: str) -> Mapping[str, str]:
        """The words that a field takes, with their labels; none where it takes any text."""
        found = self.fields(record)[field]
        if found.vocabulary:
            return self.policy.vocabularies.get(found.vocabulary, {})
        members: Iterable[Any] = getattr(found.kind, "enum", ())
        return {str(each.value): str(each.value).replace("_", " ").capitalize() for each in members}

    # -- what is known -----------------------------------------------------------------------------------------

    def _called(self, label: str, plugin: str) -> Iterator[str]:
        yield label
        yield from (said for each in self._languages if (said := each(label, plugin)) != label)

    def _words(self) -> Iterator[tuple[str, Hit]]:
        for record, type_ in self.types.items():
            for name, field in self.fields(record).items():
                for part in PARTS.get(field.kind.name, ("",)):
                    target = Target(record, name, "other" if record == POINT and name == "value" else part)
                    if part in ("", "amount", "street"):
                        yield name, Hit(target, _LABEL, 1.0, _("its header is the name of the field"))
                        for label in self._called(field.label or name, type_.plugin):
                            yield label, Hit(target, _LABEL, 1.0, _("its header is the label of the field"))
                    if part:
                        yield part, Hit(target, _LABEL, 1.0, _("its header is the name of the field"))
                        yield f"{name} {part}", Hit(target, _LABEL, 1.0, _("its header is the name of the field"))
        for record, fields in synonyms().items():
            if record in self.types:
                for name, others in fields.items():
                    yield from self._synonyms(record, name, others)
        for record in self.types:
            for field in self.fields(record).values():
                if isinstance(field.kind, AddressKind) and record != "account":
                    for part in PARTS["address"]:
                        others = synonyms()["account"][f"address.{part}"]
                        yield from self._synonyms(record, f"{field.name}.{part}", others)

    def _synonyms(self, record: str, name: str, others: Iterable[str]) -> Iterator[tuple[str, Hit]]:
        field, _dot, part = ("value", "", name) if record == POINT else name.partition(".")
        kind = PARTS.get(self.fields(record)[field].kind.name, ("",))
        target = Target(record, field, part or kind[0])
        if record == POINT:
            yield PointKind(part).value, Hit(target, _LABEL, 1.0, _("its header is the label of the field"))
        for word in others:
            certainty = _WEAK if word.endswith("?") else _SYNONYM
            yield word.rstrip("?"), Hit(target, certainty, 1.0, _("its header is another name for the field"))

    def _file_names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for record, type_ in self.types.items():
            names = [record.rpartition(".")[2], *self._called(type_.label, type_.plugin)]
            names += synonyms()["files"].get(record, ())
            # A table of orders holds activities where "order" is a kind of activity.
            kind = type_.by_name.get("kind")
            if kind is not None and kind.vocabulary:
                others = {plain(word) for name, each in synonyms()["files"].items() if name != record for word in each}
                names += [said for said, _ in self._spoken_words(record, "kind") if plain(said) not in others]
            for name in dict.fromkeys(names):
                if each := tuple(singular(word) for word in words(name)):
                    yield record, each

"""How well we know an account: how complete, how fresh, and what to ask next."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.domain.accounts import Account
from crm_core.domain.viewing import PARTS
from crm_core.hooks.values import OpenItem
from crm_core.views.open_items import NOT_KNOWN

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession
    from crm_core.views.people import Person, Point

__all__ = ["PARTS_LABELS", "Part", "Quality", "Question", "Stale", "quality"]

PARTS_LABELS = {
    "people": "Somebody we know there",
    "decider": "Somebody who decides",
    "reachable": "Ways to reach the people",
    "confirmed": "People confirmed of late",
    "owner": "An owner of ours",
    "stage": "A stage",
}
"""What the parts of completeness are called that are no fields."""

_POINTS = {"email": ("email",), "phone": ("phone", "mobile")}
_MOST_OF_A_KIND = 3
_MOST = 8
"""So many questions are asked at most: nobody reads a longer list."""


@attrs.frozen(kw_only=True)
class Part:
    """One part of completeness: how much it counts (``weight``), and how much of it is there (``share``, 0 to 1)."""

    name: str
    label: str
    weight: int
    share: float


@attrs.frozen(kw_only=True)
class Stale:
    """A person whose place was not confirmed for ``days``; absent where nobody ever said since when they work there."""

    contact_id: int
    name: str
    affiliation_id: int
    days: int | None


@attrs.frozen(kw_only=True)
class Question:
    """Something to find out: ``text`` is a template for ``values``. The higher the ``rank``, the sooner."""

    kind: str
    text: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    rank: int = 0
    contact_id: int | None = None

    def __str__(self) -> str:
        return self.text.format(**self.values)


@attrs.frozen(kw_only=True)
class Quality:
    """How well we know an account.

    ``completeness`` is the sum of weight times share over the parts, divided by the sum of weights: 0 to 1.
    ``quiet_days`` counts since an activity was last held; absent where none ever was. ``ask`` is what to find out next,
    most important first.
    """

    completeness: float
    parts: tuple[Part, ...]
    last_contact: dt.datetime | None
    quiet_days: int | None
    quiet: bool
    unconfirmed: tuple[Stale, ...]
    ask: tuple[Question, ...]

    @property
    def missing(self) -> tuple[Part, ...]:
        """What is not there, or not wholly; what counts most first."""
        lacking = [part for part in self.parts if part.share < 1]
        return tuple(sorted(lacking, key=lambda part: (part.weight * (part.share - 1), part.name)))


def quality(
    session: CrmSession,
    account: Account,
    *,
    people: Sequence[Person],
    points: Sequence[Point],
    owned: bool,
    staged: bool,
    last_contact: dt.datetime | None,
    open_items: Sequence[OpenItem],
) -> Quality:
    """Judge what was gathered about an account; without any statement of its own."""
    rules = session.policy.views
    there = [person for person in people if person.present]
    stale = _unconfirmed(session, there)
    shares = {
        "people": float(bool(there)),
        "decider": float(any(person.decides for person in there)),
        "reachable": _share(there, lambda person: person.reachable),
        "confirmed": _share(there, lambda person: person.contact_id not in {each.contact_id for each in stale}),
        "owner": float(owned),
        "stage": float(staged),
    }
    parts = tuple(_parts(session, account, points, shares))
    total = sum(part.weight for part in parts)
    quiet_days = None if last_contact is None else max((session.at - last_contact).days, 0)
    questions = sorted(
        _questions(session, there, stale, parts, open_items), key=lambda each: (-each.rank, str(each), each.kind)
    )
    return Quality(
        completeness=round(sum(part.weight * part.share for part in parts) / total, 4) if total else 1.0,
        parts=parts,
        last_contact=last_contact,
        quiet_days=quiet_days,
        quiet=quiet_days is None or quiet_days >= rules.quiet_days,
        unconfirmed=stale,
        ask=tuple(islice(_varied(questions), _MOST)),
    )


def _varied(questions: Sequence[Question]) -> Iterator[Question]:
    """The most important ones, but not the same over and over: of each kind a few."""
    asked: Counter[str] = Counter()
    for question in questions:
        asked[question.kind] += 1
        if asked[question.kind] <= _MOST_OF_A_KIND:
            yield question


def _share(people: Sequence[Person], good: Callable[[Person], bool]) -> float:
    return round(sum(1 for person in people if good(person)) / len(people), 4) if people else 0.0


def _parts(
    session: CrmSession, account: Account, points: Sequence[Point], shares: Mapping[str, float]
) -> Iterator[Part]:
    custom = session.policy.custom.get("account", {})
    kinds = {point.kind for point in points}
    for name, weight in session.policy.views.weights.items():
        if name in PARTS:
            yield Part(name=name, label=PARTS_LABELS[name], weight=weight, share=shares[name])
            continue
        short = name.removeprefix("custom.")
        field = custom[short] if name != short else Account.crm_type.by_name[name]
        if field.restricted is not None and not session.can(field.restricted):
            continue  # neither for nor against: it would tell what may not be read
        value = (account.custom or {}).get(short) if name != short else getattr(account, name)
        filled = value not in (None, "", frozenset())
        # A number may as well stand as a contact point of the account.
        filled = filled or not kinds.isdisjoint(_POINTS.get(name, ()))
        yield Part(name=name, label=field.label or name, weight=weight, share=float(filled))


def _unconfirmed(session: CrmSession, people: Sequence[Person]) -> tuple[Stale, ...]:
    """Whose place was not confirmed for long, longest first."""
    found = []
    for person in people:
        known = person.known_since
        days = None if known is None else (session.at - known).days
        if days is None or days >= session.policy.views.confirm_days:
            place = next(each for each in person.places if each.present)
            found.append(
                Stale(contact_id=person.contact_id, name=person.name, affiliation_id=place.affiliation_id, days=days)
            )
    return tuple(sorted(found, key=lambda each: (each.days is not None, -(each.days or 0), each.name, each.contact_id)))


def _questions(
    session: CrmSession,
    people: Sequence[Person],
    stale: Sequence[Stale],
    parts: Sequence[Part],
    open_items: Sequence[OpenItem],
) -> Iterator[Question]:
    lacking = {part.name: part for part in parts if part.share < 1}
    if not people:
        yield Question(kind="people", text="Whom can we talk to? Nobody is known there.", rank=100)
    elif not any(person.decides for person in people):
        yield Question(kind="decider", text="Who decides? Nobody in such a role is known.", rank=95)
    if "owner" in lacking:
        yield Question(kind="owner", text="Who of us is responsible? The account has no owner.", rank=90)
    for item in open_items:
        if item.kind in NOT_KNOWN:
            text = "{title} ({about})" if item.text else "{title}"
            yield Question(kind="question", text=text, values={"title": item.title, "about": item.text}, rank=85,
                           contact_id=item.contact_id)  # fmt: skip
    for person in people:
        if not person.reachable:
            rank = 80 if person.decides else 60
            yield Question(kind="reach", text="How do we reach {name}?", values={"name": person.name}, rank=rank,
                           contact_id=person.contact_id)  # fmt: skip
        elif not any(point.kind == "email" for point in person.points):
            rank = 55 if person.decides else 30
            yield Question(kind="email", text="No e-mail of {name}: ask for it.", values={"name": person.name},
                           rank=rank, contact_id=person.contact_id)  # fmt: skip
    for each in stale:
        rank = 70 if any(person.decides and person.contact_id == each.contact_id for person in people) else 50
        text = (
            "Confirm that {name} works there; nobody ever did."
            if each.days is None
            else "Confirm that {name} still works there; last known {days} days ago."
        )
        yield Question(kind="confirm", text=text, values={"name": each.name, "days": each.days}, rank=rank,
                       contact_id=each.contact_id)  # fmt: skip
    for part in lacking.values():
        if part.name not in PARTS:
            yield Question(kind="field", text="Fill in: {label}.", values={"label": part.label},
                           rank=10 + min(part.weight, 9))  # fmt: skip

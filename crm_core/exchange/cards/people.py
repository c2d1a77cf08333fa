"""From the properties of a card to a person, or a company: what of it we keep, and what we do not."""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crm_core.domain.contacts import POINT_FORMS, PointKind
from crm_core.errors import Problem, ValidationError
from crm_core.exchange.cards.model import Person, Place, Point
from crm_core.exchange.cards.reading import MEDIA, Card, Property, listed, pieces, plain
from crm_core.exchange.own_keys import fitting, made_up
from crm_core.exchange.transforms.countries import country_code
from crm_core.fields import Address

__all__ = ["person_of"]

_LONGEST = 254
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff·]+")
_WECHAT = ("X-WECHAT", "X-WEIXIN", "X-TENCENT-WECHAT")
_MESSENGERS = re.compile(
    "X-(QQ|SKYPE(-USERNAME)?|AIM|MSN|ICQ|JABBER|YAHOO|GTALK|GOOGLE-TALK|TWITTER|LINE|DINGTALK|SOCIALPROFILE|MS-IMADDRESS)"
)
_MOBILE = frozenset({"cell", "mobile", "iphone", "pcs"})
_WHERE = ("home", "work", "school", "other", "main", "assistant", "pager", "car")
_ABOUT_THE_CARD = frozenset({"PRODID", "REV", "SOURCE", "PROFILE", "NAME", "MAILER", "CLIENTPIDMAP", "XML", "CLASS"})


def person_of(card: Card) -> Person:
    """What a card says; raises :class:`ValidationError` for one that is about nobody."""
    return _Reading(card).person()


class _Reading:
    """The properties of a card, taken one after the other; what remains at the end is told."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.left = list(card.properties)
        self.untaken: list[Problem] = []

    def take(self, *names: str) -> list[Property]:
        found = [each for each in self.left if each.name in names]
        self.left = [each for each in self.left if each.name not in names]
        return found

    def leave(self, each: Property, problem: str, **values: object) -> None:
        self.untaken.append(Problem(each.name, problem, "", values))

    def leave_the_rest(self) -> None:
        """What nobody asked for."""
        for each in self.left:
            if each.name in MEDIA:
                self.leave(each, "Pictures, sounds and keys are not kept.")
            elif each.name in _ABOUT_THE_CARD:
                self.leave(each, "It is about the card, not about a person.")
            elif each.name == "AGENT":
                self.leave(each, "A card inside of a card is not taken; give it to the import by itself.")
            else:
                self.leave(each, "There is no field for it.")

    def person(self) -> Person:
        labels = self._labels()
        uid = self._one("UID")
        company = self._says_company()
        name, fields = self._names()
        places = tuple(self._places())
        points = tuple(dict.fromkeys(self._points(labels)))
        address, address_point, postal = self._addresses(labels, places or company)
        points += postal
        fields.update(self._dates())
        if note := "\n\n".join(text for each in self.take("NOTE") if (text := plain(each))):
            fields["note"] = note
        fields.update(self._language())
        name = self._nickname(name)
        if not name and places:
            company = company or not points
            name = places[0].account if company else ""
        if not name:
            raise ValidationError("The card names nobody.", mend="Give it a name (FN or N), or take it out.")
        self.leave_the_rest()
        if company:
            self._leave_places(places, name)
        return Person(
            number=self.card.number,
            key=fitting(uid or _digest(name, points)),
            identified=uid is not None,
            name=name,
            company=company,
            fields=fields,
            points=points,
            places=() if company else places,
            address=address,
            address_point=address_point,
            untaken=tuple(self.untaken),
        )

    def _one(self, *names: str) -> str | None:
        found = self.take(*names)
        for each in found[1:]:
            self.leave(each, "Another one counts.")
        return plain(found[0]) or None if found else None

    def _says_company(self) -> bool:
        kind = (self._one("KIND", "X-ADDRESSBOOKSERVER-KIND") or "").lower()
        if kind in ("group", "location"):
            raise ValidationError("The card is about a {kind}, not about a person.", mend="Take it out.", kind=kind)
        if kind not in ("", "individual", "org"):
            self.untaken.append(Problem("KIND", "It is taken for a person, not for: {kind}.", "", {"kind": kind}))
        return (self._one("X-ABSHOWAS") or "").upper() == "COMPANY" or kind == "org"

    def _labels(self) -> dict[str, str]:
        """What Apple calls the lines of a group, such as ``_$!<HomePage>!$_``."""
        used = {each.group for each in self.left if each.name != "X-ABLABEL" and each.group}
        labels = [each for each in self.left if each.name == "X-ABLABEL" and each.group in used]
        # Those of lines that are not taken are told with them.
        self.left = [each for each in self.left if each.name != "X-ABLABEL" or each.group not in used]
        return {each.group: _label(plain(each)) for each in labels}

    # -- names -------------------------------------------------------------------------------------------------

    def _nickname(self, name: str) -> str:
        """Better than nobody; where there is a name, we have no field for another."""
        nicknames = self.take("NICKNAME")
        if not name and nicknames:
            name = " ".join(plain(nicknames.pop(0)).split())
        for each in nicknames:
            self.leave(each, "There is no field for another name.")
        return name

    def _names(self) -> tuple[str, dict[str, Any]]:
        fields: dict[str, Any] = {}
        parts = [""] * 5
        written = self.take("N")
        for number, each in enumerate(written):
            if number:
                self.leave(each, "Another one counts.")
            else:
                parts = [" ".join(filter(None, words)) for words in [*listed(each), *[[]] * 5][:5]]
        family, given, more, prefix, suffix = parts
        fields |= {name: text for name, text in (
            ("family_name", family), ("given_name", given), ("salutation", prefix)) if text}  # fmt: skip
        shown = [text for each in self.take("FN") if (text := " ".join(plain(each).split()))]
        full = " ".join(part for part in (prefix, given, more, family, suffix) if part)
        if _chinese(family + given) and not more:
            # The family name stands first, whatever a telephone made of it.
            joined = family + given
            if not shown or shown[0].replace(" ", "") in (joined, given + family):
                shown = [joined, *shown[1:]]
        name = shown[0] if shown else full
        for part in (more, suffix):
            if part and name and not set(part.split()) <= set(re.split(r"[\s,]+", name)):
                self.untaken.append(Problem("N", "The full name is without {text}.", "", {"text": part}))
        for other in shown[1:]:
            if other == name:
                continue
            if "local_name" not in fields and _chinese(other) != _chinese(name):
                fields["local_name"] = other
            else:
                self.untaken.append(Problem("FN", "It is one more name: {name}.", "", {"name": other}))
        return name, fields

    # -- places of work ----------------------------------------------------------------------------------------

    def _places(self) -> Iterator[Place]:
        organisations, titles, roles = self.take("ORG"), _by_group(self.take("TITLE")), _by_group(self.take("ROLE"))
        alone = len(organisations) == 1
        seen: set[str] = set()
        for each in organisations:
            name, *departments = [" ".join(part.split()) for part in pieces(each)]
            title = _beside(each, titles, alone=alone)
            role = _beside(each, roles, alone=alone)
            if not name or name in seen:
                problem = "It names a company twice." if name else "It names no company."
                if name or any(departments):
                    self.leave(each, problem)
                for other in (title, role):
                    if other is not None and plain(other):
                        self.leave(other, problem)
                continue
            seen.add(name)
            department = ", ".join(part for part in departments if part) or None
            yield Place(name, department, (title and plain(title)) or None, (role and plain(role)) or None)
        for each in (each for others in (*titles.values(), *roles.values()) for each in others):
            self.leave(each, "There is no company that it belongs to.")

    def _leave_places(self, places: tuple[Place, ...], company: str) -> None:
        """A company has no place of work."""
        for place in places:
            if place.account != company:
                values = {"name": place.account}
                self.untaken.append(Problem("ORG", "The card is about a company itself, not: {name}.", "", values))
            for name, text in (("ORG", place.department), ("TITLE", place.title), ("ROLE", place.role)):
                if text:
                    values = {"text": text}
                    self.untaken.append(Problem(name, "The card is about a company, which has no: {text}.", "", values))

    # -- ways to reach them ------------------------------------------------------------------------------------

    def _points(self, labels: dict[str, str]) -> Iterator[Point]:
        for each in self.take("TEL", "EMAIL", "URL", "IMPP", "X-CRM-OTHER", *_WECHAT):
            if found := self._point(each, labels):
                yield found
        for each in self.take(*{each.name for each in self.left if _MESSENGERS.fullmatch(each.name)}):
            service = (
                each.name.removeprefix("X-")
                .removeprefix("MS-")
                .removesuffix("ADDRESS")
                .removesuffix("-USERNAME")
                .lower()
            )
            if service == "socialprofile":
                service = min(each.types - {"home", "work"}, default=service)
            if found := self._fitting(each, PointKind.OTHER, plain(each), service):
                yield found

    def _point(self, each: Property, labels: dict[str, str]) -> Point | None:
        value, types = plain(each), each.types
        where = labels.get(each.group) or " ".join(word for word in _WHERE if word in types) or None
        scheme, colon, rest = value.partition(":")
        if each.name == "TEL":
            if colon and scheme.lower() == "tel":
                value = urllib.parse.unquote(rest).replace(";ext=", " ext. ")
            kind = PointKind.FAX if "fax" in types else PointKind.MOBILE if types & _MOBILE else PointKind.PHONE
            if "pager" in types:
                kind = PointKind.OTHER
            elif not _is(kind, value):
                # No number, or a broken one: somebody may still make something of it.
                kind, where = PointKind.OTHER, "tel"
            return self._fitting(each, kind, value, where)
        if each.name == "EMAIL":
            value = rest if colon and scheme.lower() == "mailto" else value
            if _is(PointKind.EMAIL, value):
                return self._fitting(each, PointKind.EMAIL, value, where)
            # An address of another kind, or one that is broken: somebody may still make something of it.
            return self._fitting(each, PointKind.OTHER, value, "mail")
        if each.name == "URL":
            return self._fitting(each, PointKind.OTHER, value, " ".join(filter(None, (where, "url"))))
        if each.name == "X-CRM-OTHER":
            return self._fitting(each, PointKind.OTHER, value, where)
        named = each.parameters.get("X-SERVICE-TYPE") or each.parameters.get("SERVICE-TYPE")
        # A service that is named has the last word: what is in the address may belong to it.
        ours = bool(rest) and scheme.lower() in ("wechat", "weixin") and not named
        if each.name in _WECHAT or ours:
            # Any other colon is a part of the name.
            return self._fitting(each, PointKind.WECHAT, rest if ours else value, where)
        return self._fitting(each, PointKind.OTHER, value, (named or scheme).lower())

    def _fitting(self, each: Property, kind: PointKind, value: str, label: str | None) -> Point | None:
        value = " ".join(value.split())
        if not value:
            return None
        if len(value) > _LONGEST:
            self.leave(each, "It has {length} characters; at most {most} fit.", length=len(value), most=_LONGEST)
            return None
        return Point(kind, value, label[:40] if label else None, each.preferred)

    def _addresses(
        self, labels: dict[str, str], works: object
    ) -> tuple[Address | None, Point | None, tuple[Point, ...]]:
        """The address of the company, also as a line of text; and those where the person is reached by post."""
        found: Address | None = None
        found_point: Point | None = None
        points: list[Point] = []
        for each in self.take("ADR"):
            parts = ["; ".join(line for line in part.splitlines() if line) for part in [*pieces(each), *[""] * 7][:7]]
            box, extended, street, city, region, code, country = parts
            lines = ", ".join(filter(None, (street, extended, box)))
            where = labels.get(each.group) or " ".join(word for word in _WHERE if word in each.types)
            text = ", ".join(filter(None, (lines, f"{code} {city}".strip(), region, country)))
            # What was the person's own in another CRM says so by its label.
            own = where.split()[-1:] == ["address"]
            point = self._fitting(each, PointKind.OTHER, text, where if own else f"{where} address".strip())
            if point is None:
                continue
            if works and found is None and not own and "home" not in each.types:
                found = _address(lines, city, region, code, country)
                if found is not None:
                    found_point = point
                    continue
            points.append(point)
        return found, found_point, tuple(points)

    # -- the rest ----------------------------------------------------------------------------------------------

    def _dates(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in self.take("BDAY"):
            day = _day(plain(each))
            if day is None:
                self.leave(each, "{text!r} is no whole day.", text=plain(each))
            elif found.setdefault("birthday", day) != day:
                self.leave(each, "Another one counts.")
        return found

    def _language(self) -> dict[str, Any]:
        found = sorted(self.take("LANG"), key=lambda each: not each.preferred)
        for each in found[1:]:
            self.leave(each, "Another one counts.")
        return {"language": plain(found[0])} if found and plain(found[0]) else {}


def _by_group(found: Iterable[Property]) -> dict[str, deque[Property]]:
    groups: dict[str, deque[Property]] = {}
    for each in found:
        groups.setdefault(each.group, deque()).append(each)
    return groups


def _beside(company: Property, others: Mapping[str, deque[Property]], *, alone: bool) -> Property | None:
    """The title that belongs to a company: the next of its group, else of none; to the only company, any."""
    waiting = others.get(company.group) or others.get("")
    if not waiting and alone:
        waiting = next(iter(others.values()), None)
    return waiting.popleft() if waiting else None


def _address(street: str, city: str, region: str, code: str, country: str) -> Address | None:
    try:
        return Address(
            street=street or None, city=city or None, region=region or None, postal_code=code or None,
            country=country_code(country) if country else None,
        )  # fmt: skip
    except ValueError:
        # A country that nobody knows: the address is kept as a line of text.
        return None


def _is(kind: PointKind, value: str) -> bool:
    try:
        POINT_FORMS[kind].check(" ".join(value.split()))
    except ValidationError:
        return False
    return True


def _label(text: str) -> str:
    """What Apple calls a line: its own words stand in signs, those of people do not."""
    own = re.fullmatch(r"_\$!<(.*)>!\$_", text)
    return own[1].lower() if own else text


def _chinese(text: str) -> bool:
    return _CHINESE.fullmatch(text.replace(" ", "")) is not None


def _day(text: str) -> dt.date | None:
    match = re.match(r"(\d{4})-?(\d\d)-?(\d\d)(?:$|[T ])", text)
    if match is None:
        return None
    try:
        return dt.date(*map(int, match.groups()))
    except ValueError:
        return None


def _digest(name: str, points: tuple[Point, ...]) -> str:
    words = "\n".join([name, *sorted(f"{point.kind.value}:{point.value}" for point in points)])
    return made_up("card", words)

"""Briefings as people read them: plain text for a terminal or a mail, and a page of HTML that stands by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from unicodedata import east_asian_width

from crm_core.hooks.values import OpenItem
from crm_core.views.briefing import Briefing, Contacted, Known
from crm_core.views.html import Translate, page
from crm_core.views.showing import pieces

__all__ = ["briefing_html", "briefing_index", "briefing_text"]

_MARKS = {"none": "", "good": " +", "warning": " !", "bad": " !!"}


def _unchanged(text: str, plugin: str | None = None) -> str:
    return text


def briefing_text(
    briefing: Briefing,
    *,
    translate: Translate = _unchanged,
    tz: dt.tzinfo = dt.UTC,
    users: Mapping[int, str] | None = None,
    words: Mapping[str, str] | None = None,
) -> str:
    """A briefing as plain text, in the reader's language.

    ``translate`` is a translator's ``text``, ``tz`` where moments are shown, ``users`` names of colleagues by id,
    ``words`` labels of kinds (of activities, of relations).
    """
    return "\n".join(_Text(translate, tz, users or {}, words or {}).lines(briefing)) + "\n"


class _Text:
    """Writes one briefing."""

    def __init__(self, translate: Translate, tz: dt.tzinfo, users: Mapping[int, str], words: Mapping[str, str]) -> None:
        self.say, self.tz, self.users, self.words = translate, tz, users, words

    def lines(self, briefing: Briefing) -> Iterator[str]:
        head = f"{briefing.name}  ({briefing.account_id})"
        yield head
        yield "=" * sum(2 if east_asian_width(char) in "WF" else 1 for char in head)
        yield from self._part("Facts", [f"{self.say(label)}: {self.say(value)}" for label, value in briefing.facts])
        yield from self._part(
            "Responsible",
            [
                self._joined(each.name, self.word(each.role), each.scope, self._since(each.since))
                for each in briefing.responsible
            ],
        )
        yield from self._part("Who is who", [line for each in briefing.people for line in self._person(each)])
        yield from self._part(
            "Stages",
            [
                self._joined(f"{each.business_line}: {self.word(each.stage)}", self._since(each.since))
                for each in briefing.stages
            ],
        )
        yield from self._part(
            "Relations",
            [f"{'' if each.outward else '← '}{self.word(each.kind)}: {each.name}" for each in briefing.related],
        )
        yield from self._part("What was promised", [self._item(each) for each in briefing.promises])
        yield from self._part("What is open", [self._item(each) for each in briefing.open])
        yield from self._part("Last contacts", [line for each in briefing.last for line in self._contact(each)])
        for panel in briefing.panels:
            title = self.say(panel.title, panel.plugin) + _MARKS[panel.severity]
            yield from self._part(
                title,
                [
                    *(f"{self.say(label, panel.plugin)}: {self.say(value, panel.plugin)}"
                      for label, value in panel.lines),
                    *(" | ".join(self.say(cell, panel.plugin) for cell in row) for row in panel.rows),
                ],
            )  # fmt: skip
        for failed in briefing.failed:
            yield ""
            yield self.say("The part of the plugin {plugin} could not be had ({hook}): {error}").format(
                plugin=failed.plugin, hook=failed.hook, error=failed.text(self.say)
            )

    def word(self, word: str) -> str:
        """A word by its label."""
        return self.say(self.words.get(word) or word.replace("_", " ").capitalize())

    def moment(self, moment: dt.datetime | None) -> str:
        """A moment on the organisation's clocks; midnight, which stands for a day, as the day."""
        if moment is None:
            return ""
        local = moment.astimezone(self.tz)
        return local.strftime("%Y-%m-%d" if local.time() == dt.time() else "%Y-%m-%d %H:%M")

    def _since(self, moment: dt.datetime | None) -> str:
        return "" if moment is None else self.say("since {day}").format(day=self.moment(moment))

    def _part(self, title: str, lines: Sequence[str]) -> Iterator[str]:
        if lines:
            yield ""
            yield self.say(title)
            yield from (f"  {line}" for line in lines)

    @staticmethod
    def _joined(*parts: str | None) -> str:
        return ", ".join(part for part in parts if part)

    def _person(self, person: Known) -> Iterator[str]:
        yield self._joined(person.name, person.role, person.title, person.department, self._since(person.since))
        for kind, value, consent in person.points:
            yield "    " + self._joined(f"{self.word(kind)}: {value}", self.word(consent) if consent else "")
        if person.last_met is not None:
            yield "    " + self.say("last met {day}").format(day=self.moment(person.last_met))

    def _item(self, item: OpenItem) -> str:
        due = "" if item.due is None else self.moment(item.due)
        who = "" if item.user_id is None else self.users.get(item.user_id, "")
        kind = "" if item.kind == "promise" else self.word(item.kind)
        title = pieces(item.title, self.say)
        return self._joined(due, f"{kind}: {title}" if kind else title, pieces(item.text, self.say), who)

    def _contact(self, each: Contacted) -> Iterator[str]:
        yield self._joined(self.moment(each.at), f"{self.word(each.kind)}: {each.subject}", each.person, each.user)
        yield from (f"    {line}" for line in (each.outcome or "").splitlines())
        if each.feeling:
            yield "    " + self.say("The customer was {feeling}.").format(feeling=self.word(each.feeling))


def briefing_html(
    briefing: Briefing,
    language: str = "en",
    *,
    translate: Translate = _unchanged,
    tz: dt.tzinfo = dt.UTC,
    users: Mapping[int, str] | None = None,
    words: Mapping[str, str] | None = None,
) -> str:
    """A briefing as one file of HTML, which can be mailed, printed or opened years later. See :func:`briefing_text`."""
    title = f"{translate('Briefing')}: {briefing.name}"
    return page("briefing.html", title, language, translate=translate, tz=tz, briefing=briefing, users=users or {},
                words=words or {})  # fmt: skip


def briefing_index(
    files: Sequence[tuple[str, Briefing]],
    language: str = "en",
    *,
    title: str,
    translate: Translate = _unchanged,
    tz: dt.tzinfo = dt.UTC,
) -> str:
    """A page that leads to the files of briefings."""
    return page("briefings.html", title, language, translate=translate, tz=tz, files=files)

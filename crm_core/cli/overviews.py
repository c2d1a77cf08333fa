"""The overview of an account and timelines, printed and as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from crm_core.cli.output import Output
from crm_core.cli.records import Shower
from crm_core.domain.accounts import Account
from crm_core.hooks.values import Failed, OpenItem, Panel, TimelineEntry
from crm_core.views import Fact, Overview, Person, Place, Point, Relative
from crm_core.views.showing import amount, kind_labels, pieces, said_question, shown
from crm_core.views.team import Responsible

__all__ = ["print_failed", "print_overview", "print_panel", "print_timeline"]

_BAR = 20
_TEAM_LABELS = ("Responsible", "Formerly responsible")
_MOST = 12
"""So many lines of what is long are shown; the rest is counted."""


def print_overview(output: Output, shower: Shower, view: Overview) -> None:
    """Everything that is known of an account, what matters next first."""
    _Printer(output, shower, view).print()


class _Printer:
    """Prints one overview."""

    def __init__(self, output: Output, shower: Shower, view: Overview) -> None:
        self.output, self.shower, self.view = output, shower, view
        self.translator, self.tz = output.translator, shower.tz
        self.say = output.translator.format

    def print(self) -> None:
        """All parts, in the order in which one reads them before a visit."""
        view, output = self.view, self.output
        self._head()
        if view.quality.ask:
            output.pairs(
                (
                    (f"{number}.", said_question(each, self.translator))
                    for number, each in enumerate(view.quality.ask, 1)
                ),
                title=self.say("What to ask next"),
            )
        self._open(view.open)
        self._team()
        self._people()
        for panel in view.panels:
            print_panel(output, panel)
        self._stages()
        self._group()
        self._facts()
        self._quality()
        if view.timeline:
            output.heading(self.say("Latest"))
            print_timeline(output, self.shower, view.timeline)
        print_failed(output, view.failed)

    def _head(self) -> None:
        view, quality = self.view, self.view.quality
        above = "".join(f"{each.name} › " for each in reversed(view.group.above))
        self.output.heading(f"{self.translator.record(Account.crm_type)} {view.account_id}  {above}{view.name}")
        filled = round(quality.completeness * _BAR)
        known = f"{'█' * filled}{'░' * (_BAR - filled)} {quality.completeness * 100:.0f} %"
        last = self.say("never")
        if quality.last_contact is not None:
            last = f"{shown(quality.last_contact, self.tz)}  " + self.say("{days} days ago", days=quality.quiet_days)
        stages = ", ".join(
            self.translator.choice(each.stage) + (f" ({each.business_line})" if each.business_line != "general" else "")
            for each in view.stages
        )
        pairs = [
            (self.say("Covering"), ", ".join(self._covers()) or self.say("Nobody is responsible")),
            (self.say("Stage"), stages),
            (self.say("Reached by"), " · ".join(map(self._point, view.points))),
            (self.say("Completeness"), known),
            (self.say("Last contact"), last + ("  !" if quality.quiet else "")),
        ]
        self.output.pairs([pair for pair in pairs if pair[1]])

    def _covers(self) -> Iterator[str]:
        for each in self.view.covering:
            who = (
                self.say("Nobody is responsible")
                if each.user_id is None
                else f"{each.name} ({self.translator.choice(each.role)})"
            )
            yield f"{each.scope}: {who}" if each.scope else who

    def _open(self, items: tuple[OpenItem, ...]) -> None:
        if not items:
            return
        kinds = kind_labels(self.shower.session, self.translator, {each.kind for each in items})
        self.output.table(
            ("due", "kind", "what", "who"),
            (
                (
                    shown(each.due, self.tz) + (" !" if each.due is not None and each.due < self.view.at else ""),
                    kinds[each.kind],
                    f"{pieces(each.title, self.translator)}\n{pieces(each.text, self.translator)}".strip(),
                    self.view.names.get(each.user_id or 0, ""),
                )
                for each in items[:_MOST]
            ),
            title="Open",
        )
        self._more(len(items) - _MOST)

    def _more(self, number: int) -> None:
        if number > 0:
            self.output.say("... and {count} more", count=number)

    def _since(self, since: dt.datetime | None, until: dt.datetime | None) -> str:
        begin, end = shown(since, self.tz), shown(until, self.tz)
        return f"{begin or '…'} – {end}" if end else begin

    def _team(self) -> None:
        self._responsible(self.view.responsible, title=_TEAM_LABELS[0])
        self._responsible(self.view.formerly_responsible, title=_TEAM_LABELS[1])

        for each in self.view.handovers:
            self.output.line()
            self.output.say("Handover from {leaver} to {successor}: {state}", leaver=each.leaver,
                            successor=each.successor or (self.say("the pool") if each.to_pool else "?"),
                            state=self.translator.choice(each.state))  # fmt: skip

    def _responsible(self, team: Sequence[Responsible], *, title: str) -> None:
        if team:
            self.output.table(
                ("who", "role", "scope", "since", "reason"),
                (
                    (
                        f"{each.user_id} {each.name}" + ("" if each.active else f" ({self.say('Not active')})"),
                        self.translator.choice(each.role), each.scope, self._since(each.since, each.until),
                        pieces(each.reason or "", self.translator),
                    )
                    for each in team
                ),
                title=title,
            )  # fmt: skip

    def _people(self) -> None:
        if self.view.people:
            self.output.pairs(map(self._person, self.view.people), title=self.say("People"))
        if self.view.former_people:
            former = self.view.former_people[:_MOST]
            self.output.pairs(map(self._former, former), title=self.say("Formerly, or later"))
            self._more(len(self.view.former_people) - _MOST)

    def _person(self, person: Person) -> tuple[str, str]:
        """Their roles, each on a line of its own, and below how to reach them and what we last knew."""
        lines = [self._place(place) for place in person.places if place.present]
        lines.append(" · ".join(map(self._point, person.points)))
        known = [
            self.say("{text} {day}", text=self.say(label), day=self._day(moment))
            for label, moment in (("confirmed", person.confirmed_at), ("last contact", person.last_contact))
            if moment is not None
        ]
        lines.append(" · ".join(known))
        mark = f" ({self.say('Decides')})" if person.decides else ""
        return f"{person.contact_id} {person.name}{mark}", "\n".join(filter(None, lines))

    def _former(self, person: Person) -> tuple[str, str]:
        lines = [self._place(place) for place in person.places]
        lines += [f"→ {there.name}{f' ({there.role})' if there.role else ''}" for there in person.elsewhere]
        return f"{person.contact_id} {person.name}", "\n".join(filter(None, lines))

    def _place(self, place: Place) -> str:
        role = ", ".join(filter(None, (place.role, place.title, place.department)))
        when = self._since(place.since, place.until)
        return " · ".join(filter(None, (role, when)))

    def _point(self, point: Point) -> str:
        kind = self.translator.choice(point.kind) if point.kind not in ("email", "phone", "mobile") else ""
        consent = f"({self.translator.choice(point.consent)})" if point.consent else ""
        return " ".join(filter(None, (kind, point.value, consent)))

    def _day(self, moment: dt.datetime) -> str:
        return moment.astimezone(self.tz).date().isoformat()

    def _stages(self) -> None:
        both = [*self.view.stages, *self.view.former_stages]
        if both:
            self.output.table(
                ("business line", "stage", "since"),
                (
                    (each.business_line, self.translator.choice(each.stage), self._since(each.since, each.until))
                    for each in both
                ),
                title="Stages",
            )

    def _group(self) -> None:
        view, group, rollup = self.view, self.view.group, self.view.group.rollup
        if not group.alone:
            pairs = [
                (self.say("Accounts"), f"{rollup.accounts}{'+' if group.more else ''}"),
                (self.say("Open"), str(rollup.open_items)),
                (self.say("Last contact"), shown(rollup.last_contact, self.tz)),
                (self.say("Quiet"), str(rollup.quiet or "")),
                (self.say("Without an owner"), str(rollup.unowned or "")),
                (self.say("Owners"), ", ".join(f"{name} ({number})" for _, name, number in rollup.owners)),
                *(
                    (self.translator.text(each.label, each.plugin),
                     f"{amount(each.amount.amount)} {each.amount.currency}")
                    for each in rollup.sums
                ),
            ]  # fmt: skip
            self.output.pairs([pair for pair in pairs if pair[1]], title=self.say("Group"))
            rows = [*self._tree(view.account_id, 0)]
            if rows:
                self.output.table(("account", "grade", "owner", "last contact", "open"), rows[: 3 * _MOST])
                self._more(len(rows) - 3 * _MOST)
        related = [
            *((True, each.kind, each.account_id, each.name) for each in group.above),
            *((each.outward, each.kind, each.account_id, each.name) for each in view.related),
        ]
        if related:
            self.output.table(
                ("relation", "account"),
                (
                    (("" if outward else "← ") + self.shower.word("account.relation", kind), f"{id_} {name}")
                    for outward, kind, id_, name in related
                ),
                title="Relations",
            )

    def _tree(self, parent_id: int, depth: int) -> Iterator[tuple[str, ...]]:
        for each in self.view.group.below:
            if each.parent_id == parent_id:
                yield self._relative(each, depth)
                yield from self._tree(each.account_id, depth + 1)

    def _relative(self, each: Relative, depth: int) -> tuple[str, ...]:
        return (
            f"{'  ' * depth}{each.account_id} {each.name}", each.grade or "", ", ".join(each.owners),
            shown(each.last_contact, self.tz).partition(" ")[0], str(each.open_items or ""),
        )  # fmt: skip

    def _facts(self) -> None:
        if self.view.facts:
            self.output.pairs(self._pairs(self.view.facts, None), title=self.say("Facts"))
        for extension in self.view.extensions:
            if extension.facts:
                self.output.pairs(
                    self._pairs(extension.facts, extension.record_type.plugin),
                    title=self.translator.record(extension.record_type),
                )

    def _pairs(self, facts: Iterable[Fact], plugin: str | None) -> Iterator[tuple[str, str]]:
        types = {each.record_type.plugin: each.record_type for each in self.view.extensions}
        record_type = types.get(plugin or "", Account.crm_type)
        for fact in facts:
            text = str(fact.value) if fact.field is None else self.shower.text(fact.field, fact.value, record_type)
            yield self.translator.text(fact.label, plugin), text

    def _quality(self) -> None:
        quality = self.view.quality
        pairs = [
            (self.translator.text(part.label), f"{part.share * 100:.0f} %" if part.share else "–")
            for part in quality.missing
        ]
        if pairs:
            self.output.pairs(pairs, title=self.say("Not yet known"))


_MARKS = {"none": "", "good": " +", "warning": " !", "bad": " !!"}


def print_panel(output: Output, panel: Panel) -> None:
    """A plugin's part of the overview."""

    def say(text: str) -> str:
        return output.translator.text(text, panel.plugin)

    title = f"{say(panel.title)}{_MARKS[panel.severity]}  [{panel.plugin}]"
    if panel.lines or not panel.rows:
        output.pairs(((say(label), say(value)) for label, value in panel.lines), title=title)
    else:
        output.heading(title)
    if panel.rows:
        header, *rows = panel.rows
        output.table([say(each) for each in header], ([say(each) for each in row] for row in rows))


def print_timeline(output: Output, shower: Shower, entries: Iterable[TimelineEntry]) -> None:
    """Entries, latest first."""
    entries = list(entries)
    shower.prepare("user", [entry.user_id for entry in entries if entry.user_id is not None])
    kinds = kind_labels(shower.session, output.translator, {entry.kind for entry in entries})
    text = output.translator.text
    output.table(
        ("when", "kind", "what", "who"),
        (
            (
                shown(entry.at, shower.tz),
                kinds[entry.kind],
                text(entry.title) + (f" ({text(entry.status)})" if entry.status else "")
                + f"\n{pieces(entry.text, text)}".rstrip(),
                "" if entry.user_id is None else shower.reference("user", entry.user_id),
            )
            for entry in entries
        ),
    )  # fmt: skip


def print_failed(output: Output, failed: Iterable[Failed]) -> None:
    """Whose part could not be had."""
    for each in failed:
        output.note("The part of the plugin {plugin} could not be had ({hook}): {error}", plugin=each.plugin,
                    hook=each.hook, error=each.text(output.translator.text))  # fmt: skip

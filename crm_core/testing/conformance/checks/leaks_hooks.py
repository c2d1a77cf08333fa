"""No hook of the plugin shows, counts or hints what the reader may not see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_core.errors import CrmError
from crm_core.testing.conformance.asking import Answer, answers, implementations, place_of
from crm_core.testing.conformance.marks import marks_in
from crm_core.testing.conformance.organisations import Organisation, open_organisation, organisations
from crm_core.testing.conformance.population import drawn, row_strategy, write
from crm_core.testing.conformance.pruning import prune
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "leaks-hooks"
_CHECKED = "crm_check_changes"
_MEND = (
    "Read through the session that the hook is given. An elevated one (as_system, system_session) and a raw connection "
    "see more than the reader, and so does what a record copied."
)
_TRIES = 3
"""How many rows of each record every user tries to write."""


def _look(subject: Subject) -> Iterator[Finding]:
    told: set[tuple[str, str]] = set()
    silent: dict[str, bool] = {}
    for organisation, address in organisations(subject):
        with open_organisation(subject, address, organisation.now) as crm:
            for user in sorted(organisation.logins):
                for finding in _of_user(subject, organisation, crm, user, silent):
                    key = (finding.where, finding.what)
                    if key not in told:  # one example of each is enough to mend it
                        told.add(key)
                        yield finding
    for hook in (hook for hook, nothing in silent.items() if nothing):
        subject.note(NAME, "{hook} had nothing to say in any organisation, so that nothing is known of it.", hook=hook)


def _of_user(
    subject: Subject, organisation: Organisation, whole: Crm, user: int, silent: dict[str, bool]
) -> Iterator[Finding]:
    given = _asked(whole, subject, organisation, user)
    yield from _objections(subject, whole, organisation, user)
    showing: set[int] = set()
    for number, answer in enumerate(given):
        silent[answer.call.hook] = silent.get(answer.call.hook, True) and not answer.text
        if answer.error is not None:
            yield _finding(
                subject, organisation, user, answer, "{hook} fails: {error} (for {user}, seed {seed}).",
                "Mend it; whoever looks is shown a part that failed.",
            )  # fmt: skip
        elif words := [word for word in sorted(marks_in(answer.text)) if organisation.hidden(user, word)]:
            showing.add(number)
            yield _finding(
                subject, organisation, user, answer,
                "{hook} shows {user} what stands in {places}, which they may not see (seed {seed}).", _MEND,
                places=_places(organisation, words),
            )  # fmt: skip
    if not given:
        return
    with (
        subject.databases.copy(f"organisation {organisation.seed}") as copy,
        open_organisation(subject, copy, organisation.now) as crm,
    ):
        prune(crm, organisation, user)
        expected = _asked(crm, subject, organisation, user)
    for number, (answer, without) in enumerate(zip(given, expected, strict=True)):
        comparable = answer.error is None and without.error is None and number not in showing
        if comparable and answer.parts != without.parts:
            more = [part for part in answer.parts if part not in without.parts]
            less = [part for part in without.parts if part not in answer.parts]
            yield _finding(
                subject, organisation, user, answer,
                "{hook} tells {user} of what they may not see: it says {more!r}, and {less!r} where they see all that "
                "there is (seed {seed}).",
                _MEND, more=_short(more), less=_short(less),
            )  # fmt: skip


def _asked(crm: Crm, subject: Subject, organisation: Organisation, user: int) -> list[Answer]:
    with crm.session(organisation.logins[user], read_only=True) as session:
        return answers(crm, subject.plugin, session, organisation.ids("account"))


def _objections(subject: Subject, crm: Crm, organisation: Organisation, user: int) -> Iterator[Finding]:
    """Whoever is refused is told nothing that they may not know; nothing of this is kept."""
    calls = list(implementations(crm, subject.plugin, (_CHECKED,)))
    if not calls:
        return
    ids = {record: sorted(rows) for record, rows in organisation.oracle.rows.items()}
    for record_type in subject.types:
        if any(field.required and not field.optional and not ids.get(str(field.target)) for field in record_type.refs):
            continue
        for values in drawn(row_strategy(subject, crm, record_type, ids), _TRIES, organisation.seed * 1000 + user):
            with crm.session(organisation.logins[user]) as session:
                try:
                    write(session, record_type, values)
                    session.check()
                except CrmError as error:
                    said = error.text()
                else:
                    said = ""
                session.rollback()
            words = [word for word in sorted(marks_in(said)) if organisation.hidden(user, word)]
            if words:
                yield _finding(
                    subject, organisation, user, Answer(calls[0]),
                    "{hook} refuses a new {record} by {user} with words that stand in {places}, which they may not "
                    "see (seed {seed}).",
                    "Say in an objection what is wrong with the change, and nothing of the records that it was "
                    "compared with.",
                    record=record_type.name, places=_places(organisation, words),
                )  # fmt: skip


def _places(organisation: Organisation, words: list[str]) -> str:
    marks = [mark for word in words[:3] for mark in organisation.marks[word][:1]]
    return ", ".join(f"{mark.record}.{mark.field} ({mark.id})" for mark in marks)


def _short(parts: list[str]) -> str:
    return parts[0][:300] if parts else ""


def _finding(
    subject: Subject, organisation: Organisation, user: int, answer: Answer, what: str, mend: str, **values: str
) -> Finding:
    known = {
        "hook": answer.call.hook,
        "user": organisation.logins[user],
        "seed": organisation.seed,
        "error": f"{type(answer.error).__name__}: {answer.error}",
        **values,
    }
    return Finding(NAME, what, place_of(subject, answer.call), mend, known)


CHECK = Check(
    NAME,
    "What its hooks answer (overview, timeline, news, actions, handover, signals, warnings, objections) is the same as "
    "if there were nothing but what the reader may see.",
    _look,
    database=True,
)

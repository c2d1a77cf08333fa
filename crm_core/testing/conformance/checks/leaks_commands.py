"""No command of the plugin, nor one of the kernel about its records, prints what the user may not see."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.assembly.discovery import installed
from crm_core.testing.conformance.commanding import Ended, command_lines, run_command, toml
from crm_core.testing.conformance.marks import marks_in
from crm_core.testing.conformance.organisations import Organisation, open_organisation, organisations, with_roles
from crm_core.testing.conformance.pruning import prune
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "leaks-commands"
_BUG = 70
_MEND = (
    "Open the session by application.session(), which acts for --user; a system session, and a raw connection, see "
    "everything."
)


def _look(subject: Subject) -> Iterator[Finding]:
    if subject.discovery is not installed:
        subject.note(NAME, "The plugin is not installed, so its commands cannot be run.")
        return
    told: set[tuple[str, str]] = set()
    for organisation, _ in organisations(subject):
        for number, user in enumerate(_telling(subject, organisation)):
            kernels = number == 0 and organisation.seed == subject.seeds[0]
            for finding in _of_user(subject, organisation, user, kernels=kernels):
                key = (finding.where, finding.what)
                if key not in told:  # one example of each is enough to mend it
                    told.add(key)
                    yield finding


def _telling(subject: Subject, organisation: Organisation) -> list[int]:
    """The two users for whom most is to be seen and most is hidden; each command starts the CRM anew."""

    def balance(user: int) -> int:
        found = [(organisation.oracle.visible(user, each), organisation.ids(each)) for each in _types(subject)]
        return sum(min(len(seen), len(there) - len(seen)) for seen, there in found)

    return sorted(organisation.logins, key=balance, reverse=True)[:2]


def _types(subject: Subject) -> list[str]:
    return ["account", *(record_type.name for record_type in subject.types)]


def _of_user(subject: Subject, organisation: Organisation, user: int, *, kernels: bool) -> Iterator[Finding]:
    seen = sorted(organisation.oracle.visible(user, "account"))
    accounts = [*seen[:2], *[id_ for id_ in organisation.ids("account") if id_ not in seen][:2]]
    ids = {record: sorted(rows) for record, rows in organisation.oracle.rows.items()}
    own = dict(command_lines(subject, accounts, ids))
    for name in [name for name, lines in own.items() if not lines and kernels]:
        subject.note(
                NAME,
                "'crm {name}' was not run, since nobody tells with what; give lines for it in {module}.commands(ids).",
                name=name, module=f"{subject.package}.conformance",
            )  # fmt: skip
    if kernels:
        with _database(subject, organisation) as file:
            lines = _kernels(subject, organisation, accounts)
            yield from _shown(organisation, user, _run(file, organisation, user, lines))
    if not any(own.values()):
        return
    with _database(subject, organisation) as file:
        first = _run(file, organisation, user, own)
    yield from _shown(organisation, user, first)
    with _database(subject, organisation) as file:
        again = _run(file, organisation, user, own)
    with _database(subject, organisation, pruned_for=user) as file:
        without = _run(file, organisation, user, own)
    for key, ended in first.items():
        if again[key] == ended != without[key] and not _hidden(organisation, user, ended):
            yield Finding(
                NAME,
                "'crm {line}' tells {user} of what they may not see: its output differs where they see all that there "
                "is (seed {seed}).",
                f"crm {key[0]}",
                _MEND,
                {"line": " ".join(key[1]), "user": organisation.logins[user], "seed": organisation.seed},
            )


Lines = Mapping[str, Sequence[Sequence[str]]]
Endings = dict[tuple[str, tuple[str, ...]], Ended]


def _kernels(subject: Subject, organisation: Organisation, accounts: Sequence[int]) -> Lines:
    """The kernel's commands over the plugin's records."""
    lines: dict[str, list[list[str]]] = {
        "list": [["list", name, "--all-dates", "--json"] for name in _types(subject)],
        "show": [["show", "account", str(account)] for account in accounts],
        "timeline": [["timeline", str(account)] for account in accounts],
        "today": [["today", "--all", "--keep"]],
    }
    for record_type in subject.types:
        some = organisation.ids(record_type.name)[:3]
        lines.setdefault("history", []).extend(["history", record_type.name, str(id_)] for id_ in some)
    return lines


def _run(file: Path, organisation: Organisation, user: int, own: Lines) -> Endings:
    from crm_core.assembly.crm import Crm

    if not any(own.values()):
        return {}
    with Crm.open(file, check=False) as crm:
        return {
            (name, tuple(line)): run_command(file, organisation.logins[user], line, crm)
            for name, lines in own.items()
            for line in lines
        }


def _shown(organisation: Organisation, user: int, endings: Endings) -> Iterator[Finding]:
    for (name, line), ended in endings.items():
        values = {"line": " ".join(line), "user": organisation.logins[user], "seed": organisation.seed}
        if ended.code == _BUG:
            yield Finding(
                NAME,
                "'crm {line}' ends with an error that nobody foresaw: {said} (as {user}, seed {seed}).",
                f"crm {name}",
                "Raise an error of crm_core.errors that says what is wrong and how to mend it.",
                {**values, "said": " ".join(ended.text.split())[:300]},
            )
        elif words := _hidden(organisation, user, ended):
            marks = [organisation.marks[word][0] for word in words[:3]]
            places = ", ".join(f"{mark.record}.{mark.field} ({mark.id})" for mark in marks)
            yield Finding(
                NAME,
                "'crm {line}' shows {user} what stands in {places}, which they may not see (seed {seed}).",
                f"crm {name}",
                _MEND,
                {**values, "places": places},
            )


def _hidden(organisation: Organisation, user: int, ended: Ended) -> list[str]:
    return [word for word in sorted(marks_in(ended.text)) if organisation.hidden(user, word)]


@contextmanager
def _database(subject: Subject, organisation: Organisation, pruned_for: int | None = None) -> Iterator[Path]:
    """The build file of a copy of the organisation's database, whole or as it is for one user."""
    with (
        tempfile.TemporaryDirectory(prefix="crm-commands-") as folder,
        subject.databases.copy(f"organisation {organisation.seed}") as address,
    ):
        if pruned_for is not None:
            with open_organisation(subject, address, organisation.now) as crm:
                prune(crm, organisation, pruned_for)
        content = with_roles(subject)
        file = Path(folder) / "crm.toml"
        file.write_text(toml({**content, "crm": {**content["crm"], "database": address}}), encoding="utf-8")
        yield file


CHECK = Check(
    NAME,
    "No command of its own, and none of the kernel's about its records, prints what the user may not see.",
    _look,
    database=True,
)

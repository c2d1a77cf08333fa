"""The command line: what commands print is what their user may see, and all of it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from crm_core.testing.conformance.commanding import Ended, run_command, toml
from crm_core.testing.conformance.marks import marks_in
from crm_core.testing.conformance.pruning import prune
from torture.leaks.asker import MISSING, TOLD_OF_LOST, Asker

__all__ = ["commands"]

GROUP = "commands"
_BUG = 70
_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00)?")
"""The moment at which a command ran: all others are of whole seconds."""
_ACCOUNTS = 2
_TYPES = 7
_USAGE = 2


@attrs.frozen
class Line:
    """A command.

    ``same`` says that it must print the same where there is nothing but what the user sees; ``beyond`` are fields that
    are told beyond that on purpose.
    """

    words: tuple[str, ...]
    record: str | None = None
    same: bool = True
    beyond: frozenset[tuple[str, str]] = frozenset()


def commands(asker: Asker) -> None:
    """Run each on the organisation, and on what is left of it for this user."""
    company = asker.company
    accounts = asker.sample(asker.ids("account"), _ACCOUNTS)
    lines = list(_lines(asker, accounts))
    with tempfile.TemporaryDirectory(prefix="crm-leaks-") as folder:
        with company.subject.databases.copy(company.template) as address:
            given = _run(asker, Path(folder), address, lines)
        with company.subject.databases.copy(company.template) as address:
            with company.opened(address) as crm:
                prune(crm, company.organisation, asker.user)
            expected = _run(asker, Path(folder), address, [line for line in lines if line.same])
    for line, ended in given.items():
        way = " ".join(line.words[:2]) if line.words[0] in ("pool", "quality", "handover") else line.words[0]
        shown = marks_in(ended.text)
        record = line.record or "words"
        leaked = {word for word in asker.hidden(shown) if not asker.hidden_fields([word]) <= line.beyond}
        asker.tally.said(GROUP, way, record, shown, leaked, set())
        if ended.code in (_BUG, _USAGE):
            asker.tally.bad("hidden", GROUP, way, record, f"{line.words}: {ended.text[:300]}")
        if line in expected:
            about = sum(company.about.get(int(word), 0) for word in line.words if word.isdigit()) or len(company.about)
            asker.tally.same(GROUP, way, record, ended, expected[line], about, " ".join(line.words) + ": ")
        if line.words[0] == "list" and line.record is not None:
            _listed(asker, line.record, ended)
        if line.words[0] == "show" and line.record is not None:
            _shown(asker, line, ended)


def _run(asker: Asker, folder: Path, address: str, lines: list[Line]) -> dict[Line, Ended]:
    config = asker.company.subject.config
    file = folder / "crm.toml"
    file.write_text(toml({**config, "crm": {**config["crm"], "database": address}}), encoding="utf-8")
    endings = ((line, run_command(file, asker.login, line.words)) for line in lines)
    return {line: attrs.evolve(ended, text=_CLOCK.sub("NOW", ended.text)) for line, ended in endings}


def _lines(asker: Asker, accounts: list[int]) -> Iterator[Line]:
    for record_type in asker.types:
        yield Line(("list", record_type.name, "--all-dates", "--limit", "1000", "--json"), record_type.name)
    for record_type in asker.chance.sample(asker.types, _TYPES):
        for id_ in (*asker.sample(asker.ids(record_type.name), 2), MISSING):
            yield Line(("show", record_type.name, str(id_), "--json"), record_type.name)
            yield Line(("history", record_type.name, str(id_), "--json"), record_type.name)
    for id_ in accounts:
        yield Line(("show", "account", str(id_), "--why"))
        yield Line(("timeline", str(id_), "--json"))
        yield Line(("pool", "history", str(id_), "--json"))
    yield Line(("search", "zq", "--limit", "1000", "--json"))
    # What was lost is told on purpose, within bounds; views look at how much.
    yield Line(("today", "--keep", "--json"), same=False, beyond=TOLD_OF_LOST)
    yield Line(("duplicates", "--json"))
    yield Line(("duplicates", "contact", "--json"))
    yield Line(("duties", "--json"))
    yield Line(("quality", "--json"))
    yield Line(("quality", "--mine", "--json"))
    yield Line(("handover", "list", "--json"))
    yield Line(("handover", "risks", "--json"))
    yield Line(("pool", "list", "--json"), same=False)  # how many are in a pool its members may know
    yield Line(("user", "list", "--json"))
    yield Line(("unit", "list", "--json"))
    yield Line(("undo", "--json"))
    yield Line(("jobs", "--json"))


def _listed(asker: Asker, record: str, ended: Ended) -> None:
    if ended.code:
        asker.tally.bad("hidden", GROUP, "list", record, ended.text[:200])
        return
    found = [row["id"] for row in _rows(json.loads(ended.text))]
    asker.tally.ids(GROUP, "ids of list", record, found, asker.seen(record, ever=True), asker.ids(record))


def _rows(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else next(each for each in answer.values() if isinstance(each, list))


def _shown(asker: Asker, line: Line, ended: Ended) -> None:
    id_ = int(line.words[2])
    sees = asker.oracle.sees(asker.user, str(line.record), id_)
    asker.tally.ids(
        GROUP, "show by id", str(line.record), [id_ if ended.code == 0 else None], {id_} if sees else set(), {id_}
    )

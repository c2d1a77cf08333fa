"""What the type checker says of records: correct code passes, and each typical mistake is an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CORRECT = '''
from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.fields import Money, choice, moment, money, number, ref, tags, text
from crm_core.records import Dated, Record, extends, one_at_a_time, parent, public, record, via
from crm_core.store.session import CrmSession


class Stage(Enum):
    """Stages."""

    IDEA = "idea"
    WON = "won"


@record("typing_test.project", access=via("account_id"))
class Project(Record):
    """A project."""

    account_id: Mapped[int] = ref("account")
    name: Mapped[str] = text(200, search=True)
    stage: Mapped[Stage] = choice(Stage, default=Stage.IDEA)
    budget: Mapped[Money | None] = money(default=None)
    chance: Mapped[Decimal | None] = number(2, default=None)
    rank: Mapped[int] = number(0, default=0)
    words: Mapped[frozenset[str]] = tags(factory=frozenset)
    due: Mapped[dt.datetime | None] = moment(default=None)

    account: Mapped[Account] = parent("account_id")


@record("typing_test.phase", access=public(), exclusive=[one_at_a_time("project_id")])
class Phase(Dated):
    """A phase."""

    project_id: Mapped[int] = ref("typing_test.project")

    project: Mapped[Project] = parent("project_id")


@extends("account", "typing_test.rating")
class Rating(Record):
    """A rating."""

    stars: Mapped[int] = number(0)


def work(session: CrmSession, account: Account) -> list[str]:
    """Use them."""
    project = session.add_one(Project(account_id=account.id, name="x", budget=Money("1", "CNY")))
    project.name = "y"
    project.due = None
    phase = Phase(project_id=project.id, valid_from=dt.datetime.now(dt.UTC))
    session.add(phase)
    start: dt.datetime | None = phase.valid_from
    query = select(Project).where(Project.name == "x", Project.stage == Stage.WON).order_by(Project.rank.desc())
    found = session.scalars(query).all()
    names: list[str] = [each.name for each in found]
    industry: str | None = found[0].account.industry
    chance: Decimal | None = session.require(Project, 1).chance
    listed: list[Project] = session.list(Project, "rank > 1")
    session.execute(update(Project).where(Project.id == 1).values(name="z"))
    session.add_many(Project, [{"account_id": 1, "name": "x"}])
    session.add(Rating(stars=5))
    print(start, industry, chance, listed, project.version, project.created_at, dict(project.custom))
    return names
'''

MISTAKES = {
    "a misspelt argument": ('Project(account_id=1, nmae="x")', "nmae"),
    "a missing argument": ("Project(account_id=1)", "name"),
    "an argument of another type": ('Project(account_id="1", name="x")', "account_id"),
    "a comparison with an attribute that is not there": ('select(Project).where(Project.nmae == "x")', "nmae"),
    "nothing for a required field": ('Project(account_id=1, name="x").name = None', "None"),
    "a navigation as an argument": (
        'Project(account_id=1, name="x", account=Account(name="Acme"))', "account",
    ),
}  # fmt: skip


def mypy(tmp_path: Path, source: str) -> tuple[int, str]:
    file = tmp_path / "sample.py"
    file.write_text(source, encoding="utf-8")
    cache = ROOT / ".mypy_cache" / "typing-test"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent",
         "--cache-dir", str(cache), str(file)],
        cwd=ROOT, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True, timeout=800, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_correct_code_passes_and_each_mistake_is_an_error(tmp_path: Path) -> None:
    """In one run, because starting the type checker is most of the work: each mistake stands on a line of its own."""
    pytest.importorskip("mypy")
    lines = CORRECT.splitlines()
    first = len(lines) + 3
    source = "\n".join([*lines, "", "", *(mistake for mistake, _ in MISTAKES.values())]) + "\n"
    code, output = mypy(tmp_path, source)
    assert code == 1, output
    errors: dict[int, str] = {}
    for line in output.splitlines():
        match = re.match(r".*sample\.py:(\d+): error: (.*)", line)
        if match:
            errors.setdefault(int(match.group(1)), match.group(2))
    assert {line for line in errors if line < first} == set(), output
    for number, (what, (_, word)) in enumerate(MISTAKES.items(), first):
        assert number in errors, f"{what} is no error:\n{output}"
        assert word in errors[number], f"{what}: {errors[number]}"

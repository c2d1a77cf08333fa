"""A plugin that hears everything and does jobs, so that there is something to lose; and that fails when it is told to.

It writes down what it is told in the folder of :data:`FOLDER`: outside of the database, as a plugin that sends mails
would have sent them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crm_core import Account, ChangeBatch, ChangeSet, Crm, CrmSession, Job, Manifest, hookimpl
from torture.faults.steps import passed

__all__ = ["COUNTER", "FOLDER", "TOLD", "manifest"]

FOLDER = "TORTURE_FOLDER"
"""The variable of the environment that names the folder of an attempt."""
TOLD, DID = "told.txt", "did.txt"
COUNTER = "Counter"

manifest = Manifest(name="tortured", version="1.0", crm_core=">=0.1.0.dev0", module="torture.faults.plugin")


def note(name: str, line: object) -> None:
    """Write a line down, whole or not at all."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    file = os.open(Path(folder) / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


@hookimpl
def crm_check_changes(session: CrmSession, system: CrmSession, batch: ChangeBatch) -> None:
    """Object to nothing, or fail."""
    passed("hook")


@hookimpl
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Do nothing, or fail."""
    passed("hook")


@hookimpl
def crm_on_committed(crm: Crm, change_sets: Sequence[ChangeSet]) -> None:
    """Write down what was committed."""
    for each in change_sets:
        passed("hook")
        note(TOLD, each.id)


def make(session: CrmSession, arguments: Mapping[str, Any]) -> None:
    """A job of two writes."""
    session.add(Account(name=f"Job {arguments['number']}"))
    session.flush()
    passed("hook")
    session.add(Account(name=f"Second {arguments['number']}"))


def count(session: CrmSession, arguments: Mapping[str, Any]) -> None:
    """A job that reads before it writes."""
    (counter,) = session.list(Account, f"name == {COUNTER!r}")
    passed("hook")
    counter.employees = (counter.employees or 0) + 1


def tell(crm: Crm, arguments: Mapping[str, Any]) -> None:
    """A job outside of any transaction."""
    passed("hook")
    note(DID, arguments["number"])


@hookimpl
def crm_register_jobs() -> Iterable[Job]:
    """Two that happen once, and one that happens at least once."""
    return [
        Job(name="tortured.make", run=make, attempts=99, lease=1),
        Job(name="tortured.count", run=count, attempts=99, lease=1),
        Job(name="tortured.tell", run=tell, attempts=99, lease=1, atomic=False),
    ]

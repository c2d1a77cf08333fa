"""The plugin's answers to the hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from crm_core import ChangeSet, Crm, Job, Record, Role, Scope, hookimpl
from crm_leaver.records import Profile, Step, Tie, Visit


@attrs.frozen
class Settings:
    """What ``[plugins.leaver]`` is read into."""

    often: int = 3


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """Everything it keeps."""
    return [Visit, Step, Tie, Profile]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """How often."""
    return Settings


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """One that no record implies."""
    return {"leaver.visit.sign": "Sign visits"}


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """A role of its own, and a grant to the kernel's."""
    return [
        Role("visitor", (("leaver.visit.*", Scope.OWN),), "Visitor"),
        Role("sales", (("leaver.visit.create", Scope.OWN),)),
    ]


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """What pools may wait for."""
    return {"account.signal": {"leaver_visit": "Visit"}}


@hookimpl
def crm_register_jobs() -> Iterable[Job]:
    """Something to do by night."""
    return [Job(name="leaver.sweep", run=sweep, label="Sweep", schedule="FREQ=DAILY;BYHOUR=4;BYMINUTE=0;BYSECOND=0")]


@hookimpl
def crm_on_committed(crm: Crm, change_sets: Sequence[ChangeSet]) -> None:
    """Hear of everything, and be content."""


def sweep(session: Any, arguments: Mapping[str, Any]) -> None:
    """Nothing lies about."""

"""The kernel's own contributions, registered like a plugin's under the name ``crm``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from crm_core.assembly import delivery
from crm_core.assembly.discovery import Found
from crm_core.assembly.manifest import HOOK_API, Manifest
from crm_core.domain import (
    accounts,
    activities,
    contacts,
    duties,
    external,
    organisation,
    ownership,
    pools,
    quality,
    redirects,
)
from crm_core.domain.handovers import records as handovers
from crm_core.domain.references import REFERENCES
from crm_core.hooks.markers import hookimpl
from crm_core.hooks.values import Job, OpenItem
from crm_core.records import KERNEL, Record, SoftReference
from crm_core.store import maintenance
from crm_core.store.partitions import keeping
from crm_core.store.policy import Role, Scope

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["FOUND", "manifest"]

manifest = Manifest(
    name=KERNEL,
    version=HOOK_API,
    crm_core=f"=={HOOK_API}",
    module=__name__,
    label="Kernel",
    description="Accounts, contacts, activities, ownership and our own organisation.",
)


def _distribution() -> tuple[str, str] | tuple[None, None]:
    try:
        return "crm-core", version("crm-core")
    except PackageNotFoundError:  # run from a folder of sources
        return None, None


FOUND = Found(KERNEL, lambda: manifest, *_distribution())

_CUSTOMERS = (
    "account", "account_address", "account_relation", "lifecycle", "contact", "affiliation", "contact_point",
    "activity", "participant",
)  # fmt: skip
_WRITING = ("create", "update", "delete")


def _grants(scope: Scope, *patterns: str) -> tuple[tuple[str, Scope], ...]:
    return tuple((pattern, scope) for pattern in patterns)


def _writes(scope: Scope, *, verbs: Iterable[str] = _WRITING) -> tuple[tuple[str, Scope], ...]:
    return _grants(scope, *(f"{record}.{verb}" for record in _CUSTOMERS for verb in verbs))


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """Everything in the domain."""
    modules = (
        accounts, activities, contacts, duties, external, handovers, organisation, ownership, pools, quality,
        redirects,
    )  # fmt: skip
    return [
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and "crm_type" in vars(each) and each.__module__ == module.__name__
    ]


@hookimpl
def crm_register_references() -> Iterable[SoftReference]:
    """What stands beside the name of a type."""
    return REFERENCES


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """What no record type implies."""
    return {
        "activity.read_notes": "Read the private notes on activities",
        "contact.read_notes": "Read the private notes on people",
        "pool.run": "Let the rules of the pools recycle and assign accounts",
        handovers.READ_DETAILS: "Read why somebody hands over, how accounts were chosen, and which records went over",
        "account.merge": "Merge accounts that are the same",
        "contact.merge": "Merge people who are the same",
        "contact.erase": "Erase a person for good, as laws on personal data demand",
        quality.DECIDE: "Decide on proposals as a steward, and change key fields directly",
        "system.impersonate": "Look at the CRM as another user",
        "system.import": "Import data",
        "system.jobs": "See, run, repeat and drop jobs",
        "system.plugins": "See what a plugin holds, remove and restore plugins",
        "system.reindex": "Compare indexes with the records, and write them anew",
        "system.undo": "Undo whole change sets",
    }


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Six roles to start with; a build file replaces them under the same name.

    Writing to the records of plugins is granted by those plugins, which know what a salesperson may do there.
    """
    notes = ("activity.read_notes", "contact.read_notes")
    return [
        Role("administrator", _grants(Scope.ALL, "*"), "Administrator"),
        Role(
            "manager",
            _grants(Scope.SUBTREE, "*.read", *notes, "ownership.*", "share.*", "handover.*", "handover_item.*",
                    "account.merge", "contact.merge")
            + _writes(Scope.SUBTREE),
            "Manager",
        ),
        # Salespeople start customers and keep them; only their manager deletes one.
        Role(
            "sales",
            _grants(Scope.OWN, "*.read", *notes, "share.*", "contact.merge")
            + _writes(Scope.OWN, verbs=("create", "update"))
            + _grants(Scope.OWN, "account_address.delete", "affiliation.delete", "contact_point.delete",
                      "activity.delete", "participant.delete"),
            "Salesperson",
        ),
        # Meant for shares: they lend sight of an account, or a hand in it, to somebody who does not own it.
        Role("reader", _grants(Scope.OWN, "*.read"), "Reader"),
        # Keeps the data right: sees everything, decides on proposals, and mends customers and people.
        Role(
            "steward",
            _grants(Scope.ALL, "*.read", quality.DECIDE, "account.merge", "contact.merge")
            + _writes(Scope.ALL, verbs=("create", "update")),
            "Data steward",
        ),
        Role("editor", _grants(Scope.OWN, "*.read") + _writes(Scope.OWN, verbs=("create", "update")), "Editor"),
    ]  # fmt: skip


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """Words to start with; plugins and the build file add theirs."""
    return {
        "account.kind": {
            "company": "Company",
            "outlet": "Outlet",
            "institution": "Institution",
            "person": "Private customer",
            "competitor": "Competitor",
            "partner": "Partner",
        },
        "account.relation": {
            "subsidiary": "Subsidiary of",
            "branch": "Branch of",
            "buys_through": "Buys through",
            "competitor": "Competitor of",
            "partner": "Partner of",
        },
        pools.SIGNALS: {pools.HELD_ACTIVITY: "Held activity"},
        "quality.kind": {
            "change": "Proposed change",
            "moved": "Hangs on somebody who moved",
            "other": "Other",
        },
        "activity.kind": {
            "visit": "Visit",
            "call": "Call",
            "meeting": "Meeting",
            "message": "Message",
            "task": "Task",
            "email": "E-mail",
        },
    }


@hookimpl
def crm_register_jobs() -> Iterable[Job]:
    """What the worker does for the kernel."""
    from crm_core.domain.handovers.due import JOB, do_due
    from crm_core.store.pools.jobs import run_assign, run_recycle

    return [
        Job(
            name="pool.recycle",
            run=run_recycle,
            label="Warn owners and give customers back to the pools",
            schedule="FREQ=DAILY;BYHOUR=2;BYMINUTE=0;BYSECOND=0",
        ),
        Job(
            name="pool.assign",
            run=run_assign,
            label="Hand out what is in the pools in turn",
            schedule="FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0",
        ),
        # A handover is a transaction of its own, so that one that fails does not keep the others.
        Job(
            name=JOB,
            run=do_due,
            label="Do the handovers whose day has come",
            schedule="FREQ=HOURLY;BYMINUTE=5;BYSECOND=0",
            atomic=False,
        ),
        Job(
            name="jobs.tidy",
            run=maintenance.tidy,
            label="Forget jobs that were done long ago",
            schedule="FREQ=DAILY;BYHOUR=3;BYMINUTE=40;BYSECOND=0",
            arguments={"keep_days": 30},
        ),
        # A table is locked for it, so that it is no part of another transaction.
        Job(
            name="journal.keep",
            run=keeping.run,
            label="Make the parts of the journal that are needed next",
            schedule="FREQ=DAILY;BYHOUR=3;BYMINUTE=20;BYSECOND=0",
            arguments={"months": keeping.MONTHS, "least": keeping.LEAST},
            atomic=False,
        ),
        # Its terms are those of the feed: after so many failures at a change set a plugin goes on without it.
        Job(
            name="feed.deliver",
            run=delivery.deliver_again,
            label="Tell a plugin of a change set that it failed at",
            atomic=False,
            attempts=8,
            lease=120,
        ),
    ]


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterable[OpenItem]:
    """Planned activities, promises, matters of data quality, and changes to come."""
    from crm_core.views.open_items import kernel_items

    return kernel_items(session, accounts, user_id)

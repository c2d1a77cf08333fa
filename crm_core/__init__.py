"""crm-core: a plugin-based CRM core framework.

The names here are the public API. They are loaded when first touched, so that ``import crm_core`` is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapped as Mapped

    from crm_core import jobs as jobs
    from crm_core.assembly import Crm as Crm
    from crm_core.assembly import Manifest as Manifest
    from crm_core.domain import accounts as accounts
    from crm_core.domain import activities as activities
    from crm_core.domain import contacts as contacts
    from crm_core.domain import dated as dated
    from crm_core.domain import handovers as handovers
    from crm_core.domain import organisation as organisation
    from crm_core.domain import ownership as ownership
    from crm_core.domain import shares as shares
    from crm_core.domain.accounts import Account as Account
    from crm_core.domain.accounts import AccountAddress as AccountAddress
    from crm_core.domain.accounts import AccountRelation as AccountRelation
    from crm_core.domain.accounts import Lifecycle as Lifecycle
    from crm_core.domain.accounts import Stage as Stage
    from crm_core.domain.activities import Activity as Activity
    from crm_core.domain.activities import Feeling as Feeling
    from crm_core.domain.activities import Participant as Participant
    from crm_core.domain.activities import Status as Status
    from crm_core.domain.contacts import Affiliation as Affiliation
    from crm_core.domain.contacts import Consent as Consent
    from crm_core.domain.contacts import Contact as Contact
    from crm_core.domain.contacts import ContactPoint as ContactPoint
    from crm_core.domain.contacts import PointKind as PointKind
    from crm_core.domain.duties import DutyConfirmation as DutyConfirmation
    from crm_core.domain.external import ExternalRef as ExternalRef
    from crm_core.domain.handovers import Handover as Handover
    from crm_core.domain.handovers import HandoverItem as HandoverItem
    from crm_core.domain.organisation import Membership as Membership
    from crm_core.domain.organisation import Unit as Unit
    from crm_core.domain.organisation import User as User
    from crm_core.domain.ownership import Ownership as Ownership
    from crm_core.domain.ownership import OwnershipRole as OwnershipRole
    from crm_core.domain.ownership import Share as Share
    from crm_core.domain.pools import Pool as Pool
    from crm_core.domain.pools import PoolEvent as PoolEvent
    from crm_core.domain.pools import PoolEventKind as PoolEventKind
    from crm_core.domain.pools import PoolRules as PoolRules
    from crm_core.domain.pools import RecycleRule as RecycleRule
    from crm_core.domain.quality import QualityIssue as QualityIssue
    from crm_core.domain.redirects import Redirect as Redirect
    from crm_core.errors import BuildError as BuildError
    from crm_core.errors import Conflict as Conflict
    from crm_core.errors import Contention as Contention
    from crm_core.errors import ContractError as ContractError
    from crm_core.errors import CrmError as CrmError
    from crm_core.errors import DeclarationError as DeclarationError
    from crm_core.errors import ExchangeError as ExchangeError
    from crm_core.errors import ExpressionError as ExpressionError
    from crm_core.errors import HookError as HookError
    from crm_core.errors import MergeConflict as MergeConflict
    from crm_core.errors import MigrationError as MigrationError
    from crm_core.errors import NotFound as NotFound
    from crm_core.errors import Objection as Objection
    from crm_core.errors import PastDetached as PastDetached
    from crm_core.errors import PermissionDenied as PermissionDenied
    from crm_core.errors import Problem as Problem
    from crm_core.errors import StillNeeded as StillNeeded
    from crm_core.errors import StoreError as StoreError
    from crm_core.errors import UndoConflict as UndoConflict
    from crm_core.errors import UnsupportedStatement as UnsupportedStatement
    from crm_core.errors import ValidationError as ValidationError
    from crm_core.fields import Address as Address
    from crm_core.fields import Field as Field
    from crm_core.fields import Money as Money
    from crm_core.fields import Secret as Secret
    from crm_core.fields import address as address
    from crm_core.fields import choice as choice
    from crm_core.fields import day as day
    from crm_core.fields import email as email
    from crm_core.fields import flag as flag
    from crm_core.fields import json as json
    from crm_core.fields import moment as moment
    from crm_core.fields import money as money
    from crm_core.fields import number as number
    from crm_core.fields import phone as phone
    from crm_core.fields import ref as ref
    from crm_core.fields import tags as tags
    from crm_core.fields import text as text
    from crm_core.fields import url as url
    from crm_core.hooks import Finding as Finding
    from crm_core.hooks import GiveWay as GiveWay
    from crm_core.hooks import Job as Job
    from crm_core.hooks import Merging as Merging
    from crm_core.hooks import News as News
    from crm_core.hooks import NextAction as NextAction
    from crm_core.hooks import OpenItem as OpenItem
    from crm_core.hooks import Panel as Panel
    from crm_core.hooks import Signal as Signal
    from crm_core.hooks import TimelineEntry as TimelineEntry
    from crm_core.hooks import Touch as Touch
    from crm_core.hooks import hookimpl as hookimpl
    from crm_core.hooks import only_for as only_for
    from crm_core.records import Dated as Dated
    from crm_core.records import Record as Record
    from crm_core.records import RecordType as RecordType
    from crm_core.records import SoftReference as SoftReference
    from crm_core.records import administered as administered
    from crm_core.records import extends as extends
    from crm_core.records import one_at_a_time as one_at_a_time
    from crm_core.records import owned as owned
    from crm_core.records import parent as parent
    from crm_core.records import private as private
    from crm_core.records import public as public
    from crm_core.records import record as record
    from crm_core.records import through as through
    from crm_core.records import via as via
    from crm_core.store import duplicates as duplicates
    from crm_core.store import merging as merging
    from crm_core.store import pools as pools
    from crm_core.store.changes import Change as Change
    from crm_core.store.changes import ChangeBatch as ChangeBatch
    from crm_core.store.changes import ChangeSet as ChangeSet
    from crm_core.store.duplicates import Candidate as Candidate
    from crm_core.store.duplicates import MatchKey as MatchKey
    from crm_core.store.history import History as History
    from crm_core.store.history import HistoryEvent as HistoryEvent
    from crm_core.store.merging import MergeReport as MergeReport
    from crm_core.store.policy import Role as Role
    from crm_core.store.policy import Scope as Scope
    from crm_core.store.search.drivers import SearchDriver as SearchDriver
    from crm_core.store.search.hits import Hit as Hit
    from crm_core.store.session import CrmSession as CrmSession
    from crm_core.views import duties as duties
    from crm_core.views import stewardship as quality  # noqa: F401 - part of the public API under this name

__version__ = "0.1.0.dev0"

_MODULES: dict[str, str] = {
    "Mapped": "sqlalchemy.orm",
    **dict.fromkeys(("Crm", "Manifest"), "crm_core.assembly"),
    **dict.fromkeys(
        ("accounts", "activities", "contacts", "dated", "handovers", "organisation", "ownership", "shares"),
        "crm_core.domain",
    ),
    "duties": "crm_core.views",
    "quality": "crm_core.views.stewardship",
    **dict.fromkeys(
        ("Account", "AccountAddress", "AccountRelation", "Lifecycle", "Stage"), "crm_core.domain.accounts"
    ),
    **dict.fromkeys(("Activity", "Feeling", "Participant", "Status"), "crm_core.domain.activities"),
    **dict.fromkeys(("Affiliation", "Consent", "Contact", "ContactPoint", "PointKind"), "crm_core.domain.contacts"),
    "DutyConfirmation": "crm_core.domain.duties",
    "ExternalRef": "crm_core.domain.external",
    "Redirect": "crm_core.domain.redirects",
    **dict.fromkeys(("Handover", "HandoverItem"), "crm_core.domain.handovers"),
    "QualityIssue": "crm_core.domain.quality",
    **dict.fromkeys(("Membership", "Unit", "User"), "crm_core.domain.organisation"),
    **dict.fromkeys(("Ownership", "OwnershipRole", "Share"), "crm_core.domain.ownership"),
    **dict.fromkeys(("Pool", "PoolEvent", "PoolEventKind", "PoolRules", "RecycleRule"), "crm_core.domain.pools"),
    **dict.fromkeys(
        (
            "BuildError", "Conflict", "Contention", "ContractError", "CrmError", "DeclarationError", "StillNeeded",
            "ExchangeError", "ExpressionError", "HookError", "MergeConflict", "MigrationError", "NotFound", "Objection",
            "PastDetached", "PermissionDenied", "Problem",
            "StoreError", "UndoConflict", "UnsupportedStatement", "ValidationError",
        ),
        "crm_core.errors",
    ),
    **dict.fromkeys(
        (
            "Address", "Field", "Money", "Secret", "address", "choice", "day", "email", "flag", "json", "moment",
            "money", "number", "phone", "ref", "tags", "text", "url",
        ),
        "crm_core.fields",
    ),
    **dict.fromkeys(
        (
            "Finding", "GiveWay", "Job", "Merging", "News", "NextAction",
            "OpenItem", "Panel", "Signal", "TimelineEntry", "Touch", "hookimpl", "only_for",
        ),
        "crm_core.hooks",
    ),
    **dict.fromkeys(
        (
            "Dated", "Record", "RecordType", "SoftReference",
            "administered", "extends", "one_at_a_time", "owned", "parent", "private",
            "public", "record", "through", "via",
        ),
        "crm_core.records",
    ),
    **dict.fromkeys(("Change", "ChangeBatch", "ChangeSet"), "crm_core.store.changes"),
    "duplicates": "crm_core.store",
    "merging": "crm_core.store",
    **dict.fromkeys(("Candidate", "MatchKey"), "crm_core.store.duplicates"),
    "MergeReport": "crm_core.store.merging",
    **dict.fromkeys(("Role", "Scope"), "crm_core.store.policy"),
    "pools": "crm_core.store",
    "SearchDriver": "crm_core.store.search.drivers",
    "Hit": "crm_core.store.search.hits",
    **dict.fromkeys(("History", "HistoryEvent"), "crm_core.store.history"),
    "CrmSession": "crm_core.store.session",
    "jobs": "crm_core",
}  # fmt: skip

_PACKAGES = ("crm_core", "crm_core.domain", "crm_core.store", "crm_core.views")
"""What a name comes from when it is a module of verbs."""

_WHOLE = ("quality",)
"""Modules of verbs that have another name inside."""

__all__ = [*_MODULES]  # noqa: PLE0604 - the names are the keys above, spelt once


def __getattr__(name: str) -> Any:
    module_name = _MODULES.get(name)
    if module_name is None:
        raise AttributeError(f"module 'crm_core' has no attribute {name!r}")
    from importlib import import_module

    if module_name in _PACKAGES:
        value: Any = import_module(f"{module_name}.{name}")
    elif name in _WHOLE:
        value = import_module(module_name)
    else:
        value = getattr(import_module(module_name), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})

"""The build file ``crm.toml``: which plugins make this CRM, and how they are set."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs

from crm_core.assembly.acceptance import AcceptanceSection
from crm_core.assembly.inheritance import EXTENDS, Composed, compose
from crm_core.assembly.structuring import structure
from crm_core.domain.duplicates import DuplicateRules
from crm_core.domain.pools import PoolRules
from crm_core.domain.viewing import Views
from crm_core.errors import Problem, nearest
from crm_core.store.policy import Scope

__all__ = [
    "SECTIONS",
    "BuildFile",
    "CrmSection",
    "CustomField",
    "DutySection",
    "JobSection",
    "RoleSection",
    "StewardSection",
    "read",
]

T = TypeVar("T")
CustomKind = Literal["text", "choice", "number", "day", "moment", "flag", "tags", "url", "email", "phone", "money"]


@attrs.frozen(kw_only=True)
class CrmSection:
    """``[crm]``: the CRM as a whole.

    ``database`` is an address as SQLAlchemy knows it; a relative SQLite file lies beside the build file.
    ``plugins`` lists every plugin of the build, ``disabled`` those among them that are switched off: their data are
    kept, and they are not imported. ``strict`` refuses to open when one of them is broken;
    otherwise it is left out. ``time_zone`` is where days begin, ``currency`` what amounts without one are in.
    ``creator_owns`` makes whoever creates an account its owner. ``locked`` refuses to open when what is installed is
    not what the lock beside the build file names.
    """

    name: str = "CRM"
    database: str = attrs.field(default="sqlite:///crm.db", repr=False)
    plugins: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    strict: bool = True
    locale: str = "en"
    time_zone: str = "UTC"
    currency: str = "CNY"
    creator_owns: bool = True
    locked: bool = False


@attrs.frozen(kw_only=True)
class RoleSection:
    """``[roles.<name>]``: a role as a whole, in place of what plugins register under this name."""

    permissions: Mapping[str, Scope]
    label: str = ""


@attrs.frozen(kw_only=True)
class CustomField:
    """``[custom_fields.<record>.<name>]``: a field that this build adds to a record.

    ``length`` is for text, ``scale`` (decimals) for number and money, ``choices`` for choice.
    """

    kind: CustomKind
    label: str = ""
    help: str = ""
    length: int | None = None
    scale: int | None = None
    choices: tuple[str, ...] | None = None
    required: bool = False
    personal: bool = False


@attrs.frozen(kw_only=True)
class DutySection:
    """``[duties.<name>]``: who must keep what about which accounts fresh; see :class:`~crm_core.domain.duties.Duty`."""

    record: str
    fields: tuple[str, ...] = ()
    who: tuple[str, ...] = ("owner",)
    where: str = ""
    every_days: int = 90
    each: bool = False
    since: dt.date | None = None
    label: str = ""


@attrs.frozen(kw_only=True)
class StewardSection:
    """``[steward]``: which fields only a steward changes, and when an affiliation that nobody confirmed is stale."""

    key_fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    stale_days: int = 180


@attrs.frozen(kw_only=True)
class JobSection:
    """``[jobs."<job>"]``: a job of the kernel or a plugin, set otherwise than it was registered.

    What is absent stays. ``arguments`` sets some of those that the job has. A ``schedule`` of ``""`` leaves the job to
    those who ask for it.
    """

    enabled: bool | None = None
    schedule: str | None = None
    attempts: int | None = None
    lease: int | None = None
    arguments: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class BuildFile:
    """What a build file says, with those that it extends.

    ``source`` is the file itself, if there is one, and ``composed`` how it came from several.
    """

    crm: CrmSection = attrs.field(factory=CrmSection)
    roles: Mapping[str, RoleSection] = attrs.field(factory=dict)
    vocabularies: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    custom_fields: Mapping[str, Mapping[str, CustomField]] = attrs.field(factory=dict)
    retired_fields: Mapping[str, Mapping[str, CustomKind]] = attrs.field(factory=dict)
    plugins: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=lambda value: str([*value]))
    drivers: Mapping[str, str] = attrs.field(factory=dict)
    pools: Mapping[str, PoolRules] = attrs.field(factory=dict)
    duties: Mapping[str, DutySection] = attrs.field(factory=dict)
    steward: StewardSection = attrs.field(factory=StewardSection)
    jobs: Mapping[str, JobSection] = attrs.field(factory=dict)
    duplicates: DuplicateRules = attrs.field(factory=DuplicateRules)
    views: Views = attrs.field(factory=Views)
    merge: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    acceptance: Mapping[str, AcceptanceSection] = attrs.field(factory=dict)
    source: Path | None = None
    composed: Composed | None = attrs.field(default=None, repr=False, eq=False)

    def told(self, problem: Problem) -> Problem:
        """The problem with the file that it stands in, where the build file extends others."""
        return problem if self.composed is None else self.composed.told(problem)

    @property
    def where(self) -> str:
        """The name of the file, for messages."""
        return str(self.source) if self.source else "the build file"

    @property
    def database(self) -> str:
        """The address of the database.

        A relative SQLite file is resolved against the folder of the build file.
        """
        address = self.crm.database
        match = re.fullmatch(r"(sqlite(?:\+\w+)?:///)([^/:?][^?]*)(\?.*)?", address)
        if match is None or self.source is None:
            return address
        return f"{match[1]}{self.source.parent.resolve() / match[2]}{match[3] or ''}"


SECTIONS: Mapping[str, Any] = {
    "crm": CrmSection,
    "roles": Mapping[str, RoleSection],
    "vocabularies": Mapping[str, Mapping[str, str]],
    "custom_fields": Mapping[str, Mapping[str, CustomField]],
    "retired_fields": Mapping[str, Mapping[str, CustomKind]],
    "plugins": Mapping[str, Mapping[str, Any]],
    "drivers": Mapping[str, str],
    "pools": Mapping[str, PoolRules],
    "duties": Mapping[str, DutySection],
    "steward": StewardSection,
    "jobs": Mapping[str, JobSection],
    "duplicates": DuplicateRules,
    "views": Views,
    "merge": Mapping[str, Mapping[str, str]],
    "acceptance": Mapping[str, AcceptanceSection],
}
"""The sections of a build file, each with what it is read as; fields of :class:`BuildFile` by the same names."""


def read(given: str | Path | Mapping[str, Any] | BuildFile) -> tuple[BuildFile, list[Problem]]:
    """A build file with everything that is wrong in it, as far as that shows without its plugins.

    A section that cannot be read counts as absent, so that the mistakes in the others are found in the same
    run. Raises :class:`~crm_core.errors.BuildError` when there is no file, or it is no TOML.
    """
    if isinstance(given, BuildFile):
        return given, list(_checked(given.crm))
    source = composed = None
    if not isinstance(given, Mapping):
        source = Path(given)
        composed = compose(source)
        given = composed.content
    sections: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in given.items():
        if name == EXTENDS:
            problem = "A build that is given as a mapping extends no file."
            problems.append(Problem(EXTENDS, problem, "Give the path of a file, or join the mappings."))
            continue
        if name not in SECTIONS:
            near = nearest(str(name), SECTIONS)
            problems.append(
                Problem(
                    str(name),
                    "There is no section [{name}].",
                    "Did you mean {near}?",
                    {"name": name, "near": near},
                )
            )
            continue
        section, wrong = structure(value, SECTIONS[name], name)
        problems += wrong
        if section is not None:
            sections[name] = section
        elif name == "crm" and isinstance(value, Mapping):
            # Without the list of plugins none of their settings could be read, and their mistakes would stay
            # hidden.
            plugins, _ = structure(value.get("plugins", ()), tuple[str, ...], "crm.plugins")
            disabled, _ = structure(value.get("disabled", ()), tuple[str, ...], "crm.disabled")
            sections["crm"] = CrmSection(plugins=plugins or (), disabled=disabled or ())
    file = BuildFile(source=source, composed=composed, **sections)
    return file, [*problems, *_checked(file.crm)]


def _checked(crm: CrmSection) -> Iterator[Problem]:
    """What the types of the section cannot say."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(crm.time_zone)
    except (KeyError, ValueError, OSError):
        near = nearest(crm.time_zone, available_timezones(), strict=True) or "Asia/Shanghai"
        yield _problem(
            "time_zone", "{value!r} is no time zone.", "Did you mean {near}?", value=crm.time_zone, near=near
        )
    if not re.fullmatch("[A-Z]{3}", crm.currency):
        yield _problem("currency", "{value!r} is no currency.", "Write it as CNY or EUR.", value=crm.currency)
    if not re.fullmatch(r"[a-z]{2,3}(_[A-Z][a-z]{3})?(_[A-Z]{2})?", crm.locale):
        yield _problem("locale", "{value!r} is no locale.", "Write it as en, zh_CN or zh_Hans_CN.", value=crm.locale)
    yield from _checked_database(crm.database)
    for number, name in enumerate(crm.plugins):
        if name in crm.plugins[:number]:
            yield _problem(f"plugins[{number}]", "{value!r} is listed twice.", "Remove one of them.", value=name)
    for number, name in enumerate(crm.disabled):
        if name not in crm.plugins:
            mend = "Did you mean {near}? Otherwise remove it." if crm.plugins else "Remove it."
            yield _problem(
                f"disabled[{number}]", "{value!r} is not among the plugins, so it cannot be switched off.", mend,
                value=name, near=nearest(name, crm.plugins),
            )  # fmt: skip


def _checked_database(address: str) -> Iterator[Problem]:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    mend = "Write sqlite:///crm.db or postgresql://user@host/name."
    try:
        backend = make_url(address).get_backend_name()
    except (ArgumentError, ValueError):
        # The address may hold a password, so it is not repeated.
        yield _problem("database", "This is no address of a database.", mend)
    else:
        if backend not in ("sqlite", "postgresql"):
            yield _problem("database", "{value!r} is not supported.", mend, value=backend)


def _problem(key: str, problem: str, mend: str, **values: Any) -> Problem:
    return Problem(f"crm.{key}", problem, mend, values)

"""What the plugins of a build registered, taken together.

Names that must be unique, and the policy for the store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs

from crm_core.assembly.acceptance import acceptance_mistakes
from crm_core.assembly.build_file import BuildFile
from crm_core.assembly.contributions import Contributions
from crm_core.assembly.custom_fields import custom_fields
from crm_core.assembly.duties import duties, steward
from crm_core.assembly.manifest import Command, Manifest
from crm_core.assembly.merge_rules import merge_rules
from crm_core.assembly.pools import pools
from crm_core.assembly.verdicts import Verdicts
from crm_core.assembly.view_rules import wrong_names
from crm_core.errors import Problem, nearest
from crm_core.fields.kinds import RefKind
from crm_core.hooks.values import Job
from crm_core.records import KERNEL, RecordType, SoftReference, Types
from crm_core.store.policy import Policy, Role

if TYPE_CHECKING:
    import click

__all__ = ["Catalogue", "policy"]

ROLE = "role"
"""The vocabulary of role names; it follows from the roles."""


@attrs.define
class Catalogue:
    """The names of a build, each with who registered it.

    Grows plugin by plugin while a build is assembled.
    """

    types: Types = attrs.field(factory=Types)
    permissions: dict[str, str] = attrs.field(factory=dict)
    roles: dict[str, Role] = attrs.field(factory=dict)
    vocabularies: dict[str, dict[str, str]] = attrs.field(factory=dict)
    transforms: dict[str, Callable[..., Any]] = attrs.field(factory=dict)
    commands: dict[str, click.Command | Command] = attrs.field(factory=dict)
    jobs: dict[str, Job] = attrs.field(factory=dict)
    references: list[SoftReference] = attrs.field(factory=list)
    foreign_names: list[tuple[str, Path]] = attrs.field(factory=list)
    owners: dict[tuple[str, str], str] = attrs.field(factory=dict)

    def clashes(self, manifest: Manifest, new: Contributions) -> Iterator[Problem]:
        """What ``new`` cannot add, because it has an owner or leads outside of what the plugin requires."""
        for kind, name in self._names(manifest, new):
            owner = self.owners.get((kind, name))
            if owner is not None:
                yield Problem(
                    manifest.name,
                    "The {kind} {name!r} is registered by {owner} already.",
                    "Rename one of them.",
                    {"kind": kind, "name": name, "owner": owner},
                )
        if ROLE in new.vocabularies:
            yield Problem(manifest.name, "The vocabulary 'role' follows from the roles.", "Register a role instead.")
        for record_type in new.types:
            yield from self._outside(manifest, new, record_type)
        known = {*self.types, *(each.name for each in new.types)}
        for reference in new.references:
            if reference.target is not None and reference.target not in known:
                yield Problem(
                    f"{reference.record}.{reference.id_field}",
                    "It refers to {target!r}, which no plugin before it declares.",
                    "Did you mean {near}? Otherwise require the plugin that declares it.",
                    {"target": reference.target, "near": nearest(reference.target, known)},
                )

    def add(self, manifest: Manifest, new: Contributions) -> None:
        """Take in the contributions of a plugin, which must not clash."""
        self.owners |= dict.fromkeys(self._names(manifest, new), manifest.name)
        for record_type in new.types:
            self.types.add(record_type)
        self.permissions |= new.permissions
        self.transforms |= new.transforms
        self.references += new.references
        self.foreign_names += [(manifest.name, file) for file in new.foreign_names]
        self.jobs |= {job.name: job for job in new.jobs}
        self.commands |= {**manifest.commands, **{command.name or "": command for command in new.commands}}
        for role in new.roles:
            former = self.roles.get(role.name)
            self.roles[role.name] = (
                role if former is None else attrs.evolve(former, grants=(*former.grants, *role.grants))
            )
        for name, words in new.vocabularies.items():
            # The first label stays: those who require a plugin come after it and only add to its words.
            self.vocabularies[name] = {**words, **self.vocabularies.get(name, {})}

    @staticmethod
    def _names(manifest: Manifest, new: Contributions) -> Iterator[tuple[str, str]]:
        yield from (("permission", name) for name in new.permissions)
        yield from (("transform", name) for name in new.transforms)
        yield from (("job", job.name) for job in new.jobs)
        yield from (("command", name) for name in {*manifest.commands, *(each.name or "" for each in new.commands)})

    def _outside(self, manifest: Manifest, new: Contributions, record_type: RecordType) -> Iterator[Problem]:
        reachable = {manifest.name, KERNEL, *manifest.requires}
        own = Types([*self.types.values(), *new.types])
        targets = [(field.name, field.kind) for field in record_type.refs if isinstance(field.kind, RefKind)]
        if record_type.extends:
            targets.append(("id", RefKind(record_type.extends)))
        for name, kind in targets:
            path = f"{record_type.name}.{name}"
            target = own.get(kind.target)
            if target is None:
                yield Problem(
                    path,
                    "It refers to {target!r}, which no plugin before it declares.",
                    "Did you mean {near}? Otherwise require the plugin that declares it.",
                    {"target": kind.target, "near": nearest(kind.target, own)},
                )
            elif target.plugin not in reachable:
                yield Problem(
                    path,
                    "It refers to {target!r} of the plugin {owner}, which is not required.",
                    "Add {owner!r} to requires in the manifest.",
                    {"target": kind.target, "owner": target.plugin},
                )
            elif kind.on_delete == "restrict" and target.plugin != manifest.name:
                yield Problem(
                    path,
                    "It would block deletes of {target!r}, which belongs to another plugin.",
                    "Use on_delete='cascade' or 'clear', and object in crm_check_changes.",
                    {"target": kind.target},
                )
        for field in record_type.restricted:
            if field.restricted not in self.permissions and field.restricted not in new.permissions:
                yield Problem(
                    f"{record_type.name}.{field.name}",
                    "It needs the permission {permission!r} to be read, which nobody registers.",
                    "Register it by crm_register_permissions.",
                    {"permission": field.restricted},
                )


def policy(file: BuildFile, catalogue: Catalogue, settings: Mapping[str, Any], verdicts: Verdicts) -> Policy:
    """What the store obeys; ``verdicts`` receives what in the build file does not fit the plugins."""
    roles = catalogue.roles | {
        name: Role(name, tuple(section.permissions.items()), section.label or name)
        for name, section in file.roles.items()
    }
    vocabularies = dict(catalogue.vocabularies)
    known = {field.vocabulary for each in catalogue.types.values() for field in each.fields if field.vocabulary}
    for name, words in file.vocabularies.items():
        if name == ROLE or name not in known | set(vocabularies):
            verdicts.doubt(
                Problem(
                    f'vocabularies."{name}"',
                    "There is no vocabulary {name!r} to add words to.",
                    "Did you mean {near}? A role is declared by [roles.<name>].",
                    {"name": name, "near": nearest(name, (known | set(vocabularies)) - {ROLE})},
                )
            )
        else:
            vocabularies[name] = {**vocabularies.get(name, {}), **words}
    vocabularies[ROLE] = {role.name: role.label or role.name for role in roles.values()}
    verdicts.warnings += _idle_grants(roles, catalogue.permissions, file, verdicts)
    custom = custom_fields(file, catalogue.types, verdicts)
    tz = ZoneInfo(file.crm.time_zone)
    for problem, record in acceptance_mistakes(file.acceptance, catalogue.types, custom, tz):
        verdicts.doubt(problem, record)
    if "account" in catalogue.types:
        verdicts.file += wrong_names(file.views, catalogue.types["account"], custom.get("account", {}))
    return Policy(
        roles=roles,
        vocabularies=vocabularies,
        custom=custom,
        pools=pools(file, catalogue.types, roles, vocabularies, custom, verdicts),
        views=file.views,
        tz=tz,
        creator_owns=file.crm.creator_owns,
        currency=file.crm.currency,
        settings=settings,
        duties=duties(file, catalogue.types, roles, custom, tz, verdicts),
        steward=steward(file, catalogue.types, custom, verdicts),
        duplicates=file.duplicates,
        merge=merge_rules(file, catalogue.types, custom, verdicts),
        references=tuple(catalogue.references),
        permissions=frozenset(catalogue.permissions),
    )


def _idle_grants(
    roles: Mapping[str, Role], permissions: Mapping[str, str], file: BuildFile, verdicts: Verdicts
) -> Iterator[Problem]:
    """Patterns that grant nothing: often a misspelt permission."""
    for role in roles.values():
        for pattern, _ in role.grants:
            path = f'roles.{role.name}.permissions."{pattern}"' if role.name in file.roles else f"role {role.name}"
            if pattern in permissions or any(map(re.compile(translate(pattern)).match, permissions)):
                continue
            if pattern.partition(".")[0] in verdicts.off:
                verdicts.ignore(path, pattern.partition(".")[0])
            else:
                yield Problem(
                    path,
                    "{pattern!r} matches no permission of this build.",
                    "Did you mean {near}?" if "*" not in pattern else "",
                    {"pattern": pattern, "near": nearest(pattern, permissions)},
                )

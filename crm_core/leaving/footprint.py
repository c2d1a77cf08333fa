"""The footprint of a plugin: what it has in the database and in the build file, and who depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.assembly.contributions import VERBS, contributions
from crm_core.errors import NotFound, Problem, nearest
from crm_core.fields.kinds import RefKind
from crm_core.fields.secret import HIDDEN
from crm_core.leaving.mentions import Mention, mentions, speaks_of
from crm_core.leaving.subject import Subject, subject
from crm_core.records import KERNEL
from crm_core.store.leaving.held import Held, held
from crm_core.store.migrations import check_current

if TYPE_CHECKING:
    from crm_core.assembly.build import LoadedPlugin
    from crm_core.assembly.crm import Crm

__all__ = ["Footprint", "Grant", "footprint"]


@attrs.frozen
class Grant:
    """A role that holds permissions of the plugin: by which pattern, and how far."""

    role: str
    pattern: str
    scope: str


@attrs.frozen(kw_only=True)
class Footprint:
    """All that a plugin has. ``state`` is ``loaded``, ``off`` (switched off), ``broken`` (left out), or ``absent``
    (not in the build).

    ``fields`` are those of each record type: declared where the plugin is loaded, else the columns of its table.
    ``required_by`` are plugins of the build that require it, with the versions they want.
    """

    plugin: str
    state: str
    subject: Subject
    held: Held
    fields: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any]
    permissions: tuple[str, ...]
    grants: tuple[Grant, ...]
    mentions: tuple[Mention, ...]
    required_by: Mapping[str, str]

    @property
    def rules(self) -> tuple[Mention, ...]:
        """Rules of others that name it."""
        return tuple(each for each in self.mentions if not each.own)

    def dependants(self) -> list[Problem]:
        """What must be changed before it can be removed, each with how to mend it."""
        return list(self._dependants())

    def _dependants(self) -> Iterator[Problem]:
        for name, wanted in sorted(self.required_by.items()):
            yield Problem(name, "The plugin requires {plugin} {wanted}.",
                          "Remove it first ('crm plugins remove {name}'), or install a version that does not.",
                          {"plugin": self.plugin, "wanted": wanted, "name": name})  # fmt: skip
        told = set()
        for each in self.held.referring:
            told.add((each.table, each.column))
            yield Problem(f"{each.type}.{each.column}", "Records of the plugin {owner} refer to {target}.",
                          "Remove that plugin first: 'crm plugins remove {owner}'.",
                          {"owner": each.plugin, "target": each.target})  # fmt: skip
        for table, column in self.held.tied:
            if (table, column) not in told:
                yield Problem(f"{table}.{column}", "The table refers to one of the plugin's, and nobody declares it.",
                              "Drop the table, or the foreign key, by hand.")  # fmt: skip
        for rule in self.rules:
            yield Problem(rule.path, "The rule names something of the plugin: {text}",
                          "Change or remove it in the build file.", {"text": rule.text})  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The footprint as plain lists, tables and texts."""
        kept, consumer = self.held, self.held.consumer
        return {
            "plugin": self.plugin,
            "state": self.state,
            "distribution": self.subject.distribution,
            "version": self.subject.version,
            "revision": kept.revision,
            "tables": [
                {"name": each.name, "record": each.record, "rows": each.rows, "bytes": each.bytes}
                for each in kept.tables
            ],
            "records": {name: list(fields) for name, fields in self.fields.items()},
            "custom_fields": {name: dict(fields) for name, fields in kept.custom_fields.items()},
            "settings": {name: str(value) for name, value in self.settings.items()},
            "permissions": list(self.permissions),
            "roles": [{"role": each.role, "pattern": each.pattern, "scope": each.scope} for each in self.grants],
            "build_file": [{"path": each.path, "text": each.text, "own": each.own} for each in self.mentions],
            "jobs": [{"job": name, "state": state, "count": n} for (name, state), n in kept.jobs.items()],
            "schedules": list(kept.schedules),
            "feed": None if consumer is None else {
                "place": consumer.position.place, "change_set": consumer.position.change_set_id,
                "failures": consumer.failures, "put_aside": consumer.put_aside,
            },
            "journal": {"change_sets": kept.change_sets, "changes": dict(kept.changes)},
            "search_documents": dict(kept.documents),
            "match_keys": kept.match_keys,
            "named_by": [{"column": f"{table}.{column}", "rows": n} for (table, column), n in kept.soft.items()],
            "required_by": dict(self.required_by),
            "referred_to_by": [f"{each.type}.{each.column}" for each in kept.referring],
            "tied": [f"{table}.{column}" for table, column in kept.tied],
        }  # fmt: skip


def footprint(crm: Crm, name: str) -> Footprint:
    """Look at a plugin, loaded or not, also at one that is in the database only; nothing is changed.

    It counts what no session could see: ask who may know it before you show it. Raises
    :class:`~crm_core.errors.NotFound` where neither the build, nor what is installed, nor the database knows it,
    :class:`~crm_core.errors.MigrationError` where the kernel's own tables are not up to date.
    """
    build, found = crm.build, subject(name)
    loaded = build.plugin(name) if name != KERNEL else None
    check_current(crm.store.engine, build.migration_sources()[:1])
    with crm.store.reading() as connection:
        kept = held(connection, name)
    listed = {*build.file.crm.plugins}
    if name == KERNEL or not (loaded or found.installed or name in listed or kept.present or kept.types):
        raise NotFound(
            "There is no plugin {name!r}, neither installed, nor in the build, nor in the database.",
            mend="Did you mean {near}?",
            name=name,
            near=nearest(name, listed),
        )
    permissions = _permissions(crm, kept, loaded)
    return Footprint(
        plugin=name,
        state=_state(crm, name, loaded),
        subject=found if loaded is None else attrs.evolve(found, migrations=loaded.migrations),
        held=kept,
        fields=_fields(crm, kept),
        settings=_settings(crm, name, loaded),
        permissions=permissions,
        grants=tuple(_grants(crm, permissions)),
        mentions=mentions(build.file, name, _words(loaded)),
        required_by=_required_by(crm, name),
    )


def _state(crm: Crm, name: str, loaded: LoadedPlugin | None) -> str:
    if loaded is not None:
        return "loaded"
    if any(each.plugin == name for each in crm.report.off):
        return "off"
    return "broken" if any(each.plugin == name for each in crm.report.left_out) else "absent"


def _fields(crm: Crm, kept: Held) -> dict[str, tuple[str, ...]]:
    tables = {table.record: kept.columns[table.name] for table in kept.tables if table.record}
    found = {}
    for name in sorted({*kept.types, *(each for each in crm.types if speaks_of(kept.plugin, each))}):
        record_type = crm.types.get(name)
        found[name] = tuple(record_type.by_name) if record_type is not None else tables.get(name, ())
    return found


def _settings(crm: Crm, name: str, loaded: LoadedPlugin | None) -> dict[str, Any]:
    if loaded is not None and loaded.settings is not None:
        return {each.name: getattr(loaded.settings, each.name) for each in attrs.fields(type(loaded.settings))}
    # Of a plugin that is not loaded nobody knows which of its texts are secrets.
    given = crm.build.file.plugins.get(name, {})
    return {key: value if isinstance(value, bool | int) else HIDDEN for key, value in given.items()}


def _permissions(crm: Crm, kept: Held, loaded: LoadedPlugin | None) -> tuple[str, ...]:
    implied = {f"{name}.{verb}" for name in kept.types for verb in VERBS}
    if loaded is not None:
        implied |= set(contributions(kept.plugin, loaded.namespace)[0].permissions)
    return tuple(sorted(implied))


def _grants(crm: Crm, permissions: tuple[str, ...]) -> Iterator[Grant]:
    for role in crm.build.policy.roles.values():
        for pattern, scope in role.grants:
            if any(fnmatchcase(permission, pattern) for permission in permissions):
                yield Grant(role.name, pattern, scope.name.lower())


def _words(loaded: LoadedPlugin | None) -> set[str]:
    """Names of the plugin that a rule may use without its prefix: signals, and collections of other records."""
    if loaded is None:
        return set()
    signals = contributions(loaded.name, loaded.namespace)[0].vocabularies.get("account.signal", {})
    kinds = [field.kind for record_type in loaded.types for field in record_type.refs]
    return {*signals, *(kind.collection for kind in kinds if isinstance(kind, RefKind) and kind.collection)}


def _required_by(crm: Crm, name: str) -> dict[str, str]:
    wanted = {plugin.name: plugin.manifest.requires for plugin in crm.build.plugins if plugin.name != KERNEL}
    for other in crm.build.file.crm.plugins:
        if other not in wanted:
            wanted[other] = subject(other).requires
    return {other: requires[name] for other, requires in wanted.items() if other != name and name in requires}

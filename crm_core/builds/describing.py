"""What a build is, as plain data: to be kept, and to be compared with another one.

A description can be written where one version is installed and read where another is, so that builds are compared
whose plugins cannot be loaded into one process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from crm_core.assembly import HOOK_API, Build, assemble
from crm_core.errors import BuildError
from crm_core.fields.field import NO_DEFAULT, Field
from crm_core.fields.kinds import ChoiceKind
from crm_core.records import KERNEL, RecordType

__all__ = ["Description", "describe", "described", "plain"]

Description = Mapping[str, Mapping[str, Any]]
"""By section (``plugins``, ``records``, ``fields`` ...) and name, values of JSON."""

_RULES = ("pools", "duties", "steward", "duplicates", "views", "merge", "drivers")


def describe(build: Build) -> dict[str, dict[str, Any]]:
    """All that a build decides, section by section."""
    file, policy = build.file, build.policy
    return {
        "crm": {"contract": HOOK_API, **{
            name: value for name, value in plain(file.crm).items() if name not in {"database", "plugins", "disabled"}
        }},
        "plugins": {plugin.name: _version(plugin.name, plugin.manifest.version) for plugin in build.plugins},
        "disabled": {off.plugin: off.how for off in build.report.off},
        "records": {name: _record(each) for name, each in sorted(build.types.items())},
        "fields": {
            f"{name}.{field.name}": _field(field)
            for name, each in sorted(build.types.items())
            for field in each.fields
        } | {
            f"{name}.custom.{key}": _field(field)
            for name, fields in sorted(policy.custom.items())
            for key, field in sorted(fields.items())
        },
        "hooks": {name: list(plugins) for name, plugins in sorted(build.report.hooks.items())},
        "permissions": dict(sorted(build.permissions.items())),
        "roles": {
            name: {pattern: scope.name.lower() for pattern, scope in sorted(role.grants)}
            for name, role in sorted(policy.roles.items())
        },
        "settings": {
            f"{name}.{key}": value
            for name, settings in sorted(build.settings.items())
            for key, value in plain(settings).items()
        },
        "vocabularies": {name: dict(words) for name, words in sorted(policy.vocabularies.items()) if name != "role"},
        "jobs": {
            name: {"schedule": job.schedule, "attempts": job.attempts, "arguments": plain(job.arguments)}
            for name, job in sorted(build.jobs.items())
        },
        "rules": {
            f"{section}.{key}": value
            for section in _RULES
            for key, value in plain(getattr(file, section)).items()
        },
        "commands": {name: getattr(each, "help", "") or "" for name, each in sorted(build.commands.items())},
    }  # fmt: skip


def described(file: Path) -> Description:
    """The description of a build file, or one that was written before (JSON).

    Raises :class:`~crm_core.errors.BuildError` when the build cannot be assembled, or the file is no description.
    """
    if file.suffix != ".json":
        return describe(assemble(file, locked=False))
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        known = isinstance(content, dict) and all(isinstance(each, dict) for each in content.values())
        if not known or "plugins" not in content:
            raise ValueError("it has no sections")
    except (OSError, ValueError) as error:
        raise BuildError(
            "{file} is no description of a build: {reason}.",
            mend="Write one by 'crm build diff --write FILE.json', where that build is installed.",
            file=str(file),
            reason=str(error),
        ) from None
    found: Description = content
    return found


def _version(name: str, version: str) -> str:
    from crm_core import __version__

    return __version__ if name == KERNEL else version


def _record(record_type: RecordType) -> dict[str, Any]:
    return {
        "plugin": record_type.plugin,
        "access": plain(record_type.access),
        "dated": record_type.dated,
        "extends": record_type.extends,
        "poolable": record_type.poolable,
    }


def _field(field: Field) -> dict[str, Any]:
    kind = {name: value for name, value in plain(field.kind).items() if name != "enum"}
    if isinstance(field.kind, ChoiceKind):
        kind["choices"] = [str(member.value) for member in field.kind.enum]
    told: dict[str, Any] = {"kind": field.kind.name, **kind, "required": field.required, "empty": field.optional}
    if field.default is not NO_DEFAULT and field.default is not None:
        told["default"] = plain(field.default)
    for name in ("search", "index", "personal", "restricted", "vocabulary"):
        if getattr(field, name):
            told[name] = getattr(field, name)
    return told


def plain(value: Any) -> Any:
    """A value as JSON has it; classes of attrs by their fields, without what only Python knows."""
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))
                if not field.name.startswith("_")}  # fmt: skip
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)

"""Hooks that are asked once, when a build is assembled: what a plugin brings along.

All of them: whoever raises, or answers with something else than is described, does not load; the assembly
report says why. An implementation may return ``None`` when it has nothing to add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_core.hooks.markers import hookspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import click

    from crm_core.hooks.values import Job
    from crm_core.records import Record, SoftReference
    from crm_core.store.policy import Role

__all__ = [
    "crm_register_commands",
    "crm_register_foreign_names",
    "crm_register_jobs",
    "crm_register_permissions",
    "crm_register_records",
    "crm_register_references",
    "crm_register_roles",
    "crm_register_settings",
    "crm_register_transforms",
    "crm_register_vocabularies",
]


@hookspec
def crm_register_records() -> Iterable[type[Record]] | None:
    """Name the record classes of the plugin.

    Since 0.1. Called once at assembly. Returns the classes that ``@record`` or ``@extends`` declared under
    the plugin's own name; the permissions ``<record>.create``, ``.read``, ``.update`` and ``.delete`` follow
    from each. May raise what importing the modules with the classes raises. An implementation that fails
    leaves the plugin out.
    """


@hookspec
def crm_register_references() -> Iterable[SoftReference] | None:
    """Name the references of the plugin's records that are not declared by ``ref()``.

    Since 0.1. Called once at assembly. Returns a :class:`~crm_core.records.SoftReference` for each pair of fields with
    type and id of another record (or for an id alone): a merge moves them, also while the plugin is switched off. May
    raise nothing. An implementation that fails leaves the plugin out.
    """


@hookspec
def crm_register_settings() -> type[Any] | None:
    """Name the class that the section ``[plugins.<name>]`` of the build file is read into.

    Since 0.1. Called once at assembly, at most one per plugin. Returns a frozen attrs class; its mistakes are
    reported with their path, beside all others of the build file. The instance is found in
    ``crm.build.settings``. May raise nothing. An implementation that fails leaves the plugin out.
    """


@hookspec
def crm_register_permissions() -> Mapping[str, str] | None:
    """Name the permissions of the plugin that do not follow from its records.

    Since 0.1. Called once at assembly. Returns descriptions by name, ``<record>.<verb>``. May raise nothing.
    An implementation that fails leaves the plugin out.
    """


@hookspec
def crm_register_roles() -> Iterable[Role] | None:
    """Name roles, or grants to add to the roles of others.

    Since 0.1. Called once at assembly. Returns roles; a role that exists already receives the grants in
    addition. A role in the build file replaces all of that. May raise nothing. An implementation that fails
    leaves the plugin out.
    """


@hookspec
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]] | None:
    """Name words that a text field with a vocabulary may take.

    Since 0.1. Called once at assembly. Returns words with their labels, by vocabulary (``"activity.kind"``).
    Words are only added; where two plugins label one word, the first in the order of plugins counts and the
    build file's label outranks both. May raise nothing. An implementation that fails leaves the plugin out.
    """


@hookspec
def crm_register_transforms() -> Mapping[str, Callable[..., Any]] | None:
    """Name functions that import mappings may use to turn a column's text into a value.

    Since 0.1. Called once at assembly. Returns functions by name; a name belongs to one plugin of a build.
    May raise nothing. An implementation that fails leaves the plugin out.
    """


@hookspec
def crm_register_foreign_names() -> Iterable[Path] | None:
    """Name files that say what records of another system become here.

    Since 0.1. Called once at assembly. Returns the paths of TOML files, each about one system, with the objects of that
    system and the sections of a mapping for them, by the names that the system has for its columns. Drafts of mappings
    go by them; to what the kernel or another plugin says of the same object they add. Their content is read when a
    mapping is drafted. May raise nothing. An implementation that fails, or names a file that is not there, leaves the
    plugin out.
    """


@hookspec
def crm_register_jobs() -> Iterable[Job] | None:
    """Name work for the worker.

    Since 0.1. Called once at assembly. Returns jobs, each under a name of its own, ``<plugin>.<verb>``. May raise
    nothing. An implementation that fails leaves the plugin out.
    """


@hookspec
def crm_register_commands() -> Iterable[click.Command] | None:
    """Name commands that stand below ``crm``.

    Since 0.1. Called once at assembly. Returns click commands or groups; declare those in the manifest
    instead that ``crm --help`` is to show without importing the plugin. May raise what importing the commands
    raises. An implementation that fails leaves the plugin out.
    """

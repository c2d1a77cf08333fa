"""Whatever a user of the plugin meets is named in its documentation, and whatever is public has a docstring."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.hooks import SPECS
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "documentation"
_REGISTRATION = "registration"
"""The family of hooks of which not the hook but what it registers is documented."""


@attrs.frozen
class _Thing:
    """Something that is to be documented: what it is, the word that must occur, and where it is declared."""

    kind: str
    name: str
    where: str


_WHAT = {
    "record": "The record {name} is not documented.",
    "permission": "The permission {name} is not documented.",
    "setting": "The setting {name} is not documented.",
    "command": "The command {name} is not documented.",
    "job": "The job {name} is not documented.",
    "hook": "That it implements the hook {name} is not documented.",
}


def _look(subject: Subject) -> Iterator[Finding]:
    things = list(_things(subject))
    if not subject.documents:
        yield Finding(
            NAME,
            "The distribution has no documentation.",
            subject.found.distribution or subject.package,
            mend="Write a README.md beside pyproject.toml and name it there as readme, or pages in a folder docs.",
        )
    else:
        text = "\n".join(subject.documents.values())
        for thing in things:
            before = r"(?<!\w)" if thing.kind == "setting" else r"(?<![\w.])"  # plugins.my_vertical.setting
            if not re.search(rf"{before}{re.escape(thing.name)}(?!\w)", text):
                yield Finding(
                    NAME,
                    _WHAT[thing.kind],
                    thing.where,
                    mend="Say in {files} what it is for; its name must occur.",
                    values={"name": thing.name, "files": " or ".join(list(subject.documents)[:3])},
                )
    yield from _docstrings(subject)


def _things(subject: Subject) -> Iterator[_Thing]:
    own, module = subject.contributions, subject.manifest.module
    derived = {each.permission(verb) for each in own.types for verb in ("create", "read", "update", "delete")}
    for each in own.types:
        yield _Thing("record", each.name, f"{each.cls.__module__}.{each.cls.__qualname__}")
    for name in own.permissions:
        if name not in derived:  # those follow from the record, and mean the same for all
            yield _Thing("permission", name, f"{module}.crm_register_permissions")
    if own.settings is not None:
        for field in attrs.fields(own.settings):
            yield _Thing("setting", field.name, f"{own.settings.__module__}.{own.settings.__qualname__}.{field.name}")
    for name in {**subject.manifest.commands, **{each.name or "": each for each in own.commands}}:
        yield _Thing("command", name, subject.manifest_module)
    for job in own.jobs:
        yield _Thing("job", job.name, f"{module}.crm_register_jobs")
    for hook, spec in SPECS.items():
        if spec.family != _REGISTRATION:
            for call in subject.build.dispatcher.implementations(hook):
                if call.plugin == subject.plugin:
                    yield _Thing("hook", hook, _place(subject, call.function))


def _place(subject: Subject, function: object) -> str:
    code: Any = getattr(inspect.unwrap(function), "__code__", None)  # type: ignore[arg-type]
    path = Path(getattr(code, "co_filename", ""))
    if not path.is_relative_to(subject.folder):
        return subject.manifest.module
    return f"{path.relative_to(subject.folder.parent).as_posix()}:{code.co_firstlineno}"


def _docstrings(subject: Subject) -> Iterator[Finding]:
    """Modules, public classes and public functions.

    A method may be told by its name and types; what an implementation of a hook is for stands in the documentation.
    """
    for source in subject.modules:
        if any(part.startswith("_") and part != "__init__" for part in source.path.stem.split(".")):
            continue
        named = [node for node in source.tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        for node in (
            source.tree,
            *(node for node in named if not node.name.startswith("_") and node.name not in SPECS),
        ):
            if ast.get_docstring(node) is None and (not isinstance(node, ast.Module) or node.body):
                yield Finding(
                    NAME,
                    "{name} has no docstring.",
                    source.where(node if not isinstance(node, ast.Module) else 1),
                    mend="Say what it means, in which units, and what it raises.",
                    values={"name": getattr(node, "name", f"The module {source.module}")},
                )


CHECK = Check(
    NAME, "Every record, permission, setting, hook, command and job is documented; what is public has a docstring.",
    _look,
)  # fmt: skip

"""What one plugin brings along: the answers of its ``crm_register_`` hooks, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import HookError, Problem
from crm_core.hooks import Dispatcher, Job
from crm_core.records import KERNEL, Record, RecordType, SoftReference
from crm_core.store import recurrence
from crm_core.store.policy import Role

if TYPE_CHECKING:
    import click

__all__ = ["VERBS", "Contributions", "contributions"]

VERBS = {
    "create": "Create: {label}",
    "read": "See: {label}",
    "update": "Change: {label}",
    "delete": "Delete: {label}",
}
"""The permissions that follow from every record type, with their descriptions."""

_PERMISSION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@attrs.frozen(kw_only=True)
class Contributions:
    """Everything that a plugin registers; ``permissions`` include those that follow from its record types."""

    types: tuple[RecordType, ...] = ()
    settings: type[Any] | None = None
    permissions: Mapping[str, str] = attrs.field(factory=dict)
    roles: tuple[Role, ...] = ()
    vocabularies: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    transforms: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    commands: tuple[click.Command, ...] = ()
    jobs: tuple[Job, ...] = ()
    references: tuple[SoftReference, ...] = ()
    foreign_names: tuple[Path, ...] = ()


class _Wrong(Exception):
    """An answer that is something else than its hook describes."""


def contributions(plugin: str, namespace: object) -> tuple[Contributions, list[Problem]]:
    """What the implementations in ``namespace``, which were judged, register, and everything that is wrong with it."""
    dispatcher = Dispatcher([(plugin, namespace)], judged=True)
    problems: list[Problem] = []

    def ask(hook: str, read: Callable[[str, Any], Any]) -> list[Any]:
        answers = []
        try:
            for _, answer in dispatcher.collect(hook):
                if answer is not None:
                    answers.append(read(plugin, answer))
        except HookError as error:
            problems.append(Problem(plugin, error.problem, error.mend, {"plugin": plugin, **error.values}))
        except (_Wrong, TypeError, ValueError, AttributeError) as error:
            # A generator fails only while it is read, and a list where a mapping belongs has no items().
            problems.append(
                Problem(f"{plugin}.{hook}", "{error}", "The docstring of the hook says what it returns.",
                        {"error": str(error)})
            )  # fmt: skip
        return answers

    types = tuple(each for answer in ask("crm_register_records", _records) for each in answer)
    settings = ask("crm_register_settings", _settings)
    if len(settings) > 1:
        problems.append(Problem(f"{plugin}.crm_register_settings", "There are two classes for settings.", "Keep one."))
    permissions = {
        each.permission(verb): words.format(label=each.label) for each in types for verb, words in VERBS.items()
    }
    for answer in ask("crm_register_permissions", _permissions):
        permissions |= answer
    vocabularies: dict[str, dict[str, str]] = {}
    for answer in ask("crm_register_vocabularies", _vocabularies):
        for name, words in answer.items():
            vocabularies.setdefault(name, {}).update(words)
    result = Contributions(
        types=types,
        settings=settings[0] if settings else None,
        permissions=permissions,
        roles=tuple(each for answer in ask("crm_register_roles", _roles) for each in answer),
        vocabularies=vocabularies,
        transforms=dict(pair for answer in ask("crm_register_transforms", _transforms) for pair in answer.items()),
        commands=tuple(each for answer in ask("crm_register_commands", _commands) for each in answer),
        references=tuple(
            each for answer in ask("crm_register_references", _references(types)) for each in answer
        ),
        jobs=tuple(each for answer in ask("crm_register_jobs", _jobs) for each in answer),
        foreign_names=tuple(each for answer in ask("crm_register_foreign_names", _files) for each in answer),
    )  # fmt: skip
    return result, problems


def _records(plugin: str, answer: Any) -> list[RecordType]:
    types = []
    for cls in answer:
        if not (isinstance(cls, type) and issubclass(cls, Record)) or "crm_type" not in vars(cls):
            raise _Wrong(f"{cls!r} is no class declared by @record or @extends.")
        if cls.crm_type.plugin != plugin:
            owner = "the kernel" if cls.crm_type.plugin == KERNEL else f"the plugin {cls.crm_type.plugin!r}"
            raise _Wrong(f"The record {cls.crm_type.name!r} belongs to {owner} by its name; call it {plugin}.<noun>.")
        types.append(cls.crm_type)
    return types


def _settings(plugin: str, answer: Any) -> type[Any]:
    if not isinstance(answer, type) or not attrs.has(answer):
        raise _Wrong(f"{answer!r} is no attrs class.")
    if not attrs.inspect(answer).is_frozen:
        raise _Wrong(f"{answer.__name__} is not frozen, so one session could change the settings of another.")
    return answer


def _permissions(plugin: str, answer: Any) -> dict[str, str]:
    for name, description in answer.items():
        if not isinstance(name, str) or not _PERMISSION.fullmatch(name):
            raise _Wrong(f"{name!r} is no permission; write it as <record>.<verb>.")
        _text(description, f"the description of {name}")
    return dict(answer)


def _roles(plugin: str, answer: Any) -> list[Role]:
    return list(_all_of(Role, answer))


def _vocabularies(plugin: str, answer: Any) -> dict[str, dict[str, str]]:
    result = {}
    for name, words in answer.items():
        result[_text(name, "a vocabulary")] = {
            _text(word, f"a word of {name}"): _text(label, f"the label of {word}") for word, label in words.items()
        }
    return result


def _transforms(plugin: str, answer: Any) -> dict[str, Callable[..., Any]]:
    for name, function in answer.items():
        if not callable(function):
            raise _Wrong(f"The transform {name!r} cannot be called: {function!r}.")
    return {_text(name, "a transform"): function for name, function in answer.items()}


def _files(plugin: str, answer: Any) -> list[Path]:
    files = list(_all_of(Path, answer))
    for each in files:
        if not each.is_file():
            raise _Wrong(f"There is no file {each}.")
    return files


def _commands(plugin: str, answer: Any) -> list[click.Command]:
    import click

    return list(_all_of(click.Command, answer))


def _references(types: Iterable[RecordType]) -> Callable[[str, Any], list[SoftReference]]:
    own = {each.name: each for each in types}

    def read(_plugin: str, answer: Any) -> list[SoftReference]:
        references = list(_all_of(SoftReference, answer))
        for each in references:
            owner = own.get(each.record)
            if owner is None:
                raise _Wrong(f"{each.record!r} is no record of the plugin.")
            for name in (each.id_field, each.type_field):
                if name is not None and name not in owner.by_name:
                    raise _Wrong(f"{each.record} has no field {name!r}.")
            if (each.type_field is None) == (each.target is None):
                raise _Wrong(f"The reference {each.record}.{each.id_field} needs either type_field or target.")
        return references

    return read


def _jobs(plugin: str, answer: Any) -> list[Job]:
    jobs = []
    for job in _all_of(Job, answer):
        if not _PERMISSION.fullmatch(job.name) or (plugin != KERNEL and not job.name.startswith(f"{plugin}.")):
            raise _Wrong(f"The job {job.name!r} is named wrongly; call it {plugin}.<verb>.")
        if job.schedule is not None:
            _check_schedule(job.name, job.schedule)
        jobs.append(job)
    return jobs


def _check_schedule(name: str, schedule: str) -> None:
    try:
        recurrence.check(schedule)
    except ValueError as error:
        raise _Wrong(f"The job {name!r} has no readable schedule {schedule!r}: {error}") from None


def _all_of(kind: type[Any], answer: Iterable[Any]) -> Iterator[Any]:
    for each in answer:
        if not isinstance(each, kind):
            raise _Wrong(f"{each!r} is no {kind.__name__}.")
        yield each


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong(f"Expected a text for {what}, not {value!r}.")
    return value

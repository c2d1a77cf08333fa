"""A plugin's implementations, and all that is wrong with them.

pluggy stops at the first mistake, leaves a misspelt hook unused, and never fills a parameter that has a
default: each of these is looked for here, so that an author sees all of them at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from crm_core.errors import Problem, nearest
from crm_core.hooks.markers import PROJECT, Deprecation, OnlyFor, only_for_of
from crm_core.hooks.specs import SPECS, HookSpec

if TYPE_CHECKING:
    from crm_core.store.changes import ChangeBatch

__all__ = ["Implementation", "going", "mistakes", "unknown_records"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_HOOK_GOES = "The hook {hook} goes: it is deprecated since the contract {since}, and removed in {removed}."
_PARAMETER_GOES = (
    "The parameter {parameter!r} of {hook} goes: it is deprecated since the contract {since}, and removed in {removed}."
)
# Reads marks and knows no plugin: what it tells follows from the function alone.
_MARKS = pluggy.PluginManager(PROJECT)
_ORDERING = ("tryfirst", "trylast", "wrapper", "hookwrapper")
_OPERATIONS = ("create", "update", "delete")


@attrs.frozen
class Implementation:
    """One plugin's implementation of one hook; ``parameters`` are those it asks for.

    ``only_for`` are the changes it is for, where it says so.
    """

    plugin: str
    hook: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    only_for: OnlyFor | None = None

    def concerns(self, batch: ChangeBatch) -> bool:
        """Whether it is to be called with a batch."""
        return self.only_for is None or self.only_for.concerns(batch)

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """Call it with those of ``arguments`` that it asks for."""
        return self.function(*[arguments[name] for name in self.parameters])


def mistakes(plugin: str, namespace: object) -> list[Problem]:
    """Everything in ``namespace`` (usually a module) that would not work as an implementation."""
    problems: list[Problem] = []
    for name in dir(namespace):
        options = _MARKS.parse_hookimpl_opts(namespace, name)
        if options is None:
            if name in SPECS and inspect.isroutine(inspect.getattr_static(namespace, name)):
                problems.append(
                    _problem(
                        plugin,
                        SPECS[name],
                        "{signature} is not marked, so it is never called.",
                        "Write @hookimpl above it.",
                    )
                )
            continue
        hook = options.get("specname") or name
        spec = SPECS.get(hook)
        if spec is None:
            problems.append(
                Problem(
                    f"{plugin}.{hook}",
                    "There is no hook {hook!r}.",
                    "Did you mean {near}?",
                    {"hook": hook, "near": nearest(hook, SPECS)},
                )
            )
            continue
        problems += _signature_mistakes(plugin, spec, getattr(namespace, name))
        problems += _marked_mistakes(plugin, spec, only_for_of(getattr(namespace, name)))
        for option in _ORDERING:
            if options.get(option):
                problems.append(
                    _problem(
                        plugin,
                        spec,
                        "{hook} asks for {option}, but the order of plugins decides.",
                        "Remove {option}; a plugin is called after those that it requires.",
                        option=option,
                    )
                )
    return problems


def going(plugin: str, namespace: object, specs: Mapping[str, HookSpec] = SPECS) -> Iterator[Problem]:
    """What a plugin implements or asks for that a later contract removes."""
    for name in dir(namespace):
        options = _MARKS.parse_hookimpl_opts(namespace, name)
        spec = None if options is None else specs.get(options.get("specname") or name)
        if spec is None:
            continue
        if spec.deprecated is not None:
            yield _gone(plugin, spec, _HOOK_GOES, spec.deprecated)
        for parameter in inspect.signature(getattr(namespace, name)).parameters:
            if parameter in spec.deprecated_parameters:
                yield _gone(plugin, spec, _PARAMETER_GOES, spec.deprecated_parameters[parameter], parameter=parameter)


def unknown_records(plugin: str, namespace: object, known: Collection[str], owners: Collection[str]) -> list[Problem]:
    """Record types that an implementation says it is only for, and that do not exist: it would never be called.

    ``known`` are those that exist, ``owners`` the plugins they belong to; of others nobody can say what they have.
    """
    problems = []
    for name in dir(namespace):
        options = _MARKS.parse_hookimpl_opts(namespace, name)
        spec = None if options is None else SPECS.get(options.get("specname") or name)
        only = None if spec is None else only_for_of(getattr(namespace, name))
        for record in sorted(only.records.difference(known)) if only is not None else ():
            owner, dot, _ = record.rpartition(".")
            if spec is not None and (not dot or owner in owners):
                problems.append(
                    _problem(
                        plugin,
                        spec,
                        "{hook} is only for {record!r}, which is no record type.",
                        "Did you mean {near}?",
                        record=record,
                        near=nearest(record, known),
                    )
                )
    return problems


def _marked_mistakes(plugin: str, spec: HookSpec, only: OnlyFor | None) -> Iterator[Problem]:
    if only is None:
        return
    if "batch" not in spec.parameters:
        yield _problem(
            plugin,
            spec,
            "{hook} is not about changes, so @only_for says nothing.",
            "Remove @only_for.",
        )
    elif only.wrong:
        for each in only.wrong:
            yield _problem(plugin, spec, each.problem, each.mend, **each.values)
    elif wrong := only.operations.difference(_OPERATIONS):
        yield _problem(
            plugin,
            spec,
            "{hook} is only for the operation {operation!r}, which does not exist.",
            "Name some of {known}.",
            operation=min(wrong, key=str),
            known=", ".join(_OPERATIONS),
        )
    elif not only.records and not only.operations:
        yield _problem(
            plugin,
            spec,
            "{hook} does not say what it is only for.",
            "Name record types or operations in @only_for, or remove it.",
        )


def _gone(plugin: str, spec: HookSpec, problem: str, found: Deprecation, **values: Any) -> Problem:
    values = {"hook": spec.name, "since": found.since, "removed": found.removed, "instead": found.instead, **values}
    return Problem(f"{plugin}.{spec.name}", problem, "Use {instead}." if found.instead else "", values)


def _signature_mistakes(plugin: str, spec: HookSpec, function: Callable[..., Any]) -> Iterator[Problem]:
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in _POSITIONAL:
            yield _problem(
                plugin,
                spec,
                "The parameter {parameter} of {hook} would never be filled.",
                "Name the parameters that you need: {signature}.",
                parameter=str(parameter),
            )
        elif name not in spec.parameters:
            yield _problem(
                plugin,
                spec,
                "{hook} has no parameter {parameter!r}.",
                "Its parameters are those of {signature}.",
                parameter=name,
            )
        elif parameter.default is not inspect.Parameter.empty:
            yield _problem(
                plugin,
                spec,
                "The parameter {parameter!r} of {hook} has a default and so would never be filled.",
                "Remove the default: {signature}.",
                parameter=name,
            )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield _problem(
            plugin,
            spec,
            "{hook} is asynchronous and would never run.",
            "Write it as def: sessions are synchronous.",
        )
    elif spec.family == "events" and inspect.isgeneratorfunction(function):
        yield _problem(
            plugin,
            spec,
            "{hook} contains yield and would never run.",
            "It returns nothing: remove the yield.",
        )


def _problem(plugin: str, spec: HookSpec, problem: str, mend: str, **values: Any) -> Problem:
    known = {"hook": spec.name, "signature": spec.signature, **values}
    return Problem(f"{plugin}.{spec.name}", problem, mend, known)

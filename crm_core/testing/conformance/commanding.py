"""Running commands in this process as somebody, on a database of the kit's own."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.testing.conformance.population import MODULE

if TYPE_CHECKING:
    import click

    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["Ended", "command_lines", "run_command", "toml"]

_ABOUT_ACCOUNTS = ("account", "reference", "ref", "customer", "which", "id")
"""How the one argument is called of a command that is about an account."""


@attrs.frozen
class Ended:
    """How a command ended, and everything that it said, on both streams."""

    code: int
    text: str


def toml(content: Mapping[str, Any]) -> str:
    """A build file with this content; tables are written on one line each, which TOML takes as well."""
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in content.items())


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case int() | float() | Decimal():
            return str(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    return "[" + ", ".join(_value(each) for each in value) + "]"


def run_command(build_file: Path | None, user: str, line: Sequence[str], crm: Crm | None = None) -> Ended:
    """Run ``crm --user USER ...`` on the database of a build file, which may be open already; nothing is printed."""
    # By name, since the command stands above this layer: it verifies plugins by the kit.
    run, application = import_module("crm_core.cli.running").run, import_module("crm_core.cli").Application
    said = io.StringIO()
    chosen = ["--build", str(build_file)] if build_file is not None else []
    with redirect_stdout(said), redirect_stderr(said):
        code = run([*chosen, "--user", user, *line], application({}, crm))
    return Ended(code, said.getvalue())


def command_lines(
    subject: Subject, accounts: Sequence[int], ids: Mapping[str, Sequence[int]]
) -> Iterator[tuple[str, list[list[str]]]]:
    """The plugin's commands, each with the lines to run it by: empty where nobody can tell what it needs.

    The package may say it in its module ``conformance``: ``commands(ids)`` gives lines, each a list of words, by the
    command without arguments (``"scores show"``).
    """
    package = subject.package
    told: Mapping[str, Sequence[Sequence[str]]] = {}
    if find_spec(f"{package}.{MODULE}") is not None:
        told = getattr(import_module(f"{package}.{MODULE}"), "commands", dict)(*_given(package, ids))
    for words, command in _leaves(subject):
        name = " ".join(words)
        if name in told:
            yield name, [[str(word) for word in line] for line in told[name]]
        else:
            yield name, [[*words, *line] for line in _guessed(command, accounts)]


def _given(package: str, ids: Mapping[str, Sequence[int]]) -> tuple[Any, ...]:
    return (ids,) if hasattr(import_module(f"{package}.{MODULE}"), "commands") else ()


def _leaves(subject: Subject) -> Iterator[tuple[list[str], click.Command]]:
    from crm_core.assembly.contributions import contributions

    loaded = subject.loaded
    found: dict[str, Any] = {name: each.load() for name, each in loaded.manifest.commands.items()}
    found |= {str(each.name): each for each in contributions(subject.plugin, loaded.namespace)[0].commands}
    for name, command in found.items():
        yield from _below([name], command)


def _below(words: list[str], command: click.Command) -> Iterator[tuple[list[str], click.Command]]:
    import click

    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is not None:
            yield from _below([*words, name], below)


def _guessed(command: click.Command, accounts: Sequence[int]) -> list[list[str]]:
    """Bare, or about each account, where the one thing that it needs is called so; and each as JSON, too."""
    needed = [each for each in command.params if each.required]
    if not needed:
        lines: list[list[str]] = [[]]
    elif len(needed) == 1 and str(needed[0].name).lower() in _ABOUT_ACCOUNTS:
        option = [needed[0].opts[0]] if needed[0].param_type_name == "option" else []
        lines = [[*option, str(account)] for account in accounts]
    else:
        return []
    as_json = any("--json" in each.opts for each in command.params)
    return [*lines, *([*line, "--json"] for line in lines if as_json)]

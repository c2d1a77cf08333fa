"""Examples in the documentation: found in a page, run in order, and compared with the output that the page shows.

A page is run from its first example to its last, in an empty folder and in a process of its own:

- ``python`` blocks share their names, as if they were one program;
- ``console`` blocks hold commands after ``$`` (continued by a backslash), each with the output that follows it;
- ``sh`` blocks are run as a whole;
- a ``text``, ``json`` or ``csv`` block directly after a ``python`` or ``sh`` block is what that one prints;
- a ``python`` or ``toml`` block whose first line is a comment with a path is written to that file; ``<!-- docs: file
  data/accounts.csv -->`` on the line before does the same for any block;
- any other ``toml`` and ``json`` block is only read.

In an output, ``...`` stands for anything, and spaces side by side count as one. Other marks on the line before a block:
``<!-- docs: fails -->`` (a command must fail), ``<!-- docs: postgresql -->`` (run only where there is a server),
``<!-- docs: skip, because ... -->``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs

from tests import forked

__all__ = ["ROOT", "Example", "mismatch", "parse", "run", "steps"]

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>[^`\s]*)\s*$")
_MARK = re.compile(r"^<!-- docs: (?P<mark>.*?) -->$")
_NAMED = re.compile(r"^# (?P<path>[\w./-]+\.(py|toml))$")
_OUTPUTS = ("text", "json", "csv")
_SECONDS = 800


@attrs.frozen
class Example:
    """A fenced block: its language, its code, the line of the page where the code begins, and the mark before it."""

    language: str
    code: str
    line: int
    mark: str = ""
    follows: bool = False
    """Whether it stands directly after another block."""

    @property
    def path(self) -> str | None:
        """The file it is written to, if any."""
        if self.mark.startswith("file "):
            return self.mark.removeprefix("file ").strip()
        if self.language in ("python", "toml"):
            named = _NAMED.match(self.code.partition("\n")[0])
            return named["path"] if named else None
        return None

    @property
    def skipped(self) -> bool:
        """Whether the page says that it is not run, and why."""
        return re.match(r"skip, because \S", self.mark) is not None


def parse(text: str) -> list[Example]:
    """The blocks of a page."""
    found: list[Example] = []
    mark, directly = "", False
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            marked = _MARK.match(line)
            if marked:
                mark = marked["mark"]
            elif line.strip():
                mark, directly = "", False
            continue
        code = []
        for _, inner in lines:
            if inner.rstrip() == fence["ticks"]:
                break
            code.append(inner)
        found.append(Example(fence["language"], "\n".join(code) + "\n", number + 1, mark, directly))
        mark, directly = "", True
    return found


def steps(examples: Sequence[Example], *, postgresql: bool = False) -> Iterator[dict[str, Any]]:
    """What is to be done, one after the other; raises ``AssertionError`` for a block that nothing can be done with."""
    for position, each in enumerate(examples):
        after = examples[position + 1] if position + 1 < len(examples) else None
        printed = after is not None and after.follows and after.language in _OUTPUTS and not after.mark
        output = after.code if printed and after is not None else None
        if each.skipped or (each.mark == "postgresql" and not postgresql):
            continue
        assert each.mark in ("", "fails", "postgresql") or each.mark.startswith("file "), (
            f"line {each.line}: {each.mark}"
        )
        if each.path is not None:
            yield {"do": "write", "path": each.path, "code": each.code, "line": each.line}
        elif each.language == "python":
            yield {"do": "python", "code": each.code, "line": each.line, "output": output}
        elif each.language in ("sh", "bash"):
            yield {"do": "shell", "code": each.code, "line": each.line, "output": output, "fails": each.mark == "fails"}
        elif each.language == "console":
            yield from _commands(each)
        elif each.language == "toml":
            tomllib.loads(each.code)
        elif each.language == "json":
            json.loads(each.code) if "..." not in each.code else None


def _commands(example: Example) -> Iterator[dict[str, Any]]:
    command: list[str] = []
    output: list[str] = []
    start = example.line

    def step() -> dict[str, Any]:
        shown = "\n".join(output) if "".join(output).strip() else None
        code = "\n".join(command)
        return {"do": "shell", "code": code, "line": start, "output": shown, "fails": example.mark == "fails"}

    continued = False
    for number, line in enumerate(example.code.splitlines(), example.line):
        if continued or (line.startswith("$ ") and not command):
            command.append(line if continued else line[2:])
            start = start if continued else number
        elif line.startswith("$ "):
            yield step()
            command, output, start = [line[2:]], [], number
        else:
            assert command, f"line {number}: a console block begins with a command after '$ '"
            output.append(line)
        continued = not output and line.endswith("\\")
    yield step()


def mismatch(expected: str, printed: str) -> str | None:
    """What is wrong with an output; ``None`` when it is as promised."""
    wanted, given = _plain(expected), _plain(printed)
    # Anything at the end may be nothing: remarks on the error output come before the last line or after it.
    wanted = re.sub(r"\s+\.\.\.$", "...", wanted.rstrip())
    pattern = re.escape(wanted).replace(re.escape("..."), ".*?")
    if re.fullmatch(pattern, given, re.DOTALL):
        return None
    return f"promised:\n{wanted}\n\nprinted:\n{given}"


def _plain(text: str) -> str:
    lines = (re.sub(r"[ \t]+", " ", line).rstrip() for line in text.splitlines())
    return re.sub("─+", "─", "\n".join(lines)).strip("\n")


def run(
    page: Path,
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    postgresql: bool = False,
    server: str | None = None,
) -> list[str]:
    """Run a page's examples in ``folder``; returns what went wrong. Its commands are those of a ``server``."""
    todo = list(steps(parse(page.read_text(encoding="utf-8")), postgresql=postgresql))
    if not todo:
        return []
    work, state = folder / "work", folder / "state"
    work.mkdir()
    (state / "bin").mkdir(parents=True)
    (state / "site").mkdir()
    (state / "steps.json").write_text(json.dumps({"page": str(page), "steps": todo}), encoding="utf-8")
    for name in ("pip",):
        program = state / "bin" / name
        helper = Path(__file__).with_name(f"{name}_in_examples.py")
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{helper}" "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    environment = _environment(folder, state, environ or {})
    if server is not None:
        _prepare_command(state, server)
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_page.py")), str(state)],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert (state / "results.json").is_file(), ran.stdout + ran.stderr
    results = json.loads((state / "results.json").read_text(encoding="utf-8"))
    wrong = []
    for step, result in zip(todo, results, strict=False):
        where = f"{page.name}:{step['line']}: {step['code'].strip().splitlines()[0]}"
        if result["failed"] != step.get("fails", False):
            wrong.append(f"{where}\n{'failed' if result['failed'] else 'did not fail'}:\n{result['printed']}")
        elif step.get("output") is not None and (different := mismatch(step["output"], result["printed"])):
            wrong.append(f"{where}\n{different}")
    return wrong


def _prepare_command(state: Path, server: str) -> None:
    """Let ``crm`` be the command that is imported already."""
    program = state / "bin" / "crm"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{forked.__file__}" call "{server}" "$@"\n', "utf-8")
    program.chmod(0o755)


def _environment(folder: Path, state: Path, more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRM_", "LC_", "LANG", "PG"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(state / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(state / "site"), os.environ.get("PYTHONPATH", "")])),
        **_pytest_plugin(),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "DOCS_STATE": str(state),
        **more,
    }


def _pytest_plugin() -> dict[str, str]:
    """The pytest plugin of crm-core by name, where its entry point is not there: the sources are not installed, or were
    before they had one.
    """
    return {} if entry_points(group="pytest11", name="crm_core") else {"PYTEST_PLUGINS": "crm_core.testing.plugin"}

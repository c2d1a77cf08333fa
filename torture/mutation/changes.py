"""What became of each change, and the changes that are known to make no difference."""

from __future__ import annotations

import ast
import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import attrs

from torture.mutation.areas import module_of

__all__ = ["KNOWN", "Known", "Survivor", "known", "outcome", "survivor_of"]

KNOWN = Path(__file__).with_name("survivors.toml")
"""Changes that no test can or need notice, each with the reason."""

_SEPARATOR = "ǁ"


@attrs.frozen
class Survivor:
    """A change that no test noticed: the lines as they are, and as they became."""

    module: str
    function: str
    before: str
    after: str
    name: str

    def __str__(self) -> str:
        lines = f"{self.before or '(nothing)'} -> {self.after or '(nothing)'}"
        return f"{self.module}.{self.function}: {lines} [{self.name}]"


@attrs.frozen
class Known:
    """Why a change may stay unnoticed.

    Without ``after`` it holds for every change of the line, without ``before`` for every change in the function.
    """

    module: str
    function: str
    reason: str
    before: str = ""
    after: str = ""

    def covers(self, survivor: Survivor) -> bool:
        """Whether a survivor is the one that is meant."""
        return (
            (self.module, self.function) == (survivor.module, survivor.function)
            and self.before in ("", survivor.before)
            and self.after in ("", survivor.after)
        )


def known() -> list[Known]:
    """The changes that are known to make no difference."""
    entries: Sequence[Mapping[str, str]] = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get("survivor", [])
    return [Known(**entry) for entry in entries]


def outcome(code: int | None) -> str:
    """What the exit code of the tests says of a change."""
    match code:
        case None:
            return "not tried"
        case 0:
            return "survived"
        case 5 | 33:
            return "not reached"
        case 1 | 3:
            return "killed"
        case 36 | 24 | -24 | 152 | 255:
            return "timed out"
    return "failed"


def survivor_of(folder: Path, file: str, name: str) -> Survivor:
    """The change of this name, as it stands in the changed copy of a module."""
    short = name.rpartition(".")[2]
    mangled, _, _ = short.rpartition("__mutmut_")
    functions = _functions(folder / file)
    lines = difflib.unified_diff(
        _body(functions[f"{mangled}__mutmut_orig"]), _body(functions[short]), lineterm="", n=0
    )  # fmt: skip
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    function = mangled.removeprefix(f"x{_SEPARATOR}").removeprefix("x_").replace(_SEPARATOR, ".")
    return Survivor(module_of(file), function, _joined(changed, "-"), _joined(changed, "+"), short)


def _joined(lines: Iterable[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in lines if line.startswith(sign))


def _body(source: str) -> list[str]:
    """A function without its first words, which differ by its name."""
    first, *rest = source.splitlines()
    return [first.partition("(")[2], *rest]


@cache
def _functions(file: Path) -> dict[str, str]:
    source = file.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    return {
        node.name: "".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

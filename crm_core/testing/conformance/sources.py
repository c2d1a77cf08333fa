"""The source of a plugin, read without running it: modules, their syntax trees, and what they import."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import attrs

__all__ = ["Import", "Source", "read_sources"]


@attrs.frozen
class Import:
    """A name that a module imports: ``from module import name``, or with an empty name ``import module``.

    ``alias`` is what it is called in the importing module. ``typing`` says that it is imported for types alone.
    """

    module: str
    name: str
    alias: str
    line: int
    typing: bool = False


@attrs.frozen(eq=False)
class Source:
    """A module: its dotted name, its file, and where that lies within the distribution, as findings say it."""

    module: str
    path: Path
    place: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, filename=str(self.path))

    @functools.cached_property
    def imports(self) -> tuple[Import, ...]:
        """Everything that is imported anywhere in the module, relative imports made absolute."""
        package = self.module if self.path.name == "__init__.py" else self.module.rpartition(".")[0]
        return tuple(_imports(self.tree, package, typing=False))

    def where(self, node: ast.AST | int) -> str:
        """The place of a node (or line) for a finding: ``crm_x/roles.py:12``."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.place}:{line}"


def _imports(node: ast.AST, package: str, *, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                for each in names:
                    alias = each.asname or each.name.partition(".")[0]
                    yield Import(each.name, "", alias, child.lineno, typing)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join(package.split(".")[: len(package.split(".")) - level + 1]) if level else ""
                full = ".".join(part for part in (base, module or "") if part)
                for each in names:
                    yield Import(full, each.name, each.asname or each.name, child.lineno, typing)
            case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
                for part in child.body:
                    yield from _imports(ast.Module([part], []), package, typing=True)
                for part in child.orelse:
                    yield from _imports(ast.Module([part], []), package, typing=typing)
            case _:
                yield from _imports(child, package, typing=typing)


def read_sources(folder: Path, package: str) -> Iterator[Source]:
    """The modules below the folder of ``package``, migrations included, in order of their paths."""
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(folder)
        if "__pycache__" in relative.parts:
            continue
        parts = [package, *relative.with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        place = (Path(folder.name) / relative).as_posix()
        yield Source(".".join(parts), path, place, path.read_text(encoding="utf-8"))

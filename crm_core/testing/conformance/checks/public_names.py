"""The plugin imports from the kernel only what the kernel promises to keep."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from crm_core.errors import nearest
from crm_core.testing.conformance.public import PUBLIC_MODULES, exports
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.sources import Import, Source
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "public-names"
KERNEL = "crm_core"


def _look(subject: Subject) -> Iterator[Finding]:
    for source in subject.sources:
        for each in source.imports:
            if each.module.partition(".")[0] == KERNEL:
                yield from _imported(source, each)
        yield from _attributes(source)


def _imported(source: Source, each: Import) -> Iterator[Finding]:
    """What one import asks for."""
    if each.module not in PUBLIC_MODULES:
        yield Finding(
            NAME,
            "{module} is no public module of the kernel.",
            source.where(each.line),
            mend="Import {name} from crm_core." if each.name in exports(KERNEL) else
            "Use what crm_core exports; what you miss there is worth an issue. Public are: {public}.",
            values={"module": each.module, "name": each.name, "public": ", ".join(PUBLIC_MODULES)},
        )  # fmt: skip
    elif each.name and each.name != "*" and each.name not in exports(each.module):
        yield _unexported(source, each.line, each.module, each.name)


def _unexported(source: Source, line: int, module: str, name: str) -> Finding:
    return Finding(
        NAME,
        "{module} does not export {name}.",
        source.where(line),
        mend="Use what it exports; did you mean {near}? Otherwise the name may change in any version.",
        values={"module": module, "name": name, "near": nearest(name, exports(module))},
    )


def _attributes(source: Source) -> Iterator[Finding]:
    """What is asked of modules of the kernel by a dot: ``dated.change``, ``crm_core.fields.text``."""
    modules: dict[str, ModuleType] = {}
    for each in source.imports:
        value = _module(each)
        if value is not None:
            modules[each.alias] = value
    for node, module in _asked(source.tree, modules):
        names = exports(module.__name__) if module.__name__ in PUBLIC_MODULES else frozenset(_all_of(module))
        if names and node.attr not in names and not node.attr.startswith("__"):
            if module.__name__ in PUBLIC_MODULES:
                yield _unexported(source, node.lineno, module.__name__, node.attr)
            else:
                yield Finding(
                    NAME,
                    "{module} does not export {name}.",
                    source.where(node),
                    mend="It exports {names}.",
                    values={"module": module.__name__, "name": node.attr, "names": ", ".join(sorted(names))},
                )


def _module(each: Import) -> ModuleType | None:
    """The public module that an import binds to a name."""
    if each.module.partition(".")[0] != KERNEL:
        return None
    if not each.name:
        whole = each.alias != KERNEL and each.module in PUBLIC_MODULES
        return import_module(each.module if whole else KERNEL)
    if each.module in PUBLIC_MODULES and each.name in exports(each.module):
        value: Any = getattr(import_module(each.module), each.name, None)
        if isinstance(value, ModuleType):
            return value
        if f"{each.module}.{each.name}" in PUBLIC_MODULES:
            return import_module(f"{each.module}.{each.name}")
    return None


def _asked(node: ast.AST, modules: Mapping[str, ModuleType]) -> Iterator[tuple[ast.Attribute, ModuleType]]:
    """Attributes of these names; where a function gives a name another meaning, it is left out."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        own = _bound(node)
        modules = {name: module for name, module in modules.items() if name not in own}
    if not modules:
        return
    if isinstance(node, ast.Attribute):
        module = _value(node.value, modules)
        if module is not None and not f"{module.__name__}.{node.attr}" in PUBLIC_MODULES:  # noqa: E713
            yield node, module
            return
    for child in ast.iter_child_nodes(node):
        yield from _asked(child, modules)


def _value(node: ast.expr, modules: Mapping[str, ModuleType]) -> ModuleType | None:
    """The module that an expression such as ``crm_core.fields`` stands for."""
    if isinstance(node, ast.Name):
        return modules.get(node.id)
    if isinstance(node, ast.Attribute):
        outer = _value(node.value, modules)
        inner = None if outer is None else f"{outer.__name__}.{node.attr}"
        return import_module(inner) if inner in PUBLIC_MODULES else None
    return None


def _bound(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    stored = (each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
    return {each.arg for each in named if each is not None} | set(stored)


def _all_of(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", ()))


CHECK = Check(NAME, "It imports from the kernel only what crm_core and its documented modules export.", _look)

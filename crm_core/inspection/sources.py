"""What the source of a plugin reads: names of fields in its syntax tree, with the places.

A name is all that can be seen without running the code. ``account.grade`` and ``order.grade`` look the same, so a place
counts for every record with a field of that name, and is *certain* only where its module speaks of that record. What
is reached by a name that is put together while the program runs is not seen at all.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

__all__ = ["Mentions", "Place", "mentions_in"]

_LEFT_OUT = frozenset({"migrations", "locale", "testing", "inspection", "tests"})
_TEXTS = frozenset({"__all__"})
_READING = (ast.Attribute, ast.Constant, ast.Call)


@attrs.frozen(order=True)
class Place:
    """A line of a module, and whether the name stands in a ``text`` there, as custom fields always do.

    ``speaks_of`` are the classes and record types that the module names.
    """

    module: str
    line: int
    text: bool
    speaks_of: frozenset[str] = attrs.field(eq=False, order=False, repr=False)

    def __str__(self) -> str:
        return f"{self.module}:{self.line}"


Mentions = Mapping[str, tuple[Place, ...]]
"""Places by the name that is read there."""


@functools.lru_cache(maxsize=64)  # the source that a process was made of does not change beneath it
def mentions_in(folder: Path, package: str) -> Mentions:
    """Everything that the modules beneath a folder (or one module) read by name."""
    found: defaultdict[str, list[Place]] = defaultdict(list)
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.py"))
    root = folder.parent
    for file in files:
        parts = file.relative_to(root).with_suffix("").parts
        if _LEFT_OUT.isdisjoint(parts[1:]):
            module = ".".join((package, *parts[1:])).removesuffix(".__init__") if folder.is_dir() else package
            for name, place in _read(file, module):
                found[name].append(place)
    return {name: tuple(sorted(set(places), key=_in_order)) for name, places in found.items()}


def _in_order(place: Place) -> tuple[str, int, bool]:
    return place.module, place.line, place.text


def _read(file: Path, module: str) -> Iterator[tuple[str, Place]]:
    # Gone through once: the kernel's own source has half a million of them.
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    aside = _aside(nodes)
    words = frozenset(_words(nodes))
    for node in nodes:
        if not isinstance(node, _READING) or id(node) in aside:
            continue
        for name in _names(node):
            yield name, Place(module, getattr(node, "lineno", 0), isinstance(node, ast.Constant), words)


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute(attr=name, ctx=ast.Load()):
            yield name
        case ast.Constant(value=str(text)):
            yield from _in_text(text)
        case ast.Call(func=called, keywords=keywords) if not _constructs(called):
            yield from (each.arg for each in keywords if each.arg is not None)


def _constructs(called: ast.expr) -> bool:
    """Whether a call makes an object: its keywords then fill fields, and read none."""
    return _name(called)[:1].isupper()


def _in_text(text: str) -> Iterator[str]:
    """A name, a path of names, or the names in a filter expression; nothing of a sentence."""
    if len(text) > 500:
        return
    if text.replace(".", "").isidentifier():
        yield from text.split(".")
        return
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return
    if isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Call):
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr


def _aside(nodes: Sequence[ast.AST]) -> set[int]:
    """Texts that read nothing: docstrings, lists of exports, the keys of dictionaries, which name what is filled, and
    words that are values: members of enumerations, what something is compared with, what an object is made of.
    """
    found: set[int] = set()
    for node in nodes:
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                first = node.body[0] if node.body else None
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    found.add(id(first.value))
            case ast.Dict(keys=keys):
                found.update(id(key) for key in keys if key is not None)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _TEXTS:
                found.update(id(each) for each in ast.walk(value))
            case ast.Compare():
                found.update(id(each) for each in _compared(node))
            case ast.MatchValue(value=ast.Constant() as value):
                found.add(id(value))
            case ast.Call(func=called, keywords=keywords) if _constructs(called):
                found.update(id(each.value) for each in keywords)
        if isinstance(node, ast.ClassDef) and any(_name(base).endswith("Enum") for base in node.bases):
            found.update(id(each.value) for each in node.body if isinstance(each, ast.Assign))
    return found


def _compared(node: ast.Compare) -> Iterator[ast.expr]:
    """Texts on either side of == and !=, and those of a list that something is looked for in."""
    left = node.left
    for sign, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(sign, ast.Eq | ast.NotEq):
            yield from (left, right)
        elif isinstance(sign, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List | ast.Set):
            yield from right.elts
        left = right


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _words(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Names of classes, and texts that may name a record type."""
    for node in nodes:
        match node:
            case ast.Name(id=name) if name[:1].isupper():
                yield name
            case ast.alias(name=name) if name[:1].isupper():
                yield name
            case ast.Attribute(attr=name) if name[:1].isupper():
                yield name
            case ast.Constant(value=str(text)) if len(text) <= 120:
                yield text

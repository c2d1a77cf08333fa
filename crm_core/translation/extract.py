"""Which texts of a package are to be translated, read from its source without importing it.

Texts are: every constant that is a sentence; the texts of errors, problems, findings and grounds; help and labels;
words of vocabularies and choices; the arguments of a translator's methods; whatever stands in a call of ``_()`` or in
a constant whose name ends in ``LABELS``. Texts with values put in by an f-string cannot be looked up, so write a
template and its values instead. In templates of pages they are the texts that ``_()`` says.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from crm_core.translation.words import in_words

__all__ = ["constants", "extract", "template_texts", "texts"]

_SENTENCE = re.compile(r"""["'(=]?[A-Z{].*\s.*[.?:][)"']?|[A-Z{][^\n]*\s[^\n]*[.?]""", re.DOTALL)

# Where the texts stand in a call, by the name of what is called.
_POSITIONS: dict[str, tuple[int, ...]] = {
    "_": (0,), "text": (0,), "format": (0,), "say": (0,), "note": (0, 1), "heading": (0,), "Problem": (1, 2),
    "Ground": (1,), "Finding": (1,), "conflict": (2,), "fail": (1, 2), "_fail": (0, 1), "_problem": (1, 2),
    "Role": (2,), "InvalidValue": (0,), "ConflictingOptions": (0,), "Command": (1,), "table": (0,),
}  # fmt: skip
_KEYWORDS = {"problem", "mend", "label", "help", "description", "title", "template"}
# What a plugin answers to the kernel's questions: these are templates, however short.
_ANSWERS = {"NextAction": {"reason"}, "News": {"text"}, "OpenItem": {"text"}, "TimelineEntry": {"text"}}
_REGISTRATIONS = {"crm_register_vocabularies", "crm_register_permissions"}
_FIELDS = {
    "text", "choice", "number", "money", "day", "moment", "flag", "ref", "tags", "json", "email", "phone", "url",
    "address",
}  # fmt: skip
_RECORDS = {"record", "extends"}
_ERRORS = re.compile(r"\w*(?:Error|Conflict|Denied|NotFound|Objection|UnsupportedStatement)")
_COMMANDS = {"command", "group"}
_CODE = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|PRAGMA|CREATE|DROP) ")


def extract(package: Path) -> dict[str, list[str]]:
    """The texts of all modules below a folder, each with the places where it stands."""
    found: dict[str, list[str]] = {}
    for module in sorted(package.rglob("*.py")):
        where = module.relative_to(package.parent).as_posix()
        for text, line in texts(module.read_text(encoding="utf-8")):
            places = found.setdefault(text, [])
            if f"{where}:{line}" not in places:
                places.append(f"{where}:{line}")
    for template in sorted([*package.rglob("*.html"), *package.rglob("*.svg")]):
        where = template.relative_to(package.parent).as_posix()
        for text, line in template_texts(template.read_text(encoding="utf-8")):
            found.setdefault(text, []).append(f"{where}:{line}")
    return found


def constants(package: Path) -> set[str]:
    """Every text constant of a package: what may be looked up in some way that :func:`texts` does not know."""
    modules = (ast.parse(module.read_text(encoding="utf-8")) for module in package.rglob("*.py"))
    nodes = (node for module in modules for node in ast.walk(module))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def template_texts(source: str) -> Iterator[tuple[str, int]]:
    """The texts in a template of Jinja2, with their lines."""
    from jinja2 import Environment, nodes

    for call in Environment(autoescape=True).parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            for argument in call.args[:1]:
                if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
                    yield argument.value, argument.lineno


def texts(source: str) -> Iterator[tuple[str, int]]:
    """The texts in a module, with their lines."""
    tree = ast.parse(source)
    aside = _aside(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                yield from _call(node)
            case ast.ClassDef():
                yield from _class(node)
            case ast.FunctionDef():
                yield from _function(node)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name.endswith("LABELS") and node.value is not None:
                    yield from _constants([node.value])
                elif name.isupper() and isinstance(node.value, ast.Dict) and _words_of(node.value):
                    yield from _constants(node.value.values)
            case ast.Constant(value=str(text)) if id(node) not in aside and _SENTENCE.fullmatch(text):
                if not _CODE.match(text):
                    yield text, node.lineno


def _aside(tree: ast.AST) -> set[int]:
    """Constants that are no texts of their own: docstrings, and the pieces of f-strings."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            found.update(id(each) for each in ast.walk(node))
    return found


def _words_of(table: ast.Dict) -> bool:
    """Whether a table in capital letters explains its keys: its values are sentences or templates."""
    values = [each.value for each in table.values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return bool(values) and all(" " in value and value[:1].isupper() and not _CODE.match(value) for value in values)


def _call(node: ast.Call) -> Iterator[tuple[str, int]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in ("add_argument", "addoption"):
        return  # help of argparse and pytest, for developers
    positions = (0,) if _ERRORS.fullmatch(name) else _POSITIONS.get(name, ())
    if name in _FIELDS and name != "text":
        positions = ()
    if name == "text" and not isinstance(node.func, ast.Attribute):
        positions = ()  # the field of this name
    if name in ("text", "format") and isinstance(node.func, ast.Attribute) and not _is_translator(node.func.value):
        positions = ()
    given = [node.args[position] for position in positions if position < len(node.args)]
    told = _KEYWORDS | _ANSWERS.get(name, set())
    yield from _constants([*given, *(each.value for each in node.keywords if each.arg in told)])


def _is_translator(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    name = name or getattr(getattr(node, "func", None), "id", "")
    return "translat" in name


def _constants(nodes: Sequence[ast.expr]) -> Iterator[tuple[str, int]]:
    """Text constants, also those in either branch of a condition and in tuples."""
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if re.search(r"[^\W\d_]", re.sub(r"\{[^}]*\}", "", text)):
                yield text, node.lineno
            case ast.IfExp():
                yield from _constants([node.body, node.orelse])
            case ast.Tuple() | ast.List():
                yield from _constants(node.elts)
            case ast.Dict():
                yield from _constants(node.values)


def _class(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    """Labels of a record and its fields; words of a choice."""
    declaration = next((each for each in node.decorator_list if _called(each) in _RECORDS), None)
    if isinstance(declaration, ast.Call) and not any(each.arg == "label" for each in declaration.keywords):
        names = [each.value for each in declaration.args if isinstance(each, ast.Constant)]
        yield str(names[-1]).rpartition(".")[2].replace("_", " ").capitalize(), declaration.lineno
    bases = {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
    for each in node.body:
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call) if _called(call) in _FIELDS:
                if not any(keyword.arg == "label" for keyword in call.keywords):
                    yield name.removesuffix("_id").replace("_", " ").capitalize(), each.lineno
            case ast.Assign(value=ast.Constant(value=str(text))) if any("Enum" in base for base in bases):
                yield text if " " in text else in_words(text), each.lineno


def _function(node: ast.FunctionDef) -> Iterator[tuple[str, int]]:
    """The help of a command, paragraph by paragraph; words and descriptions that are registered."""
    if any(_called(each) in _COMMANDS for each in node.decorator_list):
        import inspect

        for paragraph in inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n"):
            if paragraph and not paragraph.startswith("\b\n"):
                yield " ".join(paragraph.split()), node.lineno
    if node.name in _REGISTRATIONS:
        for each in ast.walk(node):
            if isinstance(each, ast.Dict):
                yield from _constants([value for value in each.values if isinstance(value, ast.Constant)])


def _called(node: ast.expr) -> str:
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")

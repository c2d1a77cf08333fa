"""The layout of generated code: lines that fit, double quotes, one argument per line where they do not."""

from __future__ import annotations

import ast

__all__ = ["laid_out"]

_WIDTH = 120
# What Alembic writes although leaving it out says the same.
_DEFAULTS = {
    ("batch_alter_table", "schema", "None"),
    ("Column", "nullable", "True"),
    ("create_index", "unique", "False"),
}


def laid_out(code: str, depth: int = 1) -> str:
    """``code``, a body whose first line alone is not indented, as a body at ``depth``; comments are lost."""
    block = ast.parse(f"if True:\n    {code}").body[0]
    return "\n".join(_statement(node, depth) for node in block.body)  # type: ignore[attr-defined]


def _statement(node: ast.stmt, depth: int) -> str:
    indent = "    " * depth
    if isinstance(node, ast.Expr):
        return indent + _expression(node.value, depth, len(indent))
    if isinstance(node, ast.Raise) and node.exc is not None:
        return f"{indent}raise {_expression(node.exc, depth, len(indent) + len('raise '))}"
    if isinstance(node, ast.Assign):
        start = f"{indent}{_flat(node.targets[0])} = "
        return start + _expression(node.value, depth, len(start))
    if isinstance(node, ast.With):
        heads = [
            f"{_flat(item.context_expr)} as {ast.unparse(item.optional_vars or item.context_expr)}"
            for item in node.items
        ]
        return "\n".join([f"{indent}with {', '.join(heads)}:", *(_statement(part, depth + 1) for part in node.body)])
    return indent + ast.unparse(node)


def _expression(node: ast.expr, depth: int, column: int) -> str:
    """The code of ``node`` beginning at ``column``, broken into lines at ``depth`` where it is too long.

    ``column`` counts what follows on the same line as well.
    """
    flat = _flat(node)
    if column + len(flat) <= _WIDTH or not isinstance(node, ast.Call):
        return flat
    parts = _arguments(node)
    inner = "    " * (depth + 1)
    together = ", ".join(name + _flat(value) for name, value in parts)
    if len(inner) + len(together) <= _WIDTH:
        lines = [inner + together]
    else:
        lines = [f"{inner}{name}{_expression(value, depth + 1, len(inner) + len(name) + 1)}," for name, value in parts]
    return "\n".join([f"{_flat(node.func)}(", *lines, "    " * depth + ")"])


def _flat(node: ast.expr) -> str:
    match node:
        case ast.Call():
            args = ", ".join(name + _flat(value) for name, value in _arguments(node))
            return f"{_flat(node.func)}({args})"
        case ast.List():
            return f"[{', '.join(_flat(part) for part in node.elts)}]"
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return f"{{{', '.join(f'{_flat(key)}: {_flat(value)}' for key, value in pairs if key)}}}"
        case ast.Attribute():
            return f"{_flat(node.value)}.{node.attr}"
        case ast.Constant(value=str(text)) if '"' not in text and text.isprintable():
            return '"' + text.replace("\\", "\\\\") + '"'
        case _:
            return ast.unparse(node)


def _arguments(call: ast.Call) -> list[tuple[str, ast.expr]]:
    parts = [("", arg) for arg in call.args]
    function = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    named = [
        keyword for keyword in call.keywords if (function, keyword.arg, ast.unparse(keyword.value)) not in _DEFAULTS
    ]
    return parts + [(f"{keyword.arg}=", keyword.value) for keyword in named]

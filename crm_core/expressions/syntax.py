"""From text to a tree: Python's grammar, restricted to an allow-list."""

from __future__ import annotations

import ast
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

import attrs

from crm_core.errors import ExpressionError
from crm_core.expressions.scan import MAX_DEPTH, scan

if TYPE_CHECKING:
    from crm_core.expressions.environment import Environment
    from crm_core.expressions.filters import Filter
    from crm_core.records import RecordType, Types

__all__ = ["MAX_NODES", "Expression", "parse"]

MAX_NODES = 3_000
"""Names, values and operators of one expression."""

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add,
    ast.Sub, ast.Mult, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is,
    ast.IsNot, ast.Call, ast.Attribute, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List,
)  # fmt: skip
_POSITIONED = (ast.expr, ast.keyword)


@attrs.frozen(eq=False)
class Expression:
    """An expression whose form is right; what its names mean is settled by :meth:`bind`."""

    source: str
    tree: ast.expr = attrs.field(repr=False)
    _text: str = attrs.field(repr=False)

    def bind(self, types: Types, record_type: RecordType, env: Environment) -> Filter:
        """The filter this expression is for records of ``record_type``.

        Raises :class:`ExpressionError` at the character of an unknown name, of a comparison that cannot be, or of a
        field that the reader may not know of.
        """
        from crm_core.expressions.filters import bind

        return bind(self, types, record_type, env)

    @cached_property
    def _columns(self) -> list[int]:
        """Character positions by the parser's UTF-8 byte offsets."""
        positions: list[int] = []
        for index, char in enumerate(self._text):
            positions += [index] * len(char.encode("utf-8", "surrogatepass"))
        return [*positions, len(self._text)]

    def position(self, node: ast.AST) -> int:
        """The offset of the character at which ``node`` begins."""
        if isinstance(node, ast.Attribute):
            dot = self._text.index(".", self._columns[cast(int, node.value.end_col_offset)])
            blank = len(self._text[dot + 1 :]) - len(self._text[dot + 1 :].lstrip())
            return dot + blank  # the name after the dot, less the bracket that we put before the text
        return max(self._columns[cast(ast.expr, node).col_offset] - 1, 0)  # a bare list begins at our own bracket

    def number(self, node: ast.Constant) -> Decimal:
        """The number at ``node``, exactly as it is written."""
        return Decimal(self._text[self._columns[node.col_offset] : self._columns[cast(int, node.end_col_offset)]])

    def fail(self, node: ast.AST, problem: str, mend: str, **values: Any) -> NoReturn:
        """Raise an error that points at ``node``."""
        raise ExpressionError(problem, mend=mend, source=self.source, position=self.position(node), **values)


def parse(source: str) -> Expression:
    """Read ``source``; :class:`ExpressionError` at the character where it leaves the filter language.

    Only its form is judged. No name is looked up and nothing is evaluated.
    """
    tokens = scan(source)
    # On one line and in brackets the parser takes any layout, and its columns are simple to translate.
    text = [" "] * len(source)
    for token in tokens:
        text[token.start : token.start + len(token.text)] = token.text
    flat = f"({''.join(text)})"
    try:
        tree = ast.parse(flat, mode="eval").body
    except SyntaxError as error:
        position = min(max((error.offset or 2) - 2, 0), len(source) - 1)
        raise ExpressionError(
            "The expression cannot be read here.",
            mend="Check the operators, commas and brackets around this place.",
            source=source,
            position=position,
        ) from None
    except (RecursionError, MemoryError):
        raise ExpressionError(
            "The expression is nested too deeply.", mend="Split it into several filters.", source=source
        ) from None
    expression = Expression(source, tree, flat)
    _check(expression)
    return expression


def _check(expression: Expression) -> None:
    count = 0
    level: list[ast.AST] = [expression.tree]
    depth = 0
    while level:
        depth += 1
        below: list[ast.AST] = []
        for node in level:
            if not isinstance(node, _ALLOWED):
                _refuse(expression, node)
            count += isinstance(node, ast.expr)
            _check_node(expression, node)
            below += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.Load)]
            if count > MAX_NODES:
                expression.fail(node, "The expression has more than {limit} parts.",
                                "Split it into several filters.", limit=MAX_NODES)  # fmt: skip
        places = [node for node in below if isinstance(node, _POSITIONED)]
        # Sums lean to the left: the scanner has limited them, so they get room beside the real nesting.
        if depth > 3 * MAX_DEPTH and places:
            expression.fail(places[0], "The expression is nested too deeply here.",
                            "Simplify it, or split it into several filters.")  # fmt: skip
        level = below


def _check_node(expression: Expression, node: ast.AST) -> None:
    match node:
        case ast.Call(func=ast.Name()):
            pass
        case ast.Call():
            expression.fail(node.func, "Only functions of the filter language can be called.",
                            'Write for example contains(name, "text").')  # fmt: skip
        case ast.Attribute(value=ast.Name() | ast.Attribute()):
            pass
        case ast.Attribute():
            expression.fail(node, "Only a field leads on to other fields.", "Write a name before the dot.")


def _refuse(expression: Expression, node: ast.AST) -> NoReturn:
    place = node if isinstance(node, _POSITIONED) else expression.tree
    expression.fail(place, "This is no part of the filter language.",
                    "See the reference of expressions for what is.")  # fmt: skip

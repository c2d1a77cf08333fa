"""Of Python only the grammar of comparisons is there: nothing can be called, reached or exhausted."""

from __future__ import annotations

import ast
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import ExpressionError
from crm_core.expressions import syntax

ATTACKS = [
    "__import__('os').system('id')", "().__class__.__bases__[0].__subclasses__()", "name.__class__", "name.__init__",
    "name.__class__.__mro__", "(lambda: 1)()", "lambda: 1", "[x for x in tags]", "{x for x in tags}",
    "(x for x in tags)",
    "{x: 1 for x in tags}", "[c for c in ().__class__.__base__.__subclasses__()]", "f'{name}'",
    "f\"{name.__class__}\"",
    "(x := 5) > 1", "x := 5", "name[0]", "name[0:1]", "tags[0] == 'x'", "*tags", "(*tags,)", "print(*tags)",
    "print(**extra)",
    "any(*jobs)", "any(jobs, **extra)", "any(jobs, condition=True)", "print(name)", "eval('1')", "exec('1')",
    "open('/etc/passwd')",
    "getattr(name, 'x')", "globals()", "locals()", "vars()", "dir()", "type(name)", "breakpoint()", "input()",
    "help()",
    "compile('1', '', 'eval')", "memoryview(b'')", "object()", "isinstance(name, str)", "len(name) > 1",
    "str(size) == '1'",
    "name.upper() == 'A'", "'x'.join(tags)", "'{0.__class__}'.format(name) == ''", "name.format(name)", "name % size",
    "'%s' % name", "name @ name", "size // 2", "size ** 9999999", "9 ** 9 ** 9", "size << 2", "size >> 2", "size & 1",
    "size | 1", "size ^ 1", "~size", "1 if active else 2", "yield", "(yield 1)", "await name", "async", "import os",
    "from os import path", "del name", "return 1", "raise name", "assert name", "global name", "pass",
    "while True: pass",
    "for x in y: pass", "class X: pass", "def f(): pass", "name; name", "name\nname", "active\n", "b'x' == name",
    "1j == size",
    "0x10 == size", "0b1 == size", "0o7 == size", "1e400 > size", "1e5 > size", "...", "...  == name", "{}", "{1}",
    "{1: 2}",
    "`name`", "$name", "name?", "name -> 1", "@name", "'a' 'b' == name", "'''a''' == name", '"""a""" == name',
    "r'a' == name",
    "u'a' == name", "Rb'a' == name", "name.name.name", "print", "None()", "True()", "'x'()", "(name)()",
    "today()()", "today().year",
    "now().__class__", "contains.__globals__", "any.__self__", "True.real", "None.x", "(1).real", "1 .real",
    "[].append(1)",
    "money('1', 'CNY').amount > 1", "vip.__class__", "vip.metadata", "boss.record_type", "boss.path", "boss.sql",
    "name.field",
    "match", "case", "_", "__builtins__", "__name__", "__debug__", "NotImplemented", "Ellipsis", "record_type",
    "table", "self",
    "custom", "custom.c_text == 'x'", "valid_from is None", "name_key == 'x'", "worth_amount > 1",
    "place_city == 'x'", "metadata",
    "name == 'x'; DROP TABLE probe__company", "name == 'x' -- remark", "name == 'x' /* remark */", "1 = 1",
    "'' or 1=1",
    "ｎａｍｅ == 'x'", "name.ｕｐｐｅｒ()", "nаme == 'x'", "\u202ename == 'x'", "name\u200b == 'x'",
    "\ufeffname == 'x'", "name\x00 == 'x'",
    "name == 'a\\N{BULLET}'", "name == '\\x41'", "name == '\\101'", "name == 'a\\\nb'", "name == \\\n 'x'",
    "(" * 3000 + ")" * 3000, "(" * 9000, "[" * 5000 + "]" * 5000, "not " * 2400 + "active",
    "-" * 9000 + "1 > size", "+" * 9999,
    "~" * 5000 + "1", "a." * 4000 + "a", "size" + "+1" * 4000 + "> 1", "size" + "*1" * 4000 + "> 1",
    "1 < " * 2400 + "size and size",
    "any(jobs," * 1000 + "active" + ")" * 1000, "contains(" * 1000, "9" * 9000 + " > size",
    "0." + "9" * 9000 + " > size",
    "name == '" + "x" * 9999 + "'", "\\" * 5000, '"' * 5001, "'\\" * 2000, "\n" * 9999, "#" * 9999, "(\n" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("source", ATTACKS, ids=range(len(ATTACKS)))
def test_what_is_not_of_the_language_is_an_error_of_the_language(kit: Any, source: str) -> None:
    if source == "active\n":
        kit.bind(source)
        return
    with pytest.raises(ExpressionError) as caught:
        kit.bind(source)
    assert 0 <= caught.value.position <= len(source)
    assert str(caught.value)


PIECES = [*"naome.()[]'\",=<>!+-*/ \n#0159_:;{}\\上（＝😀\x00\ud800", " and ", " or ", " not ", " in ", " is ",
          "None", "True",
          "size", "name", "any(jobs, ", "tags", "boss.", "f'", "lambda ", '"x"', "days(1)", "today()"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_any_text_is_an_expression_or_such_an_error(kit: Any, source: str) -> None:
    try:
        bound = kit.bind(source)
    except ExpressionError as error:
        assert 0 <= error.position <= len(source)
        assert str(error)
    else:
        bound.where()


def test_the_deepest_that_is_read_fits_a_small_stack(kit: Any) -> None:
    """A server's threads have less stack than the main one."""
    sources = ["(" * 25 + "active" + ")" * 25, "not " * 25 + "active", "size" + "+1" * 39 + " > 1",
               " and ".join(["active"] * 900), " < ".join(["size"] * 900), f"id in ({'1,' * 2900})"]  # fmt: skip
    failures: list[BaseException] = []

    def run() -> None:
        try:
            for source in sources:
                bound = kit.bind(source)
                bound.where()
                bound.value({"active": True, "size": 5})
        except BaseException as error:
            failures.append(error)

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert failures == []


@pytest.mark.parametrize(
    "source",
    ["lambda: 1", "[x for x in tags]", "{x: 1}", "{1}", "(x := 5)", "name[0]", "*tags, 1", "f'{name}'",
     "1 if active else 2",
     "size // 2", "size ** 2", "size % 2", "size << 2", "size & 1", "~size", "(yield)", "name @ name",
     "contains(x=1)",
     "contains(**extra)", "'x'.join(tags)", "name.format(name)", "(1).real", "size / 2"],
)  # fmt: skip
def test_the_allow_list_alone_would_refuse_it_too(source: str) -> None:
    """The scanner meets these first; what it might overlook one day, the tree does not."""
    tree = ast.parse(f"({source})", mode="eval").body
    with pytest.raises(ExpressionError):
        syntax._check(syntax.Expression(source, tree, f"({source})"))


def test_a_tree_that_is_too_deep_is_refused() -> None:
    place = {"lineno": 1, "col_offset": 1, "end_lineno": 1, "end_col_offset": 5}
    tree: ast.expr = ast.Name("size", ast.Load(), **place)
    for _ in range(90):
        tree = ast.UnaryOp(ast.Not(), tree, **place)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        syntax._check(syntax.Expression("size", tree, "(size)"))

"""Expressions: refused in words, or the same in memory and in the database, and when they are written anew."""

from __future__ import annotations

import ast
import copy
import json
import random
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import case, not_, select

from crm_core import Crm
from crm_core.errors import ExpressionError
from crm_core.expressions import Environment, Filter, parse, parse_order
from crm_core.expressions.syntax import Expression
from crm_core.records import RecordType
from crm_core.testing.conformance.databases import Databases
from crm_core.testing.conformance.population import populate
from crm_core.testing.postgresql import PostgreSQLServer
from torture.fuzz.scene import BUILD, NOW, sometimes
from torture.fuzz.target import Loss, Target
from torture.fuzz.targets.rows import Names, World, enrich
from torture.fuzz.texts import text
from torture.leaks.company import Together

__all__ = ["Expressions"]

_SIGNS = ("==", "!=", "<", "<=", ">", ">=")
_ROOTS = ("account", "account", "contact", "activity", "user", "unit", "affiliation", "ownership")
_TIMES = (
    "today()", "now()", 'date("2026-01-31")', 'date("0001-01-01")', 'date("9999-12-31")',
    'moment("2026-01-31T10:00:00+08:00")', 'moment("2026-01-31T10:00:00.000001Z")', "today() - days(30)",
    "now() + hours(0.5)", "today() + days(2900000)", "now() - days(1.5)", 'date("2026-02-30")',
)  # fmt: skip
_NUMBERS = (
    "0", "1", "50", "1_000", "0.1", "2.5", "99999999999999.99", "999999999999999999", "0.000001",
    "12345678901234567890", "1.10",
)  # fmt: skip
_WORDS = (
    " and ", " or ", " not ", " in ", " is ", "None", "True", "False", "(", ")", "[", "]", ",", "==", "!=", "<", "-",
    "+", "*", ".", '"', "'", "\\", "#", "\n", "any(contacts, ", "count(contacts)", "all(activities, ", "owner",
    "owner.unit.name", "today()", "days(1)", "money(\"1\", \"CNY\")", "length(name)", "icontains(name, ",
    "is_empty(tags)", "revenue.amount", "address.city", "project_sales.", "lambda", "__class__", "“", "＝",
)  # fmt: skip


class Expressions(Target):
    """Filters of every record type of every installed plugin, and orders."""

    name = "expressions"
    stores = True
    words = tuple(each.encode() for each in _WORDS)
    most = 12_000

    def __init__(self, folder: Path, server: PostgreSQLServer | None = None) -> None:
        super().__init__(folder, server)
        subject = Together(Databases(None, folder), {"custom_fields": BUILD["custom_fields"]}, NOW)
        config = {**subject.config, "crm": {**subject.config["crm"], **BUILD["crm"]}}
        address = f"sqlite:///{folder / 'crm.db'}"
        if server is not None:
            address = server.create_database(f"fuzz_{secrets.token_hex(8)}")
        self.crm = Crm.open(config, database=address, check=False, clock=lambda: NOW)
        self.crm.store.create_all()
        populate(subject, self.crm, each=4)
        enrich(self.crm)
        self.session = self.crm.system_session("fuzz", read_only=True)
        self.env: Environment = self.session._reading.environment()
        self.types = self.crm.types
        self.world = World.of(self.crm, self.env.at)
        self.names = {name: Names.of(record_type, self.types, self.env) for name, record_type in self.types.items()}

    def seeds(self) -> list[bytes]:
        """Examples of the reference."""
        return [
            f"account\n{each}".encode()
            for each in (
                'grade in ("A", "B") and employees > 50 and owner.unit == "East"', "grade is None",
                "not is_empty(tags)",
                "employees * 2 - 10 > 90", 'revenue > money("100000", "CNY")', "created_at > today() - days(30)",
                'any(contacts, role == "buyer")', "count(contacts) >= 2",
                'icontains(name, "bearing") or active == False',
                "1 < employees <= 50", 'order grade, name desc',
            )
        ]  # fmt: skip

    def make(self, chance: random.Random) -> bytes:
        """An expression that is right by its types, mostly."""
        name = chance.choice(_ROOTS) if chance.random() < 0.7 else chance.choice(sorted(self.types))
        if chance.random() < 0.05:
            keys = [
                f"{self._path(chance, name)}{chance.choice(('', ' desc', ' asc'))}" for _ in range(chance.randint(1, 4))
            ]
            return f"{name}\norder {', '.join(keys)}".encode("utf-8", "replace")
        return f"{name}\n{self._condition(chance, name, chance.choice((0, 1, 1, 2, 3)))}".encode("utf-8", "replace")

    # -- the grammar -------------------------------------------------------------------------------------------

    def _condition(self, chance: random.Random, name: str, depth: int) -> str:
        if depth:
            match chance.randrange(7):
                case 0 | 1:
                    sign = chance.choice((" and ", " or "))
                    return (
                        f"({sign.join(self._condition(chance, name, depth - 1) for _ in range(chance.randint(2, 3)))})"
                    )
                case 2:
                    return f"not ({self._condition(chance, name, depth - 1)})"
                case 3:
                    left, right = self._condition(chance, name, depth - 1), self._condition(chance, name, depth - 1)
                    return f"({left}) {chance.choice(_SIGNS[:2])} ({right})"
                case 4 if self.names[name].collections:
                    return self._members(chance, name, depth)
        return self._test(chance, name)

    def _members(self, chance: random.Random, name: str, depth: int) -> str:
        path, inside = chance.choice(self.names[name].collections)
        condition = self._condition(chance, inside, depth - 1)
        return chance.choice((
            f"any({path}, {condition})", f"none({path}, {condition})", f"all({path}, {condition})", f"any({path})",
            f"count({path}, {condition}) {chance.choice(_SIGNS)} {chance.choice(_NUMBERS[:3])}",
                f"1 <= count({path}) < 3",
        ))  # fmt: skip

    def _path(self, chance: random.Random, name: str, sort: str = "") -> str:
        """A field of some sort, perhaps behind some steps."""
        steps: list[str] = []
        while self.names[name].steps and chance.random() < 0.3 and len(steps) < 4:
            step, name = chance.choice(self.names[name].steps)
            steps.append(step)
        fields = [field for field, of in self.names[name].fields if not sort or of == sort]
        return ".".join([*steps, chance.choice(fields or ["id"])])

    def _test(self, chance: random.Random, name: str) -> str:
        sort = chance.choice([sort for _, sort in self.names[name].fields] or ["number"])
        field = self._path(chance, name, sort)
        if chance.random() < 0.1:
            return chance.choice((f"{field} is None", f"{field} is not None", f"None != {field}", f"is_empty({field})"))
        wrong = chance.random() < 0.05
        sort = chance.choice(("text", "number", "day", "flag")) if wrong else sort
        value, sign = self._value(chance, name, sort), chance.choice(_SIGNS)
        match sort:
            case "text" if chance.random() < 0.4:
                how = chance.choice(("contains", "startswith", "endswith", "icontains", "istartswith", "iequals"))
                return f"{how}({field}, {value})"
            case "text" if chance.random() < 0.2:
                return f"length({field}) {sign} {chance.choice(_NUMBERS)}"
            case "tags":
                return f"{self._value(chance, name, 'text')} {chance.choice(('in', 'not in'))} {field}"
            case "flag":
                return chance.choice((field, f"not {field}", f"{field} == {value}", f"{field} in (True, {field})"))
            case "address":
                part = chance.choice(("city", "country", "street", "postal_code", "region"))
                return f"{field}.{part} {sign} {self._value(chance, name, 'text')}"
            case "json":
                return f"{field} is None"
        if chance.random() < 0.2:
            several = ", ".join(self._value(chance, name, sort) for _ in range(chance.randint(1, 4)))
            return f"{field} {chance.choice(('in', 'not in'))} ({several},)"
        if chance.random() < 0.15:
            return f"{value} {chance.choice(_SIGNS)} {field} {sign} {self._value(chance, name, sort)}"
        return f"{field} {sign} {value}"

    def _value(self, chance: random.Random, name: str, sort: str) -> str:
        if chance.random() < 0.2 and sort in ("text", "number", "money", "day", "moment", "choice", "flag"):
            return self._path(chance, name, sort)
        match sort:
            case "number":
                value = chance.choice(_NUMBERS)
                if chance.random() < 0.3:
                    signs = chance.choice(("+", "-", "*"))
                    value = f"{self._path(chance, name, 'number')} {signs} {value}"
                return f"-{value}" if chance.random() < 0.2 else value
            case "money":
                amount, currency = (
                    chance.choice(("0", "-0.5", "12.34", "100000", "0.00001")),
                    chance.choice(("CNY", "EUR")),
                )
                return f'money("{amount}", "{currency}")'
            case "day" | "moment":
                return chance.choice(_TIMES)
            case "flag":
                return chance.choice(("True", "False"))
            case "choice":
                return chance.choice(('"person"', '"company"', '"planned"', '"held"', '"customer"', '"small"', '"x"'))
        if chance.random() < 0.3:
            return json.dumps(chance.choice(self.world.words), ensure_ascii=False)
        return json.dumps(text(chance, 2), ensure_ascii=chance.random() < 0.2)

    # -- the judgement -----------------------------------------------------------------------------------------

    def attempt(self, data: bytes) -> str:
        """Bind it, ask the database and memory, write it anew and ask again."""
        source = data.decode("utf-8", "replace")
        name, _, source = source.partition("\n")
        record_type = self.types.get(name.strip()) or self.types["account"]
        try:
            if source.startswith("order "):
                return self._ordered(record_type, source.removeprefix("order "))
            expression = parse(source)
            bound = expression.bind(self.types, record_type, self.env)
        except ExpressionError as error:
            if not 0 <= error.position <= len(error.source or source):
                raise Loss("an error points beside the expression", f"{error.position} of {len(source)}") from None
            raise
        self._agree(record_type, bound)
        written = _written(expression)
        try:
            again = parse(written).bind(self.types, record_type, self.env)
        except ExpressionError as error:
            if len(written) > 10_000:
                return "long"
            raise Loss("an expression that is written anew is refused", f"{written}: {error.problem}") from None
        if not again.means_the_same(bound):
            raise Loss("an expression that is written anew means something else", written)
        return f"{record_type.name} {type(bound._node).__name__} {len(bound.names) > 2} {bound.needs_world}"

    def _agree(self, record_type: RecordType, bound: Filter) -> None:
        table = record_type.table
        where = bound.where()
        answer = case((where, 1), (not_(where), 0))
        found: Iterable[Any] = self.session.core(select(table.c.id, answer)).all()
        stored: dict[int, bool | None] = {row[0]: None if row[1] is None else bool(row[1]) for row in found}
        rows = self.world.rows[record_type.name]
        memory = {id_: bound.value(rows[id_], self.world) for id_ in stored}
        if stored != memory:
            differ = [(id_, stored[id_], memory[id_]) for id_ in stored if stored[id_] != memory[id_]][:3]
            raise Loss("memory and database disagree", f"id, database, memory: {differ}: {bound.source}")
        if sometimes(bound.source.encode(), 10):
            listed = {each.id for each in self.session.list(record_type.cls, bound.source, all_dates=True, limit=None)}
            if listed != {id_ for id_, value in stored.items() if value}:
                raise Loss("a list is not what its filter says", bound.source)

    def _ordered(self, record_type: RecordType, source: str) -> str:
        """Pages in an order are the whole list, each record once."""
        order = parse_order(self.types, record_type, source, self.env)
        whole = [each.id for each in self.session.list(record_type.cls, order=source, all_dates=True)]
        paged: list[int] = []
        after = None
        while page := self.session.list(record_type.cls, order=source, all_dates=True, limit=2, after=after):
            paged += [each.id for each in page]
            if len(paged) > len(whole) + 5:
                break
            after = self.session.cursor(page[-1], source)
        if paged != whole:
            raise Loss("pages are not the list that they are pages of", f"{paged} {whole}")
        return f"order {record_type.name} {len(order.keys)}"


class _Literal:
    """A fixed value that is written as the language has it."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __repr__(self) -> str:
        return self._source


class _AsWritten(ast.NodeTransformer):
    """Puts the exact number in place of Python's, and texts with the escapes of the language."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str):
            return ast.Constant(_Literal(_quoted(node.value)))  # type: ignore[arg-type]
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return ast.Constant(_Literal(f"{self._expression.number(node):f}"))  # type: ignore[arg-type]
        return node


def _quoted(value: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(char) or (char if char.isprintable() else _escape(char)) for char in value) + '"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _written(expression: Expression) -> str:
    """The tree as text again."""
    return ast.unparse(_AsWritten(expression).visit(copy.deepcopy(expression.tree)))

"""The promise of the language: for any expression and any row, memory and database give the same of three answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from crm_core.errors import ExpressionError

TEXTS = ["", "A", "B", "a", "ab", "AB", "上", "上海", "单", "shan", "ß", "ss", "%", "_", "é", "😀", "\U0010ffff",
         "\ud7ff",
         "chief", "gold", "x,y", '"', "\\", "Ａ", "CNY", "海军", "\n"]  # fmt: skip
NUMBERS = ["0", "1", "2", "50", "0.5", "0.01", "0.005", "12.34", "12.3", "1_000", "999999999999999999",
           "99999999999999.99", "9223372036854775808", "0.0000001", "123456789012345678901234"]  # fmt: skip
FACTORS = ["0", "1", "2", "0.5", "1.13", "10", "0.0001", "100000000"]
DAYS = ["today()", 'date("2026-11-22")', 'date("2026-01-31")', 'date("0002-01-01")', "today() - days(300)",
        'date("9999-12-01")']  # fmt: skip
MOMENTS = ["now()", 'moment("2026-11-22T16:00:00+00:00")', 'moment("2026-01-31T10:00:00+08:00")', "now() - hours(10)",
           'moment("2026-11-22T15:59:59.999999Z")', "now() + days(1)"]  # fmt: skip
SIGNS = ["==", "!=", "<", "<=", ">", ">="]
STAGES = ["idea", "won", "lost"]

COMPANY: dict[str, list[str]] = {
    "text": ["name", "grade", "alias", "mail", "place.city", "place.country", "worth.currency", "boss.name",
             "chief.name",
             "parent.name", "parent.grade", "parent.boss.name", "parent.parent.alias", "vip.tier", "parent.vip.tier",
             "vip.agent.name", "c_text", "c_money.currency", "c_address.city", "parent.c_text", "chief.tutor.name",
             "rival.name"],
    "folded": ["name", "alias", "boss.name", "parent.alias", "chief.name", "vip.agent.name"],
    "number": ["size", "share", "ratio", "id", "version", "boss_id", "created_by", "worth.amount", "boss.age",
               "parent.share",
               "vip.limit", "c_int", "c_number", "c_money.amount", "c_ref", "parent.c_number", "chief.age",
    "boss.id"],
    "money": ["worth", "budget", "parent.worth", "c_money", "parent.c_money"],
    "day": ["founded", "closed", "parent.founded", "c_day", "parent.c_day"],
    "moment": ["seen", "met", "updated_at", "parent.seen", "c_moment"],
    "flag": ["active", "loyal", "parent.active", "c_flag", "parent.c_flag"],
    "choice": ["stage", "former", "parent.stage", "c_choice"],
    "tags": ["tags", "parent.tags", "c_tags", "parent.c_tags"],
    "record": ["boss", "parent", "chief", "parent.boss", "vip.agent", "rival"],
    "other": ["extra", "place", "c_json", "c_address", "parent.place", "parent.extra"],
    "jobs": ["jobs", "parent.jobs"],
    "gifts": ["vip.gifts", "parent.vip.gifts"],
    "branches": ["branches"],
}  # fmt: skip
SCOPES: dict[str, dict[str, list[str]]] = {
    "company": COMPANY,
    "jobs": {"text": ["role", "person.name", "company.name", "company.vip.tier"], "folded": ["person.name"],
             "number": ["level", "person.age", "company.size", "person_id"], "record": ["person", "company"],
             "moment": ["valid_from", "valid_to"], "day": ["company.founded"], "choice": ["company.stage"],
             "flag": ["company.active"], "money": ["company.worth"], "tags": ["company.tags"],
    "other": ["company.place"]},
    "gifts": {"text": ["note", "amount.currency", "company.name"], "money": ["amount", "company.worth"],
              "number": ["amount.amount"], "flag": ["company.loyal"], "record": ["company"]},
}  # fmt: skip
SCOPES["branches"] = COMPANY
CONDITIONS = ["text", "number", "money", "day", "moment", "flag", "choice", "tags", "record", "other", "jobs",
              "gifts",
              "branches", "folded"]  # fmt: skip

Draw = Any


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class Writer:
    """Writes random expressions that are right by their types."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw

    def one(self, choices: list[str]) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def condition(self, scope: str, depth: int) -> str:
        how = self.draw(st.integers(0, 9))
        if depth > 0 and how < 4:
            left, right = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
            return {0: f"({left} and {right})", 1: f"({left} or {right})", 2: f"not ({left})",
                    3: f"({left}) {self.one(['==', '!='])} ({right})"}[how]  # fmt: skip
        kinds = [kind for kind in CONDITIONS if SCOPES[scope].get(kind) and (depth > 0 or kind not in SCOPES)]
        kind = self.one(kinds)
        return str(getattr(self, f"_{kind}")(scope, kind, SCOPES[scope][kind], depth))

    def _absent(self, value: str) -> str:
        return self.one([f"{value} is None", f"{value} is not None", f"{value} == None", f"None != {value}"])

    def _compared(self, left: str, values: list[str], signs: list[str]) -> str:
        right = self.one(values)
        match self.draw(st.integers(0, 4)):
            case 0:
                return f"{right} {self.one(signs)} {left}"
            case 1:
                return f"{left} {self.one(['in', 'not in'])} ({self.one(values)}, {self.one(values)})"
            case 2:
                return f"{self.one(values)} {self.one(signs)} {left} {self.one(signs)} {right}"
            case _:
                return f"{left} {self.one(signs)} {right}"

    def _text(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        field, literal = self.one(fields), quoted(self.one(TEXTS))
        part = self.one([literal, self.one(fields)])
        match self.draw(st.integers(0, 5)):
            case 0:
                return f"{self.one(['contains', 'startswith', 'endswith'])}({field}, {part})"
            case 1:
                other = self.one(["0", "1", "2.5", f"length({self.one(fields)})"])
                return f"length({field}) {self.one(SIGNS)} {other}"
            case 2:
                return self.one([f"is_empty({field})", self._absent(field)])
            case _:
                return self._compared(field, [*map(quoted, TEXTS), *fields], SIGNS)

    def _folded(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        function = self.one(["icontains", "istartswith", "iequals"])
        return f"{function}({self.one(fields)}, {quoted(self.one(TEXTS))})"

    def _sum(self, scope: str, fields: list[str], depth: int) -> str:
        terms = []
        for _ in range(self.draw(st.integers(1, 3))):
            term = self.one(fields)
            if depth > 0 and self.draw(st.integers(0, 5)) == 0 and SCOPES[scope].get("jobs"):
                term = self.one(["count(jobs)", "count(parent.jobs, level > 1)"])
            factor = self.one(FACTORS)
            terms.append(
                self.one([term, term, f"{factor} * {term}", f"{term} * -{factor}", self.one(NUMBERS[:8]), f"-{term}"])
            )
        return self.one([" + ", " - "]).join(terms)

    def _number(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        left = self.one(fields) if self.draw(st.booleans()) else self._sum(scope, fields, depth)
        if self.draw(st.integers(0, 6)) == 0:
            return self._absent(self.one(fields))
        right = [*NUMBERS, *(f"-{number}" for number in NUMBERS), *fields, self._sum(scope, fields, depth)]
        return self._compared(f"({left})", right, SIGNS)

    def _money(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        if self.draw(st.integers(0, 4)) == 0:
            return self._absent(self.one(fields))
        fixed = [f'money("{amount}", "{currency}")' for amount in ("0", "12.34", "-0.5", "0.00001", "50")
                 for currency in ("CNY", "EUR", "USD")]  # fmt: skip
        return self._compared(self.one(fields), [*fixed, *fields], SIGNS)

    def _day(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        moved = [f"{field} {sign} days({days})" for field in fields for sign in "+-" for days in (0, 1, 400, 300_000)]
        if self.draw(st.integers(0, 5)) == 0:
            return self._absent(self.one(fields))
        return self._compared(self.one([*fields, *moved[:4]]), [*DAYS, *MOMENTS, *fields, *moved], SIGNS)

    def _moment(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        moved = [f"{field} {sign} {span}" for field in fields for sign in "+-"
                 for span in ("days(1)", "hours(9)", "days(300000)", "hours(0)")]  # fmt: skip
        if self.draw(st.integers(0, 5)) == 0:
            return self._absent(self.one(fields))
        return self._compared(self.one([*fields, *moved[:4]]), [*DAYS, *MOMENTS, *fields, *moved], SIGNS)

    def _flag(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        field = self.one(fields)
        return self.one([field, f"not {field}", f"{field} == {self.one(fields)}", f"{field} != True",
                         f"False == {field}",
                         self._absent(field), f"{field} in (True, {self.one(fields)})", f"is_empty({field})",
                         f"{field} in (True, False)"])  # fmt: skip

    def _choice(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        field = self.one(fields)
        values = [*map(quoted, STAGES), *fields]
        return self.one([self._absent(field), self._compared(field, values, ["==", "!="])])

    def _tags(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        field = self.one(fields)
        tag = self.one([*map(quoted, TEXTS), *SCOPES[scope]["text"]])
        return self.one([f"{tag} in {field}", f"{tag} not in {field}", f"is_empty({field})", self._absent(field),
                         f"contains({field}, {tag})"])  # fmt: skip

    def _record(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        field = self.one(fields)
        if self.draw(st.integers(0, 2)) == 0:
            return self._absent(field)
        values = [*map(quoted, TEXTS), "1", "3", "9"]
        return self.one([self._compared(field, values, ["==", "!="]), f"contains({field}, {quoted(self.one(TEXTS))})",
                         f"{field} == {field}"])  # fmt: skip

    def _other(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        return self.one([self._absent(self.one(fields)), f"is_empty({self.one(fields)})"])

    def _members(self, scope: str, kind: str, fields: list[str], depth: int) -> str:
        inner = self.condition(kind, depth - 1)
        field = self.one(fields)
        return self.one([f"any({field}, {inner})", f"all({field}, {inner})", f"none({field}, {inner})",
                         f"any({field})",
                         f"none({field})", f"count({field}, {inner}) {self.one(SIGNS)} {self.one(['0', '1', '2'])}",
                         f"1 < count({field}) <= 3"])  # fmt: skip

    _jobs = _gifts = _branches = _members


@st.composite
def expressions(draw: Draw) -> str:
    return Writer(draw).condition("company", draw(st.integers(0, 3)))


@pytest.mark.parametrize("seed", [1, 2])
def test_any_expression_gives_the_same_answers_in_memory_and_in_sql(
    database_connection: Connection, kit: Any, seed: int
) -> None:
    sample = kit.sample(seed)
    connection = database_connection
    sample.insert(connection)
    rows = sample.rows["probe.company"]

    @settings(max_examples=settings().max_examples * 8, suppress_health_check=list(HealthCheck))
    @given(expressions())
    def agree(source: str) -> None:
        try:
            bound = kit.bind(source, readable=lambda record_type, field: True)
        except ExpressionError as error:
            assert any(word in error.problem for word in ("calendar", "too many digits", "too deeply"))
            reject()
        world = kit.world(sample.rows, bound.env.at)
        in_memory = {id: bound.value(row, world) for id, row in rows.items()}
        with connection.begin_nested():
            assert kit.three_valued(connection, bound) == in_memory

    agree()

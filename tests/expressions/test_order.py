"""Orders are total, alike on both databases, and pages continue exactly where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from crm_core.errors import ExpressionError
from crm_core.expressions import keyset, order_by, parse, parse_order
from crm_core.records import Types

FIELDS = ["name", "grade", "alias", "size", "share", "stage", "worth", "founded", "seen", "active", "loyal", "id",
          "boss.name",
          "boss", "parent.alias", "parent.size", "vip.tier", "place.city", "c_text", "c_number", "c_moment",
          "c_int", "c_money",
          "created_at", "worth.amount", "chief.age", "c_flag", "parent"]  # fmt: skip


@pytest.fixture
def filled(database_connection: Connection, kit: Any) -> Iterator[Connection]:
    kit.sample(3).insert(database_connection)
    yield database_connection


def test_pages_of_any_order_join_to_the_whole(filled: Connection, kit: Any) -> None:
    table = kit.company.table
    terms = st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(["", " asc", " desc"])), max_size=3)

    @settings(suppress_health_check=list(HealthCheck))
    @given(terms, st.integers(1, 9))
    def joins(chosen: list[tuple[str, str]], size: int) -> None:
        order = parse_order(kit.types, kit.company, ", ".join(name + way for name, way in chosen), kit.environment())
        with filled.begin_nested():
            whole = list(filled.scalars(select(table.c.id).order_by(*order.columns())))
            pages: list[int] = []
            statement = select(table.c.id, *order.values()).order_by(*order.columns()).limit(size)
            page = filled.execute(statement).all()
            while page:
                pages += [row[0] for row in page]
                page = filled.execute(statement.where(keyset(order, page[-1][1:]))).all()
        assert pages == whole
        assert len(whole) == len(set(whole)) == 40

    joins()


@pytest.mark.parametrize("way", ["", " desc"])
def test_the_absent_come_last_in_either_direction(filled: Connection, kit: Any, way: str) -> None:
    table = kit.company.table
    columns = order_by(kit.types, kit.company, f"grade{way}", kit.environment())
    grades = list(filled.scalars(select(table.c.grade).order_by(*columns)))
    filled_grades = [grade for grade in grades if grade is not None]
    assert None in grades
    assert grades[: len(filled_grades)] == sorted(filled_grades, reverse=bool(way))


def test_names_sort_by_their_stored_key(kit: Any) -> None:
    sql = [str(column) for column in order_by(kit.types, kit.company, "name desc, size", kit.environment())]
    assert sql == ["probe__company.name_key DESC", "probe__company.size ASC NULLS LAST", "probe__company.id ASC"]


def test_a_record_sorts_by_its_title_and_money_by_currency_before_amount(kit: Any) -> None:
    def fields(source: str) -> list[tuple[str, str | None, bool]]:
        order = parse_order(kit.types, kit.company, source, kit.environment())
        return [(key.leaf.field.name, key.leaf.part, key.descending) for key in order.keys[:-1]]

    assert fields("boss") == [("name", None, False)]
    assert fields("boss desc, worth") == [
        ("name", None, True),
        ("worth", "currency", False),
        ("worth", "amount", False),
    ]
    assert fields("worth desc") == [("worth", "currency", True), ("worth", "amount", True)]
    assert fields("worth.amount") == [("worth", "amount", False)]


def test_a_record_whose_title_is_no_text_sorts_by_its_id(kit: Any) -> None:
    person = attrs.evolve(kit.types["probe.person"], title="age")
    types = Types([person, *(found for found in kit.types.values() if found.name != person.name)])
    order = parse_order(types, kit.company, "boss", kit.environment())
    assert [key.leaf.field.name for key in order.keys] == ["id", "id"]
    with pytest.raises(ExpressionError, match=r"no title|not text"):
        parse('boss == "x"').bind(types, kit.company, kit.environment())


def test_the_id_breaks_ties_in_the_direction_before_it(kit: Any) -> None:
    def sql(source: str) -> list[str]:
        return [str(column) for column in order_by(kit.types, kit.company, source, kit.environment())]

    assert sql("") == ["probe__company.id ASC"]
    assert sql("name desc")[-1] == "probe__company.id DESC"
    assert sql("id desc") == ["probe__company.id DESC"]
    alias = kit.company.table.alias("other")
    assert str(order_by(kit.types, kit.company, "loyal", kit.environment(), alias)[0]) == "other.loyal ASC"


def test_an_order_of_columns_that_are_never_absent_continues_by_a_comparison_of_rows(kit: Any) -> None:
    def after(source: str, *values: Any) -> str:
        return str(parse_order(kit.types, kit.company, source, kit.environment()).after(values))

    assert after("name", "a", 1).startswith("(probe__company.name_key, probe__company.id) > (")
    assert after("name desc", "a", 1).startswith("(probe__company.name_key, probe__company.id) < (")
    assert " OR " in after("name desc, loyal", "a", True, 1)
    with pytest.raises(ValueError, match="2 values, not 1"):
        after("name", "a")


@pytest.mark.parametrize(
    ("source", "demanded"),
    [
        ("founded > closed", True), ("closed < founded", True), ("founded in (closed, closed)", True),
        ("founded is not None", True), ("active and (loyal and founded == closed)", True), ("founded is None", False),
        ("founded > closed or active", False), ("active", False), ("closed is not None", False),
    ],
)  # fmt: skip
def test_a_filter_says_where_the_absent_cannot_be_on_a_page(kit: Any, source: str, demanded: bool) -> None:
    order = parse_order(kit.types, kit.company, "founded", kit.environment()).within(kit.bind(source))
    assert order.keys[0].present is demanded


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("name, ^nam", "Did you mean name"),
        ("boss.^nam desc", "Did you mean name"),
        ("name ^down", "no direction"),
        ("name ^desc size", "no direction"),
        ("name,^", "missing"),
        ("^,name", "missing"),
        ("^tags", "cannot be sorted by"),
        ("name, ^extra", "cannot be sorted by"),
        ("^place", "cannot be sorted by"),
        ("^jobs", "cannot be sorted by"),
        ("^vip", "cannot be sorted by"),
        ("^length(name)", "cannot be sorted by"),
        ("^size+1", "cannot be sorted by"),
        ("name, ^(", "never closed"),
        ("^" + ",".join(["size"] * 17), "at most 16"),
    ],
)
def test_what_cannot_be_sorted_by_is_shown(kit: Any, marked: str, message: str) -> None:
    position = marked.index("^")
    with pytest.raises(ExpressionError, match=message.replace("(", "\\(")) as caught:
        order_by(kit.types, kit.company, marked.replace("^", ""), kit.environment())
    assert caught.value.position == position

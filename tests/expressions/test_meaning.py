"""What the language says about single values, and about its own use."""

from __future__ import annotations

import datetime as dt
import decimal
import pickle
from collections import defaultdict
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, event, select

from crm_core.errors import ExpressionError
from crm_core.expressions import Environment, parse
from crm_core.fields import Address, Money

from .conftest import World

MIDNIGHT = dt.datetime(2026, 11, 22, 16, tzinfo=dt.UTC)  # of the 23rd in Shanghai

ROW: dict[str, Any] = {
    "id": 1, "name": "Acme Bearings", "alias": "上海单雨", "grade": "A", "size": 51, "share": Decimal("0.2500"),
    "stage": "won", "worth": Money("100000.5", "CNY"), "tags": frozenset({"vip"}), "founded": dt.date(2026, 11, 23),
    "seen": MIDNIGHT, "active": True, "loyal": False, "place": Address(city="上海"), "boss_id": 12,
    "custom": {"c_number": "12.50", "c_day": "2026-11-23", "c_choice": "won", "c_tags": ["a"], "c_flag": False},
}  # fmt: skip

# The first and last days that a field can be moved from, and moments likewise.
EDGES: list[tuple[str, dict[str, Any], bool | None]] = [
    ("closed <= founded - days(1)", {"founded": dt.date(1, 1, 2), "closed": dt.date(1, 1, 1)}, True),
    ("closed <= founded - days(1)", {"founded": dt.date(1, 1, 1), "closed": dt.date(1, 1, 1)}, None),
    ("closed >= founded + days(1)", {"founded": dt.date(9999, 12, 30), "closed": dt.date(9999, 12, 31)}, True),
    ("closed >= founded + days(1)", {"founded": dt.date(9999, 12, 31), "closed": dt.date(9999, 12, 31)}, None),
]

CASES: list[tuple[str, bool | None]] = [
    ("0 < size <= 51", True),
    ("1 < 2 < size", True),
    ("0 < size < 51", False),
    ("share == 0.25", True),
    ("share * 4 == 1", True),
    ("size * 0.0001 == 0.0051", True),
    ("size * 0.0001 == 51", False),
    ("0.1 * share - 0.001 * size == -0.026", True),
    ("share * 0 == 0", True),
    ("size * 999999999999999999 is None", True),
    ("+0 is None", False),
    ("-0 is not None", True),
    ("+(1 + 2) == 3", True),
    ("1 in (+1, 2)", True),
    ("size in (id, 51, 7, 51)", True),
    ("size not in (id, 52, 7)", True),
    ("name in (alias, \"x\", \"Acme Bearings\")", True),
    ("name in (grade, \"x\", alias)", False),
    ("+size in (+51, -51)", True),
    ("size * 99999999999999999 == 5099999999999999949", None),
    ("-size == -51", True),
    ("+size == 51", True),
    ("size - 1 == 50", True),
    ("size > 50.9999999999999999", True),
    ("size == 51.5", False),
    ("size != 51.5", True),
    ("size != 50.5", True),
    ("size in (51.5, 52)", False),
    ("size in (51.5, 51.7)", False),
    ("size < 1000000000000000000000", True),
    ("size > -1000000000000000000000", True),
    ("size == 1000000000000000000000", False),
    ("size != 1000000000000000000000", True),
    ("ratio == 1", None),
    ("not ratio == 1", None),
    ("ratio == 1 or active", True),
    ("ratio == 1 and loyal", False),
    ("ratio + size is None", True),
    ("size in ()", False),
    ("ratio not in ()", True),
    ('grade in ["A"]', True),
    ('stage == "won"', True),
    ('stage in ("won", "lost")', True),
    ('former == "won"', None),
    ("stage == former", None),
    ('worth > money("100000", "CNY")', True),
    ('worth > money(100000, "CNY")', True),
    ('worth > money(-5, "CNY")', True),
    ('worth < money("100000000000000", "CNY")', True),
    ("is_empty(ratio + 2 * size)", True),
    ('money("1", "CNY") < worth', True),
    ('worth > money("1", "EUR")', None),
    ('worth != money("1", "EUR")', None),
    ('worth in (money("1", "EUR"), money("100000.50", "CNY"))', True),
    ('money(1, "CNY") < money(2, "CNY")', True),
    ('money(1, "CNY") < money(2, "EUR")', None),
    ('(money(1, "CNY") < money(2, "EUR")) == active', None),
    ('not money(1, "CNY") < money(2, "EUR")', None),
    ("worth > budget", None),
    ('worth.currency == "CNY" and worth.amount > 5', True),
    ("budget.amount is None", True),
    ('place.city == "上海" and place.street is None', True),
    ('"vip" in tags', True),
    ('contains(tags, "vip")', True),
    ("grade in tags", False),
    ("is_empty(tags)", False),
    ("is_empty(ratio) and is_empty(mail)", True),
    ("seen == today()", True),
    ("today() == seen", True),
    ("seen < now()", True),
    ("founded == moment('2026-11-22T16:00:00Z')", True),
    ("founded == moment('2026-11-22T16:00:01Z')", False),
    ("founded != moment('2026-11-22T16:00:01Z')", True),
    ("founded < moment('2026-11-22T16:00:01Z')", True),
    ("founded >= moment('2026-11-22T15:59:59Z')", True),
    ("founded > now() - days(1)", True),
    ("founded - days(1) < today()", True),
    ("days(1) + founded > today()", True),
    ("founded > today() - -days(-1)", True),
    ("founded > today() - +days(1)", True),
    ("today() == moment('2026-11-22T16:00:00Z')", True),
    ("now() - hours(1) < now()", True),
    ('startswith(name, "Acme") and endswith(name, "ings")', True),
    ('contains(name, "acme")', False),
    ("startswith(name, grade) and not endswith(name, grade) and contains(name, grade)", True),
    ('startswith(name, "") and endswith(name, "") and contains(name, "")', True),
    ('startswith(name, "\\U0010ffff") or startswith(name, "\\ud7ff")', False),
    ("startswith(name, mail)", None),
    ('endswith(grade, "longer than A")', False),
    ('icontains(name, "ACME") and istartswith(name, "acme b") and iequals(name, "ACME BEARINGS")', True),
    ('icontains(alias, "单雨")', True),
    ('istartswith(alias, "上海") and not istartswith(alias, "单雨")', True),
    ('istartswith(alias, "") and istartswith(name, "")', True),
    ('istartswith(name, "acmf") or istartswith(name, "acmd")', False),
    ("length(alias) == 4", True),
    ('"Z" < name', False),
    ('"a" < "b"', True),
    ('"a" in ("a", "b")', True),
    ("5 in (size, 5)", True),
    ("None is None", True),
    ("None != None", False),
    ("5 is None", False),
    ("True", True),
    ("active and not loyal", True),
    ("active != loyal", True),
    ("(size > 5) == active", True),
    ("(ratio > 5) is None", True),
    ("active is not None", True),
    ("boss_id == 12", True),
    ("c_number == 12.5 and c_day == today() and c_choice == 'won' and 'a' in c_tags and not c_flag", True),
    ("c_text is None and c_json is None", True),
    ('"\\u0041" == grade # a remark', True),
    ('active  and\n\n  size > 50  # the rest\n', True),
    ("1_000 > size", True),
]  # fmt: skip


@pytest.mark.parametrize(("source", "value"), CASES)
def test_a_row_in_memory(kit: Any, source: str, value: bool | None) -> None:
    bound = kit.bind(source)
    assert bound.value(ROW) is value
    assert bound.matches(ROW) is (value is True)
    assert not bound.needs_world


@pytest.mark.parametrize(("source", "value"), CASES)
def test_the_same_row_in_sql(kit: Any, database_connection: Any, source: str, value: bool | None) -> None:
    row = dict.fromkeys((field.name for field in kit.company.fields), None) | ROW
    row |= {"version": 1, "created_at": MIDNIGHT, "created_by": None, "updated_at": MIDNIGHT}
    database_connection.execute(kit.company.table.insert(), kit.columns_of(kit.company, row))
    assert kit.three_valued(database_connection, kit.bind(source)) == {1: value}


@pytest.mark.parametrize(("source", "values", "value"), EDGES)
def test_a_day_moves_to_the_ends_of_the_calendar_and_no_further(
    kit: Any, database_connection: Any, source: str, values: dict[str, Any], value: bool | None
) -> None:
    row = {**dict.fromkeys(field.name for field in kit.company.fields), **ROW, "version": 1, "created_at": MIDNIGHT,
           "created_by": None, "updated_at": MIDNIGHT, **values}  # fmt: skip
    assert kit.bind(source).value(row, kit.world({}, MIDNIGHT)) is value
    database_connection.execute(kit.company.table.insert(), kit.columns_of(kit.company, row))
    assert kit.three_valued(database_connection, kit.bind(source)) == {1: value}


def test_a_field_moves_by_so_many_days_and_no_more(kit: Any) -> None:
    assert kit.bind("founded + days(400000) > closed").value(
        {"founded": dt.date(2000, 1, 1), "closed": dt.date(3000, 1, 1)}
    )
    with pytest.raises(ExpressionError):
        kit.bind("founded + days(400000) > closed - days(1)")


def test_a_record_is_read_as_a_mapping_is(kit: Any) -> None:
    company = kit.company.cls(name="Acme", stage="won", loyal=True)
    assert kit.bind('name == "Acme" and stage == "won" and loyal and size is None and c_text is None').matches(company)


def test_text_with_the_mark_of_the_sort_key_is_folded_as_the_database_does(kit: Any) -> None:
    assert kit.bind('icontains(name, "b\\u0041")').value({"name": "a\x1fBA"}) is True
    assert kit.bind('istartswith(name, "A")').value({"name": "a\x1fba"}) is False
    assert kit.bind('istartswith(name, "A")').value({"name": "a\x1fab"}) is True


def test_a_prefix_without_case_is_found_by_the_index_of_the_key(database_connection: Any, kit: Any) -> None:
    if database_connection.dialect.name != "sqlite":
        pytest.skip("the plan of an empty table says nothing there")
    for source in ('istartswith(name, "Acme")', 'iequals(name, "上海")'):
        statement = select(kit.company.table.c.id).where(kit.bind(source).where())
        compiled = statement.compile(database_connection, compile_kwargs={"literal_binds": True})
        plan = database_connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
        # A scan of an index would say USING INDEX, too.
        assert "SEARCH" in str(plan) and "INDEX" in str(plan)


def test_a_world_is_demanded_only_where_other_records_are_asked(kit: Any) -> None:
    for source in ("boss is None", "boss.age > 1", "any(jobs)", "vip.tier is None", "chief is None"):
        bound = kit.bind(source)
        assert bound.needs_world
        with pytest.raises(TypeError, match="needs_world"):
            bound.value(ROW)
        with pytest.raises(TypeError, match="needs_world"):
            bound.matches(ROW)
    assert kit.bind("any(jobs)").value({"id": None}) is False
    assert kit.bind("boss.age > 1 or chief.age > 1 or vip.tier is None").value({}) is True


def test_a_row_matches_by_what_the_world_knows_of_others(kit: Any) -> None:
    world = World(defaultdict(lambda: {7: {"id": 7, "age": 5, "version": 1}}), MIDNIGHT)
    older = kit.bind("boss.age > 4")
    assert [older.matches({"boss_id": boss}, world) for boss in (7, 8, None)] == [True, False, False]


def test_names_are_those_that_were_written(kit: Any) -> None:
    bound = kit.bind(
        'grade == "A" and boss.name == "x" and worth.amount > 1 and any(jobs, person.age > level) and vip.tier is None'
    )
    assert bound.names == {"grade", "boss.name", "worth.amount", "jobs", "jobs.person.age", "jobs.level", "vip.tier"}
    assert bound.source.startswith("grade")


def test_an_alias_takes_the_place_of_the_table(kit: Any) -> None:
    alias = kit.company.table.alias("other")
    sql = str(
        select(alias.c.id).where(kit.bind('boss.name == "x" and any(jobs, role == "y") and size > 1').where(alias))
    )
    assert "other.boss_id" in sql
    assert "probe__company" not in sql.replace("probe__company AS other", "")


def test_statements_are_cached_and_values_are_bound(kit: Any) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        kit.create(connection)
        statements: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        parts = [
            'grade == "{0}"', "size > {1}", 'any(jobs, role == "{0}")', 'chief.name == "{0}"', '"{0}" in tags',
            'c_text == "{0}"', "c_number > {1}", 'worth > money({1}, "CNY")', "seen + hours({1}) < met",
            'icontains(name, "{0}")', "founded + days({1}) > closed", "size in ({1}, 77)",
        ]  # fmt: skip
        template = " and ".join(parts)
        misses: list[Any] = []
        for text, number in (("x'y", 1), ("z", 2)):
            where = kit.bind(template.format(text, number)).where()
            statement = select(kit.company.table.c.id).where(where)
            misses.append(statement._generate_cache_key())
            connection.execute(statement)
    assert misses[0] == misses[1]
    assert statements[0] == statements[1]
    assert "x'y" not in statements[0]
    engine.dispose()


def test_decimals_do_not_depend_on_the_thread_s_context(kit: Any) -> None:
    row = {"size": 123456789012345678, "share": Decimal("12345678901234.5678")}
    with decimal.localcontext() as context:
        context.prec = 3
        assert kit.bind("share * 2 == 24691357802469.1356 and size + 1 == 123456789012345679").value(row) is True


def test_midnight_follows_the_zone_through_summer_time() -> None:
    def environment(zone: str) -> Environment:
        return Environment(now=MIDNIGHT, tz=ZoneInfo(zone), visible=lambda record_type, table: None)

    assert environment("Asia/Shanghai").today == dt.date(2026, 11, 23)
    assert environment("Europe/Berlin").midnight(dt.date(2026, 7, 1)) == dt.datetime(2026, 6, 30, 22, tzinfo=dt.UTC)
    # In Cairo the midnight of 2024-04-26 did not exist: the clock went from 23:59 to 01:00.
    skipped = environment("Africa/Cairo").midnight(dt.date(2024, 4, 26))
    assert skipped == dt.datetime(2024, 4, 25, 22, tzinfo=dt.UTC)


def test_a_moment_in_a_skipped_midnight_is_compared_with_days(kit: Any) -> None:
    tz = ZoneInfo("Africa/Cairo")
    for text in ("2024-04-25T21:59:59Z", "2024-04-25T22:00:00Z", "2024-04-25T22:30:00Z"):
        bound = kit.bind(f'founded <= moment("{text}")', tz=tz)
        moment = dt.datetime.fromisoformat(text)
        for number in range(24, 28):
            day = dt.date(2024, 4, number)
            assert bound.value({"founded": day}) is (bound.env.midnight(day) <= moment)


def test_a_moment_in_an_hour_that_is_repeated_across_midnight_is_compared_with_days(kit: Any) -> None:
    # In St. John's the clock went back from 00:01 to 23:01 of the day before.
    tz = ZoneInfo("America/St_Johns")
    for minute in range(0, 180, 7):
        moment = dt.datetime(2010, 11, 7, 1, 30, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
        bound = kit.bind(f'founded <= moment("{moment.isoformat()}")', tz=tz)
        for number in range(5, 10):
            day = dt.date(2010, 11, number)
            assert bound.value({"founded": day}) is (bound.env.midnight(day) <= moment)


def test_an_expression_is_parsed_once_and_bound_often(kit: Any) -> None:
    expression = parse('name == "x"')
    assert expression.source == 'name == "x"'
    for name in ("probe.company", "probe.person"):
        assert expression.bind(kit.types, kit.types[name], kit.environment()).matches({"name": "x"})


def test_errors_travel_between_processes(kit: Any) -> None:
    from crm_core.errors import ExpressionError

    with pytest.raises(ExpressionError) as caught:
        kit.bind('grad == "A"')
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_long_list_with_a_field_in_it_asks_once(kit: Any) -> None:
    """Each alternative behind a step is a query of its own in the database."""
    numbers = ", ".join(map(str, range(500)))
    texts = ", ".join(f'"{number}"' for number in range(500))
    for source in (f"parent.size in (size, {numbers}, size)", f"parent.name not in (name, {texts}, name)"):
        statement = str(select(kit.company.table.c.id).where(kit.bind(source).where()))
        assert statement.count("SELECT") <= 1 + 3 * 2, source

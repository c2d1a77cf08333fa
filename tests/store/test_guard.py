"""Every form of statement holds visibility, or is refused with a message that says what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import (
    DDL,
    Integer,
    String,
    case,
    cast,
    column,
    delete,
    exists,
    extract,
    func,
    insert,
    lambda_stmt,
    literal,
    literal_column,
    orm,
    select,
    table,
    tablesample,
    text,
    true,
    tuple_,
    type_coerce,
    union,
    union_all,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import (
    Bundle,
    aliased,
    joinedload,
    load_only,
    subqueryload,
    with_loader_criteria,
    with_parent,
)
from sqlalchemy.sql.operators import custom_op

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Unit, User
from crm_core.errors import UnsupportedStatement
from crm_core.store import guard
from crm_core.store.session import CrmSession

from .access_records import Node
from .conftest import Company

TABLE = Account.__table__  # type: ignore[attr-defined]
A, B, UP = aliased(Account), aliased(Account), aliased(Node)
Form = Callable[[CrmSession], Any]


def _shouted() -> Any:
    """Names as an expression: a column of this as a subquery is no record's."""
    return select((Account.name + "!").label("n"))


# Wang sees Beta and not Acme. Each form would show "Acme" (or count it) if it escaped.
HOLD: dict[str, tuple[Form, Any]] = {
    "entity": (lambda s: [a.name for a in s.scalars(select(Account))], ["Beta"]),
    "column": (lambda s: s.scalars(select(Account.name)).all(), ["Beta"]),
    "alias": (lambda s: s.scalars(select(A.name)).all(), ["Beta"]),
    "two aliases": (lambda s: s.execute(select(A.name, B.name)).all(), [("Beta", "Beta")]),
    "flat alias": (lambda s: s.scalars(select(aliased(Account, flat=True).name)).all(), ["Beta"]),
    "count": (lambda s: s.scalar(select(func.count()).select_from(Account)), 1),
    "count of a column": (lambda s: s.scalar(select(func.count(Account.id))), 1),
    "function": (lambda s: s.scalars(select(func.lower(Account.name))).all(), ["beta"]),
    "function of function": (lambda s: s.scalars(select(func.max(func.lower(Account.name)))).all(), ["beta"]),
    "label": (lambda s: s.scalars(select(Account.name.label("x")).order_by(Account.name)).all(), ["Beta"]),
    "cast": (lambda s: s.scalars(select(cast(Account.name, String))).all(), ["Beta"]),
    "type_coerce": (lambda s: s.scalars(select(type_coerce(Account.name, String))).all(), ["Beta"]),
    "case": (lambda s: s.scalars(select(case((Account.name == "Acme", 1), else_=0))).all(), [0]),
    "bundle": (lambda s: [row.b.name for row in s.execute(select(Bundle("b", Account.name, Account.id)))], ["Beta"]),
    "condition only": (lambda s: s.scalar(select(literal(1)).where(Account.name == "Acme")), None),
    "condition only, in a list": (lambda s: s.scalar(select(literal(1)).where(Account.name.in_(["Acme"]))), None),
    "condition only, alias": (lambda s: s.scalar(select(literal(1)).where(A.name == "Acme")), None),
    "exists": (lambda s: s.scalar(select(exists().where(Account.name == "Acme"))), False),
    "exists of select": (lambda s: s.scalar(exists(select(Account.id).where(Account.name == "Acme")).select()), False),
    "exists within where": (
        lambda s: s.scalars(select(Unit.name).where(exists().where(Account.name == "Acme"))).all(), []),
    "exists, correlated": (
        lambda s: s.scalars(select(Contact.name).where(
            exists().where(Affiliation.contact_id == Contact.id, func.lower(Contact.name) != ""))).all(), ["Bob"]),
    "exists, nested": (
        lambda s: s.scalars(select(Unit.name).where(
            exists(select(1).select_from(User).where(exists().where(Account.name == "Acme"))))).all(), []),
    "exists, correlate(None)": (
        lambda s: s.scalars(select(Account.name).where(
            exists().where(Account.name == "Acme").correlate(None))).all(), []),
    "exists, correlate to what is not there": (
        lambda s: s.scalars(select(Unit.name).where(
            exists(select(1).where(Account.name == "Acme").correlate(Account)))).all(), []),
    "exists, correlate_except": (
        lambda s: s.scalars(select(Unit.name).where(
            exists(select(1).where(Account.name == "Acme").correlate_except(Unit)))).all(), []),
    "in subquery": (
        lambda s: s.scalars(select(Affiliation.role).where(
            Affiliation.account_id.in_(select(Account.id)))).all(), ["buyer"]),
    "tuple in subquery": (
        lambda s: s.scalars(select(Unit.name).where(
            tuple_(literal(1), literal("Acme")).in_(select(literal(1), Account.name)))).all(), []),
    "scalar subquery": (
        lambda s: s.scalar(select(select(Account.id).where(Account.name == "Acme").scalar_subquery())), None),
    "scalar subquery in an expression": (
        lambda s: s.scalar(select(literal("x") + select(func.min(Account.name)).scalar_subquery())), "xBeta"),
    "subquery": (lambda s: s.scalars(select(select(Account.name).subquery())).all(), ["Beta"]),
    "subquery beside the same record": (
        lambda s: s.execute(select(Account.name, select(literal(1).label("one")).where(
            Account.name == "Acme").subquery())).all(), []),
    "alias of a subquery": (
        lambda s: [a.name for a in s.scalars(select(aliased(Account, select(Account).subquery())))], ["Beta"]),
    "alias of the table": (lambda s: s.scalars(select(aliased(Account, TABLE.alias()).name)).all(), ["Beta"]),
    "cte": (lambda s: s.scalars(select(select(Account.name).cte())).all(), ["Beta"]),
    "count from cte": (lambda s: s.scalar(select(func.count()).select_from(select(Account.id).cte())), 1),
    "recursive cte": (lambda s: s.scalars(_recursive()).all(), ["Beta"]),
    "lateral": (
        lambda s: s.scalars(select(Unit.name).join(
            select(literal(1).label("o")).where(Account.name == "Acme").subquery(), true())).all(), []),
    "union": (lambda s: s.scalars(union(select(Account.name), select(Account.name))).all(), ["Beta"]),
    "union that begins without a record": (
        lambda s: s.scalars(union_all(select(literal("x")), select(Account.name))).all(), ["x", "Beta"]),
    "union as a subquery": (
        lambda s: s.scalars(select(union_all(select(Account.name), select(A.name)).subquery())).all(),
        ["Beta", "Beta"]),
    "from_statement": (
        lambda s: [a.name for a in s.scalars(select(Account).from_statement(select(Account)))], ["Beta"]),
    "from_statement of a union": (
        lambda s: [a.name for a in s.scalars(select(Account).from_statement(
            union_all(select(Account), select(Account))))], ["Beta", "Beta"]),
    "group by": (
        lambda s: s.execute(select(Account.name, func.count()).group_by(Account.name)).all(), [("Beta", 1)]),
    "having": (
        lambda s: s.execute(select(Account.industry, func.count()).group_by(Account.industry).having(
            func.count() > 1)).all(), []),
    "window over a named record": (
        lambda s: s.scalars(select(func.count().over(partition_by=Account.industry)).select_from(Account)).all(), [1]),
    "filter of an aggregate over a named record": (
        lambda s: s.scalar(select(func.count().filter(Account.name == "Acme")).select_from(Account)), 0),
    "extract over a named record": (
        lambda s: len(s.scalars(select(extract("year", Account.created_at)).select_from(Account)).all()), 1),
    "join to a record": (lambda s: s.scalar(select(func.count()).select_from(Unit).join(Account, true())), 3),
    "join from a record": (lambda s: s.scalar(select(func.count()).select_from(Account).join(Unit, true())), 3),
    "join_from": (lambda s: len(s.scalars(select(Unit.name).join_from(Account, Unit, true())).all()), 3),
    "outer join": (
        lambda s: s.scalars(select(Account.name).select_from(User).outerjoin(
            Account, Account.created_by == User.id).where(User.login == "li")).all(), [None]),
    "join along a navigation": (
        lambda s: s.scalars(select(Account.name).select_from(Affiliation).join(Affiliation.account)).all(), ["Beta"]),
    "join along a navigation with a condition": (
        lambda s: s.scalars(select(Affiliation.id).join(Affiliation.account.and_(Account.name == "Acme"))).all(), []),
    "join of an alias": (
        lambda s: s.scalars(select(A.name).join(Affiliation, Affiliation.account_id == A.id)).all(), ["Beta"]),
    "join to an alias": (
        lambda s: s.scalars(select(A.name).select_from(Affiliation).join(A, A.id == Affiliation.account_id)).all(),
        ["Beta"]),
    "join to two aliases": (
        lambda s: s.execute(select(A.name, B.name).select_from(Unit).join(A, true()).outerjoin(
            B, B.name == "Acme").where(Unit.name == "Root")).all(), [("Beta", None)]),
    "joins kept, columns changed": (
        lambda s: s.scalars(select(Affiliation).join(Affiliation.account).with_only_columns(
            Account.name, maintain_column_froms=True)).all(), ["Beta"]),
    "three joins": (
        lambda s: s.scalar(select(func.count()).select_from(Unit).join(Account, true()).join(Contact, true())), 3),
    "has": (lambda s: s.scalars(select(Affiliation).where(Affiliation.account.has(Account.name == "Acme"))).all(), []),
    "not has": (lambda s: s.scalars(select(Affiliation).where(~Affiliation.account.has())).all(), []),
    "with_parent": (
        lambda s: [a.name for a in s.scalars(select(Account).where(
            with_parent(s.scalars(select(Affiliation)).one(), Affiliation.account)))], ["Beta"]),
    "join to an alias along a navigation": (
        lambda s: s.scalars(select(A.name).select_from(Affiliation).join(Affiliation.account.of_type(A))).all(),
        ["Beta"]),
    "computed column of a subquery": (lambda s: s.scalars(select(_shouted().subquery().c.n)).all(), ["Beta!"]),
    "computed column of a CTE": (lambda s: s.scalars(select(_shouted().cte().c.n)).all(), ["Beta!"]),
    "computed column of a subquery in another": (
        lambda s: s.scalars(select((select(_shouted().subquery().c.n).subquery().c.n + "?").label("m"))).all(),
        ["Beta!?"]),
    "computed column of a subquery in a union": (
        lambda s: sorted(s.scalars(union(select(_shouted().subquery().c.n), select(literal("x"))))), ["Beta!", "x"]),
    "computed column of a subquery in a condition": (
        lambda s: s.scalars(select(literal(1)).where(_shouted().subquery().c.n == "Acme!")).all(), []),
    "aggregate as a column of a subquery": (
        lambda s: s.scalars(select(select(func.count(Account.id).label("n")).subquery().c.n)).all(), [1]),
    "constant as a column of a subquery": (
        lambda s: s.scalars(select(select(literal(1).label("n")).select_from(Account).subquery().c.n)).all(), [1]),
    "join objects within a subquery": (
        lambda s: s.scalar(select(func.count()).select_from(
            orm.join(Account, Affiliation, Affiliation.account_id == Account.id).select().subquery())), 1),
    "correlated within a function": (
        lambda s: s.scalars(select(Account.name).where(
            exists(select(1).select_from(Unit).where(func.lower(Account.name) != "")))).all(), ["Beta"]),
    "order by a hidden one": (
        lambda s: s.scalars(select(Unit.name).order_by(
            select(Account.name).where(Account.name == "Acme").scalar_subquery(), Unit.id)).all(),
        ["Root", "East", "West"]),
    "query": (lambda s: [a.name for a in s.query(Account).all()], ["Beta"]),
    "query.count": (lambda s: s.query(Account).count(), 1),
    "query.exists": (lambda s: s.query(s.query(Account).filter(Account.name == "Acme").exists()).scalar(), False),
    "query.filter": (lambda s: s.query(literal(1)).filter(Account.name == "Acme").all(), []),
    "populate_existing": (
        lambda s: [a.name for a in s.scalars(select(Account).execution_options(populate_existing=True))], ["Beta"]),
    "yield_per": (
        lambda s: [a.name for a in s.scalars(select(Account).execution_options(yield_per=1))], ["Beta"]),
    "for update": (lambda s: [a.name for a in s.scalars(select(Account).with_for_update(of=Account))], ["Beta"]),
    "load_only": (lambda s: [a.name for a in s.scalars(select(Account).options(load_only(Account.name)))], ["Beta"]),
    "function by itself": (
        lambda s: s.scalar(func.coalesce(select(func.max(Account.name)).scalar_subquery(), "none")), "Beta"),
    "window over a subquery": (
        lambda s: s.scalars(select(func.min("x").over(
            partition_by=select(func.count(Account.name)).scalar_subquery()))).all(), ["x"]),
    "subquery within a function": (
        lambda s: s.scalar(select(func.coalesce(literal(None), select(func.min(Account.name)).scalar_subquery()))),
        "Beta"),
    "subquery within values": (
        lambda s: s.scalars(select(values(column("x", String), name="v").data(
            [(select(func.min(Account.name)).scalar_subquery(),)]))).all()
        if s.dialect == "postgresql" else ["Beta"], ["Beta"]),
    "values beside a record": (
        lambda s: s.scalars(select(Account.name).join(_numbers(), true())).all(), ["Beta"]),
    "bundle of two records": (
        lambda s: [row.b.account for row in s.execute(select(Bundle(
            "b", Unit.name.label("unit"), Account.name.label("account"))))], ["Beta", "Beta", "Beta"]),
    "bundle of bundles": (
        lambda s: [row.b.c.name for row in s.execute(select(Bundle(
            "b", func.lower(Unit.name), Bundle("c", Account.name))))], ["Beta", "Beta", "Beta"]),
    "exists, correlate": (
        lambda s: s.scalars(_correlated("beta", lambda each: each.correlate(Account))).all(), ["Beta"]),
    "exists, correlate_except what is its own": (
        lambda s: s.scalars(_correlated("beta", lambda each: each.correlate_except(User))).all(), ["Beta"]),
    "correlated over two levels openly": (
        lambda s: s.scalars(select(Account.name).where(exists(select(1).select_from(Unit).where(
            exists(select(1).select_from(User).where(func.lower(Account.name) == "beta").correlate(Account)))))).all(),
        ["Beta"]),
    "correlated from beside a join": (
        lambda s: s.scalars(select(Account.name).where(exists(select(1).join_from(User, Unit, true()).where(
            func.lower(Account.name) == "beta")))).all(), ["Beta"]),
    "correlated to the end of a navigation": (
        lambda s: s.scalars(select(Affiliation.role).join(Affiliation.account).where(
            exists(select(1).select_from(Unit).where(func.lower(Account.name) == "beta")))).all(), ["buyer"]),
    "correlated to an alias at the end of a navigation": (
        lambda s: s.scalars(select(Affiliation.role).join(Affiliation.account.of_type(A)).where(
            exists(select(1).select_from(Unit).where(func.lower(A.name) == "beta")))).all(), ["buyer"]),
    "correlated to the beginning of a navigation": (
        lambda s: s.scalars(select(Account.name).select_from(Affiliation).join(Affiliation.account).where(
            exists(select(1).select_from(Unit).where(func.lower(Affiliation.role) == "buyer")))).all(), ["Beta"]),
    "function over the left of a join": (
        lambda s: s.scalars(select(literal(1)).join_from(Account, Unit, true()).where(
            func.lower(Account.name) == "acme")).all(), []),
    "function over the parent of a navigation": (
        lambda s: s.scalar(select(func.count()).join(Account, Affiliation.account).where(
            func.lower(Affiliation.role) == "buyer")), 1),
    "function without a record": (lambda s: s.scalar(select(func.coalesce(None, "x"))), "x"),
    "sum of two counts": (lambda s: s.scalar(select(literal(1) + func.count(Account.id))), 2),
    "plain operator": (lambda s: len(s.scalars(select(Account.id).where(Account.id.op("<>")(0))).all()), 1),
    "values": (
        lambda s: s.scalars(select(values(column("x", Integer), name="v").data([(1,), (2,)]).alias("w"))).all()
        if s.dialect == "postgresql" else [1, 2], [1, 2]),
    "exists over an alias instead of has": (
        lambda s: s.scalars(select(Node.name).where(
            exists().where(UP.id == Node.up_id, UP.name == "hidden"))).all(), []),
}  # fmt: skip


def _plain(value: Any) -> Any:
    return [tuple(row) if hasattr(row, "_mapping") else row for row in value] if isinstance(value, list) else value


def _numbers() -> Any:
    """A table-valued function of the database at hand is not portable; a union of two selects is."""
    return union_all(select(literal(1).label("x")), select(literal(2))).limit(1).subquery()


def _doubling() -> Any:
    """Each names the one before it twice: whoever walks each as often as it is named never comes to an end."""
    names = select(Account.name).cte()
    for _ in range(40):
        names = union(select(names.c.name), select(names.c.name)).cte()
    return select(names.c.name)


def _lateral() -> Any:
    return select(Unit.id.label("one")).where(func.lower(Account.name) != "").lateral()


def _correlated(name: str, made: Callable[[Any], Any], around: Any = None) -> Any:
    """A subquery that asks for an account's name within a function, in a statement over accounts or another."""
    within = select(1).select_from(User).where(func.lower(Account.name) == name)
    return (select(Account.name) if around is None else around).where(exists(made(within)))


def _twice() -> Any:
    """In the second half the subquery belongs to the accounts around it; in the first it brings its own, unseen."""
    within = exists(select(1).select_from(Unit).where(func.lower(Account.name) == "acme"))
    return union_all(select(literal("x")).where(within), select(Account.name).where(within))


def _recursive() -> Any:
    start = select(Account.id, Account.name).cte(recursive=True)
    again = start.union_all(select(Account.id, Account.name).where(Account.id == start.c.id + 1000000))
    return select(again.c.name)


@pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product")
def test_forms_that_hold(company: Company) -> None:
    wrong = {}
    with company.session() as session:
        hidden = session.add_one(Node(account_id=company.acme, name="hidden")).id
        session.add(Node(account_id=company.beta, name="seen", up_id=hidden))
    with company.session("wang") as session:
        for name, (form, expected) in HOLD.items():
            try:
                with session.begin_nested():
                    found = form(session)
            except Exception as error:
                found = error
            if isinstance(found, BaseException) or _plain(found) != expected:
                wrong[name] = found
    assert wrong == {}


UNIT = select(Unit.name)
REFUSED: dict[str, tuple[Form, str]] = {
    "text": (lambda s: s.execute(text("select name from crm_account")), "as text"),
    "text in where": (lambda s: s.execute(UNIT.where(text("1 = 1"))), "as text"),
    "text in order": (lambda s: s.execute(UNIT.order_by(text("name"))), "as text"),
    "name in order": (lambda s: s.execute(select(Contact).order_by("note")), "as text"),
    "name in group": (lambda s: s.execute(select(func.count()).select_from(Contact).group_by("note")), "as text"),
    "text as columns": (lambda s: s.execute(text("select 1 as id").columns(Account.id)), "as text"),
    "from_statement of text": (
        lambda s: s.execute(select(Account).from_statement(text("select * from crm_account"))), "as text"),
    "literal_column": (lambda s: s.execute(select(literal_column("(select name from crm_account)"))), "literal"),
    "column": (lambda s: s.execute(select(column("name")).select_from(Account)), "belongs to no record"),
    "table()": (lambda s: s.execute(select(table("crm_account", column("name")))), "on the table"),
    "Core table": (lambda s: s.execute(select(TABLE)), "on the table"),
    "Core column": (lambda s: s.execute(select(TABLE.c.name)), "on the table"),
    "Core alias": (lambda s: s.execute(select(TABLE.alias())), "on the table"),
    "Core subquery": (lambda s: s.execute(select(select(TABLE.c.name).subquery())), "on the table"),
    "Core in a computed column of a subquery": (
        lambda s: s.execute(select(select((TABLE.c.name + "!").label("n")).subquery().c.n)), "on the table"),
    "Core in a count as a column of a subquery": (
        lambda s: s.execute(select(select(func.count().label("n")).select_from(TABLE).subquery().c.n)), "on the table"),
    "Core in a computed column of a lateral": (
        lambda s: s.execute(select(Unit.name, select((TABLE.c.name + "!").label("n")).lateral().c.n)), "on the table"),
    "Core in a column of values": (
        lambda s: s.execute(select(values(column("n", sa.String), name="v").data(
            [(select(TABLE.c.name).scalar_subquery(),)]).c.n)), "on the table"),
    "text in a computed column of a subquery": (
        lambda s: s.execute(select(select(func.length(text("name")).label("n")).subquery().c.n)), "as text"),
    "Core in exists": (lambda s: s.execute(UNIT.where(exists(select(TABLE.c.id)))), "on the table"),
    "Core in a join": (lambda s: s.execute(UNIT.join(TABLE, true())), "on the table"),
    "Core left of a join": (lambda s: s.execute(UNIT.join_from(TABLE, Unit, true())), "on the table"),
    "Core in select_from": (lambda s: s.execute(select(func.count()).select_from(TABLE)), "on the table"),
    "Core beneath an alias": (lambda s: s.execute(select(aliased(Account, select(TABLE).subquery()))), "on the table"),
    "technical table": (lambda s: s.execute(select(sa.Table("crm_change", sa.MetaData(), sa.Column("id")))), "table"),
    "Core in the condition of a navigation": (
        lambda s: s.execute(select(Affiliation).join(Affiliation.account.and_(exists(select(TABLE.c.id))))),
        "on the table"),
    "Core in the condition of a navigation to an alias": (
        lambda s: s.execute(select(A.name).select_from(Affiliation).join(
            Affiliation.account.of_type(A).and_(exists(select(TABLE.c.id))))), "on the table"),
    "Core on the right of a navigation": (
        lambda s: s.execute(select(Affiliation.id).join(TABLE, Affiliation.account)), "on the table"),
    "SQL within values": (
        lambda s: s.execute(select(values(column("x", Integer), name="v").data(
            [(1,), (literal_column("(select id from crm_account)"),)]))), "literal"),
    "Core within values": (
        lambda s: s.execute(select(values(column("x", Integer), column("y", String), name="v").data(
            [(1, select(TABLE.c.name).scalar_subquery())]))), "on the table"),
    "Core in a loader's condition": (
        lambda s: s.execute(select(Affiliation).options(
            joinedload(Affiliation.account.and_(exists(select(TABLE.c.id)))))), "on the table"),
    "with_loader_criteria": (
        lambda s: s.execute(UNIT.options(with_loader_criteria(Unit, exists(select(TABLE.c.id))))), "into where()"),
    "subqueryload": (
        lambda s: s.execute(select(Affiliation).options(subqueryload(Affiliation.account))), "selectinload"),
    "subqueryload of everything": (
        lambda s: s.execute(select(Affiliation).options(subqueryload("*"))), "selectinload"),
    "tablesample": (lambda s: s.execute(select(tablesample(TABLE, 10))), "on the table"),
    "condition within a function": (
        lambda s: s.execute(select(literal(1)).where(func.lower(Account.name) == "acme")), "select_from(Account)"),
    "condition within a function, alias": (
        lambda s: s.execute(select(literal(1)).where(func.lower(A.name) == "acme")), "select_from(Account)"),
    "condition within a function, nested": (
        lambda s: s.execute(select(select(func.count()).where(func.lower(Account.name) == "acme").scalar_subquery())),
        "select_from(Account)"),
    "condition within a function, beside a subquery that holds": (
        lambda s: s.execute(select(literal(1)).where(func.lower(Account.name) == "acme", exists(select(Unit.id)))),
        "select_from(Account)"),
    "the same subquery where it is correlated and where it is not": (lambda s: s.execute(_twice()), "Account"),
    "two records in one expression": (lambda s: s.execute(select(Unit.name + Account.name)), "select_from(Account)"),
    "two aliases in one expression": (lambda s: s.execute(select(A.name + B.name)), "select_from(Account)"),
    "two records in one function": (lambda s: s.execute(select(func.coalesce(Unit.code, Account.name))), "Account"),
    "two records in one tuple": (lambda s: s.execute(select(tuple_(Unit.id, Account.id) == tuple_(1, 2))), "Account"),
    "window": (lambda s: s.execute(select(func.count().over(partition_by=Account.name))), "select_from(Account)"),
    "window order": (lambda s: s.execute(select(func.row_number().over(order_by=Account.name))), "Account"),
    "filter of an aggregate": (lambda s: s.execute(select(func.count().filter(Account.name == "Acme"))), "Account"),
    "extract": (lambda s: s.execute(select(extract("year", Account.created_at))), "select_from(Account)"),
    "extract, nested": (
        lambda s: s.execute(UNIT.where(exists(select(extract("year", Account.created_at))))), "select_from(Account)"),
    "navigation as a column": (lambda s: s.execute(select(Affiliation.account)), "select_from(Account)"),
    "lateral that reaches out within a function": (
        lambda s: s.execute(select(Account.name).join(_lateral(), true())), "select_from(Account)"),
    "two records in one expression, joins kept": (
        lambda s: s.execute(select(Affiliation.id).join(Affiliation.account).with_only_columns(
            Affiliation.role + Contact.name, maintain_column_froms=True)), "select_from(Contact)"),
    "correlate to what is not there, within a function": (
        lambda s: s.execute(_correlated("acme", lambda each: each.correlate(Account), UNIT)), "select_from(Account)"),
    "correlate to something else, within a function": (
        lambda s: s.execute(_correlated("acme", lambda each: each.correlate(Unit))), "select_from(Account)"),
    "correlate_except, within a function": (
        lambda s: s.execute(_correlated("acme", lambda each: each.correlate_except(Account))), "select_from(Account)"),
    "correlate_except where it is not there, within a function": (
        lambda s: s.execute(_correlated("acme", lambda each: each.correlate_except(User), UNIT)),
        "select_from(Account)"),
    "correlate(None), within a function": (
        lambda s: s.execute(_correlated("acme", lambda each: each.correlate(None))), "select_from(Account)"),
    "nothing left to select from, within a function": (
        lambda s: s.execute(select(Account.name).where(exists(select(1).where(func.lower(Account.name) == "acme")))),
        "select_from(Account)"),
    "correlated where it was correlated already": (
        lambda s: s.execute(select(Account.name).where(exists(select(1).select_from(Unit).where(
            func.lower(Account.name) != "",
            exists(select(1).select_from(User).where(func.lower(Account.name) == "acme")))))), "select_from(Account)"),
    "join object that begins with it": (
        lambda s: s.execute(select(func.count()).select_from(sa.join(Account, Unit, true()))), "join objects"),
    "join object within a join object": (
        lambda s: s.execute(select(func.count()).select_from(sa.join(Unit, sa.join(
            Account, Affiliation, Affiliation.account_id == Account.id), true()))), "join objects"),
    "join object": (
        lambda s: s.execute(select(func.count()).select_from(sa.join(Unit, Account, true()))), "join objects"),
    "join object of the ORM": (
        lambda s: s.execute(select(func.count()).select_from(orm.join(Unit, Account, true()))), "join objects"),
    "outer join object": (
        lambda s: s.execute(UNIT.select_from(sa.outerjoin(Unit, Account, true()))), "join objects"),
    "query on a join object": (
        lambda s: s.query(func.count()).select_from(orm.outerjoin(Unit, Account, true())).all(), "join objects"),
    "full join": (
        lambda s: s.execute(select(Account.name).join_from(Unit, Account, Unit.id == Account.id, full=True)), "full"),
    "full join object": (
        lambda s: s.execute(select(Unit, Account).select_from(
            sa.join(Unit, Account, Unit.id == Account.id, full=True))), "full"),
    "has on its own type": (lambda s: s.execute(select(Node).where(Node.up.has(Node.name == "x"))), "aliased(Record)"),
    "not has on its own type": (lambda s: s.execute(select(Node).where(~Node.up.has())), "aliased(Record)"),
    "has on its own type, deeper": (
        lambda s: s.execute(UNIT.where(exists().where(Node.up.has(Node.name == "x")))), "aliased(Record)"),
    "correlated over two levels by itself": (
        lambda s: s.execute(select(Account.name).where(exists(select(1).select_from(Unit).where(
            exists(select(1).select_from(User).where(func.lower(Account.name) == "acme")))))), "select_from(Account)"),
    "join to a join object": (
        lambda s: s.execute(select(func.count()).select_from(Unit).join(
            orm.join(Account, Affiliation, Affiliation.account_id == Account.id), true())), "join objects"),
    "from_statement of an update": (
        lambda s: s.execute(select(Account).from_statement(update(Account).values(name="x").returning(Account))),
        "bypass"),
    "for update of the table": (lambda s: s.execute(select(Account).with_for_update(of=TABLE)), "on the table"),
    "has of an alias": (
        lambda s: s.execute(select(Affiliation).where(Affiliation.account.of_type(A).has(A.name == "Acme"))),
        "on the table"),
    "has of an alias on its own type": (
        lambda s: s.execute(select(Node).where(~Node.up.of_type(UP).has(UP.name == "hidden"))), "on the table"),
    "prefix": (lambda s: s.execute(UNIT.prefix_with("(select name from crm_account),")), "Prefixes"),
    "suffix": (lambda s: s.execute(UNIT.suffix_with("union select name from crm_account")), "Prefixes"),
    "hint": (lambda s: s.execute(UNIT.with_hint(Unit, "not indexed")), "hints"),
    "statement hint": (lambda s: s.execute(UNIT.with_statement_hint("union select name from crm_account")), "hints"),
    "suffix, nested": (
        lambda s: s.execute(UNIT.where(exists(select(Unit.id).suffix_with("union select 1 from crm_account")))),
        "Prefixes"),
    "operator": (
        lambda s: s.execute(UNIT.where(Unit.id.op("= 1 or exists (select 1 from crm_account) or 1 =")(1))), "operator"),
    "operator with a comment": (lambda s: s.execute(UNIT.where(Unit.id.op("--")(1))), "operator"),
    "operator with a comment that does not end": (lambda s: s.execute(UNIT.where(Unit.id.op("/*")(1))), "operator"),
    "operator behind an expression": (
        lambda s: s.execute(UNIT.order_by(sa.UnaryExpression(Unit.id, modifier=custom_op("limit 0 offset 1")))),
        "operator"),
    "operator in words": (lambda s: s.execute(UNIT.where(Unit.id.bool_op("is null or 1 is")(1))), "operator"),
    "function that runs SQL": (
        lambda s: s.execute(select(func.query_to_xml("select * from crm_account", True, True, ""))), "function"),
    "extract of SQL": (lambda s: s.execute(select(extract("year from x) --", Unit.created_at)).select_from(Unit)),
                       "one word"),
    "lambda": (lambda s: s.execute(lambda_stmt(lambda: select(Account))), "of the kind"),
    "ddl": (lambda s: s.execute(DDL("delete from crm_account")), "of the kind"),
    "insert": (lambda s: s.execute(insert(Account).values(name="x")), "session.add"),
    "insert many": (lambda s: s.execute(insert(Account), [{"name": "x"}]), "session.add"),
    "insert from select": (lambda s: s.execute(insert(Account).from_select(["name"], select(Account.name))), "add"),
    "upsert": (lambda s: s.execute(_upsert(s)), "session.add"),
    "update by keys": (lambda s: s.execute(update(Account), [{"id": 1, "name": "x"}]), "update_many"),
    "update returning": (lambda s: s.execute(update(Account).values(name="x").returning(Account.name)), "returning"),
    "update of the table": (lambda s: s.execute(update(TABLE).values(name="x")), "update(Record)"),
    "update computed": (lambda s: s.execute(update(Account).values(name=Account.name + "x")), "computed"),
    "update from a subquery": (
        lambda s: s.execute(update(Unit).values(name=select(Account.name).scalar_subquery())), "computed"),
    "update with text": (lambda s: s.execute(update(Account).where(text("1=1")).values(name="x")), "as text"),
    "update where a function": (
        lambda s: s.execute(update(Unit).where(func.lower(Account.name) == "acme").values(name="x")), "Account"),
    "update of an alias": (lambda s: s.execute(update(A).values(name="x")), "update(Record)"),
    "delete of the table": (lambda s: s.execute(delete(TABLE)), "delete(Record)"),
    "delete returning": (lambda s: s.execute(delete(Account).returning(Account.name)), "returning"),
    "update inside a select": (
        lambda s: s.execute(select(update(Account).values(name="x").returning(Account.id).cte())), "inside another"),
    "insert beside a select": (lambda s: s.execute(UNIT.add_cte(insert(Account).values(name="x").cte())), "inside"),
    "merge": (lambda s: s.merge(Account(name="x")), "assign"),
    "bulk_save_objects": (lambda s: s.bulk_save_objects([Account(name="x")]), "add_many"),
    "bulk_insert_mappings": (lambda s: s.bulk_insert_mappings(Account, [{"name": "x"}]), "add_many"),
    "bulk_update_mappings": (lambda s: s.bulk_update_mappings(Account, [{"id": 1}]), "update_many"),
    "connection": (lambda s: s.connection().execute(select(TABLE.c.name)).all(), "session.as_system"),
    "connection, text": (lambda s: s.connection().exec_driver_sql("select name from crm_account").all(), "reaches"),
    "connection, with options": (lambda s: s.connection(execution_options={"a": 1}), "connection() reaches"),
    "connection, with a mapper": (lambda s: s.connection(bind_arguments={"mapper": Account}), "connection() reaches"),
    "get_bind": (lambda s: s.get_bind(), "get_bind() reaches"),
    "bind": (lambda s: s.bind, "session.bind reaches"),
    "connection of the transaction": (lambda s: s.get_transaction().connection(None), "get_bind() reaches"),
}  # fmt: skip


def _upsert(session: CrmSession) -> Any:
    dialect = sqlite if session.dialect == "sqlite" else postgresql
    return dialect.insert(Account).values(name="x").on_conflict_do_update(index_elements=["id"], set_={"name": "y"})


def test_forms_that_are_refused(company: Company) -> None:
    wrong: dict[str, Any] = {}
    with company.session("wang") as session:
        for name, (form, message) in REFUSED.items():
            try:
                wrong[name] = form(session)
            except UnsupportedStatement as error:
                if message not in str(error):
                    wrong[name] = str(error)
            except Exception as error:
                wrong[name] = error
    assert wrong == {}


def test_the_system_is_guarded_too(company: Company) -> None:
    for form in (text("select 1"), select(TABLE), insert(Account), DDL("select 1")):
        with company.session() as session, pytest.raises(UnsupportedStatement):
            session.execute(form)


def test_a_session_of_the_system_has_a_connection(company: Company) -> None:
    with company.session() as session:
        names = session.connection().execute(select(TABLE.c.name).order_by(TABLE.c.name)).scalars().all()
        assert names == session.scalars(select(Account.name).order_by(Account.name)).all()
        assert session.connection(execution_options={}) is session.connection()
        assert session.get_bind() is session.bind is company.store.engine
    with company.session("wang") as session:
        elevated = session.as_system("check")
        assert elevated.connection().exec_driver_sql("select count(*) from crm_account").scalar_one() == len(names)
        with session.begin_nested():
            assert elevated.connection() is elevated.bind


def test_a_statement_that_is_executed_again_is_walked_once_and_holds_for_each_reader(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[Any] = []
    walk = guard._inspected
    monkeypatch.setattr(guard, "_inspected", lambda *given: walked.append(given[0]) or walk(*given))
    statement = select(Account.name).order_by(Account.name)
    found = {}
    for login in ("li", "wang", "li"):
        with company.session(login) as session:
            found[login] = session.scalars(statement).all()
    assert found == {"li": ["Acme"], "wang": ["Beta"]}
    assert walked == [statement]


def test_a_navigation_to_an_alias_brings_the_rights_of_its_records(company: Company) -> None:
    """Wang sees what was done at Beta, also where Ann took part, whom he does not see."""
    with company.session() as session:
        session.add(Activity(kind="call", subject="Shared", account_id=company.beta, contact_id=company.ann))
    person = aliased(Contact)
    shared = select(func.count()).select_from(Activity).where(Activity.subject == "Shared")
    for login, alone, along in (("wang", 1, 0), ("li", 0, 0), ("qian", 1, 1)):
        with company.session(login) as session:
            assert session.scalar(shared) == alone, login
            assert session.scalar(shared.join(Activity.contact.of_type(person))) == along, login


def test_a_statement_tells_what_it_reads() -> None:
    """Also where a database of the tests could not carry it out."""
    account = Account.crm_type
    numbers = values(column("x", Integer), name="v").data([(1,), (2,)])
    found = guard.inspect_statement(select(numbers.c.x, Account.name).select_from(Account).join(numbers, true()))
    assert found == guard.Footprint(frozenset({account}), frozenset({(account, account.field("name"))}))
    assert guard.inspect_statement(_doubling()).types == {account}


def test_a_subquery_is_looked_at_wherever_it_stands() -> None:
    """It belongs to the accounts around it in all parts of the union but one, where it brings its own, unseen."""
    for others in range(1, 40):
        within = exists(select(1).select_from(Unit).where(func.lower(Account.name) == "acme"))
        bad, good = select(literal("x")).where(within), [select(Account.name).where(within) for _ in range(others)]
        assert guard.inspect_statement(union_all(*good)).types == {Account.crm_type, Unit.crm_type}
        with pytest.raises(UnsupportedStatement, match=r"select_from\(Account\)"):
            guard.inspect_statement(union_all(bad, *good))


def test_what_is_made_of_a_statement_that_was_walked_is_walked_itself(company: Company) -> None:
    statement = select(Account.name)
    with company.session("wang") as session:
        session.execute(statement)
        for more in (statement.where(text("1 = 1")), statement.add_columns(TABLE.c.id), statement.prefix_with("ALL")):
            for _ in range(2):
                with pytest.raises(UnsupportedStatement):
                    session.execute(more)
        assert session.scalars(statement).all() == ["Beta"]

"""A statement as text says the same as the statement, for few ids and for many."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, delete, select

from crm_core import Account
from crm_core.store.quick import FEW, quickly
from crm_core.testing.statements import counted

ACCOUNT = Account.crm_type.table
ASKING = (
    select(ACCOUNT.c.id, ACCOUNT.c.name)
    .where(ACCOUNT.c.id.in_(bindparam("ids", expanding=True)), ACCOUNT.c.created_at <= bindparam("now"))
    .order_by(ACCOUNT.c.id)
)
DROPPING = delete(ACCOUNT).where(
    ACCOUNT.c.id.in_(bindparam("ids", expanding=True)), ACCOUNT.c.name != bindparam("name")
)


@pytest.fixture
def ids(store) -> list[int]:
    with store.session(principal="init") as session:
        return session.add_many(Account, [{"name": f"Acme {number}"} for number in range(3 * FEW)])


@pytest.mark.parametrize("count", [1, 2, FEW, FEW + 1, 3 * FEW])
def test_a_statement_as_text_finds_the_same(store, ids, count) -> None:
    with store.reading() as connection:
        for now in (store.clock(), store.clock().replace(year=2000)):
            values = {"ids": ids[:count], "now": now}
            found = [tuple(row) for row in quickly(connection, ASKING, values)]
            assert found == [tuple(row) for row in connection.execute(ASKING, values)]
            assert len(found) == (count if now.year > 2000 else 0)


@pytest.mark.parametrize("count", [1, FEW, FEW + 1])
def test_a_statement_as_text_deletes_the_same(store, ids, count) -> None:
    with store.engine.begin() as connection:
        gone = quickly(connection, DROPPING, {"ids": ids[:count], "name": "Acme 0"})
        assert gone.rowcount == count - 1
        left = set(connection.execute(select(ACCOUNT.c.id)).scalars())
    assert left == {ids[0], *ids[count:]}


def test_values_are_never_part_of_the_text(store, ids) -> None:
    class Held:
        pass

    held = Held()
    held.store = store
    with counted(held) as statements, store.engine.begin() as connection:
        quickly(connection, DROPPING, {"ids": ids[:2], "name": "' OR '1' = '1"})
    (text,) = [statement for statement in statements if statement.startswith("DELETE")]
    assert "'" not in text
    assert text.count("?") == 3 or text.count("%(") == 3

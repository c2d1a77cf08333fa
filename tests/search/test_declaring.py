"""What a plugin declares to be searched, and what of it is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped

from crm_core import DeclarationError, StoreError
from crm_core.domain.accounts import Account
from crm_core.fields import flag, ref, tags, text
from crm_core.records import KERNEL, Record, Types, declared, public, record, via
from crm_core.store.search.fts5 import Fts5
from crm_core.store.search.index import SearchIndex
from crm_core.store.search.indexed import Plan
from crm_core.store.search.texts import CHARACTERS, Form, body_of, tokens_of

from .search_records import TYPES


def plan(*classes: type[Record]) -> Plan:
    kernel = [each for each in declared.values() if each.plugin == KERNEL]
    return Plan(Types([*kernel, *(each.crm_type for each in classes)]))


def test_what_the_kernel_searches():
    fields = {
        name: [field.name for _, fields in each.parts for field in fields] for name, each in plan().indexed.items()
    }  # fmt: skip
    assert fields["account"] == ["name", "local_name", "legal_name", "registration_number", "email", "phone"]
    assert fields["contact"] == ["name", "local_name"]
    assert set(fields) >= {"account", "contact", "affiliation", "contact_point", "activity"}


def test_only_texts_can_be_searched():
    with pytest.raises(DeclarationError, match="a tags field cannot be searched"):

        @record("search_declaring.tagged", access=public())
        class Tagged(Record):
            words: Mapped[frozenset] = tags(default=frozenset(), search=True)


def test_a_hit_must_be_shown_as_something_that_is_searched_itself():
    @record("search_declaring.silent", access=public())
    class Silent(Record):
        open: Mapped[bool] = flag(default=True)

    @record("search_declaring.noisy", access=public(), found_as=("silent_id",))
    class Noisy(Record):
        silent_id: Mapped[int] = ref("search_declaring.silent")
        name: Mapped[str] = text(80, search=True)

    with pytest.raises(DeclarationError, match=r"'silent_id' leads to search_declaring\.silent, which"):
        plan(Silent, Noisy)
    with pytest.raises(DeclarationError, match="found_as names 'name', which is no field"):

        @record("search_declaring.wrong", access=public(), found_as=("name",))
        class Wrong(Record):
            name: Mapped[str] = text(80, search=True)


def test_ways_that_lead_in_a_circle_end():
    @record("search_declaring.knot", access=via("knot_id", "account_id"))
    class Knot(Record):
        knot_id: Mapped[int | None] = ref("search_declaring.knot", default=None)
        account_id: Mapped[int | None] = ref("account", default=None)
        name: Mapped[str] = text(80, search=True)

    assert [step.field for step in plan(Knot).indexed["search_declaring.knot"].steps] == ["account_id"]


def test_a_surname_without_a_sort_key():
    from crm_core.domain.contacts import Contact

    columns = {column.key for column in inspect(Contact).columns}
    assert "name_key" in columns
    assert "local_name_key" not in columns
    assert Contact.crm_type.by_name["local_name"].surname


def test_long_texts_and_long_words():
    body = body_of([("ab" * 100 + " " + "x " * CHARACTERS + "end", Form(sound=False))])
    tokens = set(tokens_of(body))
    assert {"aba", "bab", "ab"} <= tokens
    assert "end" not in tokens


def test_long_words_can_be_asked_for(store):
    word = "".join(chr(97 + number % 23) + chr(97 + number // 23) for number in range(90))
    with store.session(principal="test") as session:
        session.add_many(Account, [{"name": word}, {"name": word[:150] + "other"}])
    with store.session(principal="test", read_only=True) as session:
        assert [hit.title for hit in session.search(word)] == [word]
        assert [hit.title for hit in session.search(word[10:140] + " " + word[100:])] == [word]
        assert session.search("x" * 5000) == []
        assert session.search("haier" * 900) == []
        assert session.search("1" * 5000) == []


def test_long_texts_are_shown_in_part(store):
    from crm_core.domain.activities import Activity

    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme"))
        outcome = "word " * 50 + "the Needle in it " + "more " * 50
        session.add(Activity(kind="visit", subject="Long", outcome=outcome, account_id=account.id))
    with store.session(principal="test", read_only=True) as session:
        (hit,) = session.search("needle")
        assert "Needle" in hit.text
        assert hit.text.startswith("…")
        assert hit.text.endswith("…")
        assert len(hit.text) <= 82
        (hit,) = session.search("word")
        assert hit.text.startswith("word word")


def test_what_has_no_text_is_known_by_its_number(store):
    from crm_core.domain.contacts import Contact, ContactPoint, PointKind

    with store.session(principal="test") as session:
        person = session.add_one(Contact(name=""))
        session.add(ContactPoint(contact_id=person.id, kind=PointKind.OTHER, value="wechat_name"))
    with store.session(principal="test", read_only=True) as session:
        (hit,) = session.search("wechat")
        assert hit.title == f"Contact {person.id}"


def test_statements_are_forgotten_when_there_are_very_many():
    index = SearchIndex(TYPES, "sqlite")
    made = [index.remembered(number, object) for number in range(300)]  # type: ignore[type-var, arg-type]
    assert index.remembered(299, object) is made[299]
    assert index.remembered(0, object) is not made[0]


def test_a_sqlite_without_full_text_search_is_named():
    class Poor:
        def exec_driver_sql(self, statement: str) -> None:
            raise OperationalError(statement, None, Exception(self.reason))

        def __init__(self, reason: str) -> None:
            self.reason = reason

    with pytest.raises(StoreError, match=r"has no full-text search \(FTS5\)"):
        Fts5().prepare(Poor("no such module: fts5"))  # type: ignore[arg-type]
    with pytest.raises(OperationalError):
        Fts5().prepare(Poor("disk full"))  # type: ignore[arg-type]


def test_a_build_file_chooses_the_driver(monkeypatch, database_url):
    from importlib.metadata import EntryPoint

    from crm_core import Crm
    from crm_core.assembly import drivers

    name = "fts5" if database_url.startswith("sqlite") else "trigram"
    entry = EntryPoint(name, f"crm_core.store.search.{name}:{name.capitalize()}", "crm_core.drivers.search")
    monkeypatch.setattr(drivers, "available", lambda kind: {name: (entry,)} if kind == "search" else {})
    with Crm.open({"drivers": {"search": name}}, database=database_url, check=False) as crm:
        crm.migrate()
        assert crm.store.search.driver.name == name
        assert crm.unindexed() == []
        assert crm.check_index().right
        assert crm.reindex(whole=True).removed == 0

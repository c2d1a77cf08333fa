"""``crm search`` and ``crm search reindex``."""

from __future__ import annotations

import sqlite3


def test_it_finds_and_shows(company, crm):
    out = crm("search", "acme").out
    assert "Acme Bearings" in out
    assert "Account" in out
    lines = crm("search", "buyer").out.splitlines()
    assert "陈小明" in lines[2]
    assert "buyer" in lines[2]
    assert "Acme Bearings" in lines[2]  # the account of the place where they were found


def test_words_and_options_come_in_any_order(company, crm):
    one = crm("search", "--type", "contact", "acme", "buyer", "--json").json
    two = crm("search", "acme", "--json", "buyer", "--type", "contact").json
    assert one == two
    (hit,) = one["hits"]
    assert one["query"] == "acme buyer"
    assert (hit["type"], hit["title"], hit["text"], hit["field"]) == ("contact", "陈小明", "buyer", "affiliation.role")
    assert set(hit) == {"type", "id", "title", "account_id", "text", "field", "rank"}


def test_pinyin_initials_and_digits(company, crm):
    for query in ("chenxiaoming", "cxm", "13800138000", "138 0013 8000"):
        assert [hit["title"] for hit in crm("search", query, "--json").json["hits"]] == ["陈小明"]


def test_the_limit_and_nothing_found(company, crm):
    assert len(crm("search", "twin", "--json").json["hits"]) == 2
    assert len(crm("search", "twin", "--limit", "1", "--json").json["hits"]) == 1
    assert crm("search", "zzzz").out == "Nothing was found.\n"


def test_at_another_day(company, crm):
    assert crm("search", "buyer", "--json").json["hits"]
    assert crm("search", "buyer", "--at", "2020-01-01", "--json").json["hits"] == []


def test_through_the_eyes_of_others(company, crm):
    assert crm("search", "acme", "--as", "zhao.min", "--json").json["hits"] == []
    assert crm("--user", "li.wei", "search", "acme", "--as", "zhao.min", "--json").json["hits"] == []
    ended = crm("--user", "zhao.min", "search", "acme", "--as", "li.wei", code=5)
    assert "may not look at the CRM as another user" in ended.err


def test_queries_that_cannot_be_asked(company, crm):
    assert "Say what to search for" in crm("search", "--json", code=2).err
    assert "says too little" in crm("search", "x", code=4).err
    assert "Did you mean account" in crm("search", "acme", "--type", "acount", code=None).err
    assert "Usage: crm search [OPTIONS] TEXT... | reindex" in crm("search", code=2).err
    # The word that is also a command.
    assert crm("search", "--", "reindex").out == "Nothing was found.\n"


def test_reindexing_and_its_check(company, crm):
    assert "The search index is what the records say." in crm("search", "reindex", "--check").out
    damage(company, "DELETE FROM crm_search_document WHERE type = 'activity'")
    ended = crm("search", "reindex", "--check", code=None)
    assert ended.code != 0
    assert ": missing" in ended.out
    assert "The search index is not what the records say. Run 'crm search reindex'." in ended.err
    told = crm("search", "reindex", "--check", "--json", code=None).json
    assert (told["right"], told["missing"]) == (False, {"activity": 2})
    assert crm("search", "reindex", "--json").json["records"]["activity"] == 2
    assert crm("search", "reindex", "--check", "--json").json["right"] is True
    damage(company, "INSERT INTO crm_search_token (crm_search_token) VALUES ('delete-all')")
    assert "Run 'crm search reindex --whole'." in crm("search", "reindex", "--check", code=None).err
    assert "The search index is built." in crm("search", "reindex", "--whole").out
    crm("search", "reindex", "--check")
    assert "Give either --check or --whole." in crm("search", "reindex", "--check", "--whole", code=2).err


def test_only_those_who_see_all_build_it(company, crm):
    ended = crm("--user", "zhao.min", "search", "reindex", code=None)
    assert ended.code != 0
    assert "system.reindex" in ended.err
    crm("--user", "li.wei", "search", "reindex")


def test_a_database_from_before_the_index(company, crm):
    damage(company, "DELETE FROM crm_search_document")
    damage(company, "DELETE FROM crm_search_state")
    ended = crm("migrate")
    assert "Records of type account, activity, affiliation, contact, contact_point are not in the search index" in (
        ended.err
    )
    assert "account" in crm("migrate", "--json").json["unindexed"]
    ended = crm("search", "acme", code=None)
    assert "Run 'crm search reindex'" in ended.err
    assert ended.out == ""
    crm("search", "reindex")
    assert crm("migrate").err == ""
    assert crm("search", "acme", "--json").json["hits"]


def test_documents_of_a_plugin_that_left(company, crm):
    damage(company, "INSERT INTO crm_search_document (id, type, shown_id, size, body) "
                    "VALUES (99999, 'gone.thing', 99999, 1, char(31) || char(31) || char(31))")  # fmt: skip
    assert "now removed: 1." in crm("search", "reindex").out


def damage(company, statement):
    connection = sqlite3.connect(company / "crm.db")
    try:
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()

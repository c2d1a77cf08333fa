"""What the leak tests compare with: an oracle, and organisations that follow from a seed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_core.testing import Check, verify
from crm_core.testing.conformance.marks import marks_in
from crm_core.testing.conformance.oracle import honest_roles, widened
from crm_core.testing.conformance.organisations import open_organisation, organisations


def looking(look, plugin="stakeholders", database_url=None, **options):
    report = verify(
        plugin, checks=(Check("look", "It is so.", look, database=True),), database_url=database_url, **options
    )
    assert report.ok, report.text()


@pytest.mark.parametrize("plugin", ["stakeholders", "industrial"])
def test_the_oracle_agrees_with_the_store(plugin, database_url):
    """In both directions: what it says is seen, and nothing else."""
    seen, hidden = set(), set()

    def look(subject):
        for organisation, address in organisations(subject):
            with open_organisation(subject, address, organisation.now) as crm:
                for user, login in organisation.logins.items():
                    with crm.session(login, read_only=True) as session:
                        for name, record_type in crm.types.items():
                            found = set(session.scalars(select(record_type.cls.id)))
                            assert found == organisation.oracle.visible(user, name), (organisation.seed, login, name)
                            seen.update((name,) if found else ())
                            hidden.update((name,) if found < organisation.oracle.rows[name].keys() else ())
                            for field in record_type.restricted:
                                readable = session._reading.readable(record_type, field)
                                assert readable == organisation.oracle.reads(user, field.restricted)
        return ()

    looking(look, plugin, database_url, seed=7)
    ours = {name for name in seen | hidden if name.startswith(plugin)}
    assert ours <= seen and ours & hidden, "nothing to see, or nothing to hide, says nothing"


def test_the_same_seed_gives_the_same_organisation():
    found = []

    def look(subject):
        for organisation, _ in organisations(subject):
            rows = organisation.oracle.rows
            found.append(
                {
                    name: [(row["id"], row["created_by"], row.get("name")) for row in rows[name].values()]
                    for name in rows
                }
            )
        return ()

    looking(look, examples=4, seed=3)
    looking(look, examples=4, seed=3)
    looking(look, examples=4, seed=4)
    assert found[0] == found[1] != found[2]


def test_words_tell_whose_they_are():
    def look(subject):
        for organisation, _ in organisations(subject):
            for name in ("account", "stakeholders.role"):
                for id_, row in organisation.oracle.rows[name].items():
                    for word in marks_in(str(row.get("name") or row.get("note"))):
                        assert [(mark.record, mark.id) for mark in organisation.marks[word]] == [(name, id_)]
                        for user in organisation.logins:
                            if not organisation.oracle.sees(user, name, id_):
                                assert organisation.hidden(user, word)
        return ()

    looking(look)


def test_grants_about_the_records_of_others_do_not_count(twins):
    (twin,) = [each for each in twins if each.folder.name == "leaks-reads"]

    def look(subject):
        assert {pattern for _, pattern, _ in widened(subject.build, subject.plugin)} == {"*.read"}
        assert all(
            grant in subject.build.policy.roles["sales"].grants for grant in honest_roles(subject.build)["sales"]
        )
        assert len(honest_roles(subject.build)["sales"]) == len(subject.build.policy.roles["sales"].grants) - 1
        return ()

    with twin.installed():
        looking(look, twin.plugin)
    looking(lambda subject: list(widened(subject.build, "stakeholders")))

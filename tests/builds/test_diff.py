"""Two builds compared, in words."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core import BuildError
from crm_core.assembly import assemble
from crm_core.builds.comparing import compare
from crm_core.builds.describing import describe, described

BEFORE = """
[crm]
plugins = ["stakeholders"]
[roles.clerk]
permissions = {"account.read" = "own", "contact.read" = "own"}
[custom_fields.account.club]
kind = "text"
length = 40
[vocabularies."activity.kind"]
tour = "Tour"
"""
AFTER = """
[crm]
currency = "EUR"
plugins = ["stakeholders", "key_accounts"]
[roles.clerk]
permissions = {"account.read" = "unit"}
[custom_fields.account.club]
kind = "text"
length = 20
required = true
[pools.east]
where = 'grade == "C"'
"""


@pytest.fixture
def files(tmp_path):
    before, after = tmp_path / "before.toml", tmp_path / "after.toml"
    before.write_text(BEFORE, encoding="utf-8")
    after.write_text(AFTER, encoding="utf-8")
    return before, after


def test_the_same_build_has_no_difference(files):
    assert compare(described(files[0]), described(files[0])) == []


def test_each_difference_has_words_and_a_weight(files):
    found = {(each.section, each.words.text()): each.weight for each in compare(*map(described, files))}
    expected = {
        ("plugins", "key_accounts: The plugin is new."): "changes",
        ("crm", "currency: It was CNY, and becomes EUR."): "changes",
        ("records", "key_accounts.plan: The record type is new."): "changes",
        ("fields", "account.custom.club: length was 40, and becomes 20."): "loses",
        ("fields", "account.custom.club: New records must give it."): "breaks",
        ("roles", "clerk: It loses contact.read, which it had at the scope own."): "breaks",
        ("roles", "clerk: The scope of account.read was own, and becomes unit."): "changes",
        ("vocabularies", "activity.kind: The word tour is gone; values that use it remain."): "breaks",
        ("rules", "pools.east: The rule is new."): "changes",
    }
    records = [each for each in assemble(files[1]).types if each.startswith("key_accounts.")]
    expected.pop(("records", "key_accounts.plan: The record type is new."))
    expected[("records", f"{records[0]}: The record type is new.")] = "changes"
    assert expected.items() <= found.items()
    assert not any(section == "fields" and "key_accounts." in words for section, words in found), "told by their record"


def test_backwards_what_was_new_is_gone(files):
    found = {each.words.text(): each.weight for each in compare(described(files[1]), described(files[0]))}
    assert found["key_accounts: The plugin is gone: its data are kept, and nobody sees them."] == "loses"
    assert any("The record type is gone" in words for words in found)


def test_another_order_of_calls_is_told(files):
    before = describe(assemble(files[1]))
    after = copy.deepcopy(before)
    hook, plugins = next((name, each) for name, each in before["hooks"].items() if len(each) > 1)
    after["hooks"][hook] = plugins[::-1]
    (found,) = compare(before, after)
    assert found.words.text().startswith(f"{hook}: The order of the calls was {', '.join(plugins)}, and becomes ")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text("ab", max_size=2),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner),
                    max_leaves=4)  # fmt: skip
SECTIONS = ("plugins", "records", "fields", "roles", "settings", "rules", "vocabularies", "crm")
DESCRIPTIONS = st.dictionaries(
    st.sampled_from(SECTIONS), st.dictionaries(st.sampled_from(["a", "b.c"]), st.dictionaries(st.just("k"), JSON))
)


@given(DESCRIPTIONS, DESCRIPTIONS)
def test_there_is_a_difference_exactly_where_values_differ(before, after):
    def values(description):
        return {(section, name): value for section, part in description.items() for name, value in part.items()}

    told = {(each.section, each.words.path) for each in compare(before, after)}
    old, new = values(before), values(after)
    differing = {
        key for key in old.keys() | new.keys()
        if key not in old or key not in new or old[key].get("k", KeyError) != new[key].get("k", KeyError)
    }  # fmt: skip
    by_record = {("fields", name) for name in ("a", "b.c")}
    assert told - by_record == differing - by_record
    assert all(each.words.text() for each in compare(before, after))


def test_on_the_command_line(files, crm, tmp_path):
    before, after = files
    shown = crm("build", "diff", before, after).out
    assert "key_accounts" in shown
    assert "The plugin is new." in shown
    assert crm("build", "diff", before, before, "--check").out.strip() == "The builds are the same."
    crm("build", "diff", before, after, "--check", code=1)
    crm("--build", before, "build", "diff", "--write", tmp_path / "old.json")
    told = crm("--build", after, "build", "diff", tmp_path / "old.json", "--json").json
    assert {"section": "crm", "name": "currency", "words": "currency: It was CNY, and becomes EUR.",
            "before": "CNY", "after": "EUR", "weight": "changes"} in told  # fmt: skip
    assert "插件" in crm("--lang", "zh_CN", "build", "diff", before, after).out
    crm("build", "diff", code=2)


def test_a_file_that_is_no_description_says_so(tmp_path):
    (tmp_path / "x.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BuildError, match="is no description of a build: it has no sections"):
        described(tmp_path / "x.json")

"""Build files that inherit: a shared base, and what one customer wants otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core import BuildError
from crm_core.assembly import assemble
from crm_core.assembly.build_file import read
from crm_core.assembly.inheritance import compose


def written(folder: Path, **files: str) -> Path:
    """Files by their names without ``.toml``; the first of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content, encoding="utf-8")
    return folder / f"{next(iter(files))}.toml"


def test_the_nearer_file_counts_and_tables_are_joined(tmp_path):
    customer = written(
        tmp_path,
        customer="""
            extends = "base.toml"
            [crm]
            name = "Acme"
            plugins = ["stakeholders"]
            [vocabularies."activity.kind"]
            plant_tour = "Plant tour"
            visit = "Sales call"
        """,
        base="""
            [crm]
            name = "Base"
            currency = "EUR"
            plugins = ["key_accounts", "stakeholders"]
            [vocabularies."activity.kind"]
            visit = "Visit"
            trial = "Trial"
        """,
    )
    file, problems = read(customer)
    assert problems == []
    assert (file.crm.name, file.crm.currency) == ("Acme", "EUR")
    assert file.crm.plugins == ("key_accounts", "stakeholders")
    assert file.vocabularies["activity.kind"] == {"visit": "Sales call", "trial": "Trial", "plant_tour": "Plant tour"}
    assert file.database == f"sqlite:///{tmp_path / 'crm.db'}"


def test_a_customer_can_switch_off_what_the_base_has(tmp_path):
    customer = written(
        tmp_path,
        customer='extends = "base.toml"\n[crm]\ndisabled = ["key_accounts"]',
        base='[crm]\nplugins = ["stakeholders", "key_accounts"]\n[plugins.key_accounts]\n',
    )
    build = assemble(customer)
    assert [plugin.name for plugin in build.plugins] == ["crm", "stakeholders"]


def test_several_are_laid_upon_each_other_and_a_path_counts_from_its_file(tmp_path):
    written(tmp_path / "shared", region='extends = "world.toml"\n[crm]\ncurrency = "EUR"',
            world='[crm]\ncurrency = "USD"\ntime_zone = "Europe/Berlin"\nname = "World"')  # fmt: skip
    written(tmp_path / "shared", trade='extends = "world.toml"\n[crm]\nname = "Trade"')
    customer = written(tmp_path / "one", customer='extends = ["../shared/region.toml", "../shared/trade.toml"]')
    file, _ = read(customer)
    assert (file.crm.currency, file.crm.time_zone, file.crm.name) == ("EUR", "Europe/Berlin", "Trade")
    names = [each.name for each in compose(customer).files]
    assert names == [
        "world.toml",
        "region.toml",
        "trade.toml",
        "customer.toml",
    ]


def test_a_mistake_is_told_with_the_file_that_it_stands_in(tmp_path):
    customer = written(
        tmp_path,
        customer='extends = "base.toml"\n[crm]\nlocale = "Deutsch"',
        base='[crm]\ncurrency = "EUR"\n[steward]\nstale_dys = 3\n[duties.fresh]\nrecord = "acount"',
    )
    with pytest.raises(BuildError) as caught:
        assemble(customer)
    told = str(caught.value)
    assert "base.toml: steward.stale_dys: 'stale_dys' is not known here" in told
    assert "customer.toml: crm.locale: 'Deutsch' is no locale" in told
    assert "base.toml: duties.fresh.record: There is no record 'acount'" in told


def test_one_file_alone_is_not_named_with_each_mistake(tmp_path):
    with pytest.raises(BuildError, match=r"\n  - crm\.locale: 'Deutsch' is no locale"):
        assemble(written(tmp_path, crm='[crm]\nlocale = "Deutsch"'))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a": 'extends = "b.toml"', "b": 'extends = "a.toml"'}, r"in a circle: a\.toml -> b\.toml -> a\.toml"),
        ({"a": 'extends = "b.toml"'}, r"There is no build file .*b\.toml, which .*a\.toml extends\. Correct extends"),
        ({"a": "extends = 3"}, r"extends must name a file, or a list of files, not 3"),
        ({"a": 'extends = "b.toml"', "b": "[crm"}, r"b\.toml is no TOML"),
    ],
)
def test_what_cannot_be_extended_says_why(tmp_path, files, told):
    with pytest.raises(BuildError, match=told):
        read(written(tmp_path, **files))


def test_a_mapping_extends_no_file():
    with pytest.raises(BuildError, match="extends: A build that is given as a mapping extends no file"):
        assemble({"extends": "base.toml"})


VALUES = st.one_of(st.integers(), st.lists(st.integers(), max_size=2))
TABLES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), VALUES | inner, max_size=3),
    max_leaves=6,
)


def toml(table: dict[str, Any]) -> str:
    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
        return str(value)

    return "\n".join(f"{key} = {inline(value)}" for key, value in table.items())


@given(far=TABLES, near=TABLES)
def test_joining_agrees_with_a_plain_model(tmp_path_factory, far, near):
    def joined(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
        both = {**under, **over}
        for key in under.keys() & over.keys():
            if isinstance(under[key], dict) and isinstance(over[key], dict):
                both[key] = joined(under[key], over[key])
        return both

    folder = tmp_path_factory.mktemp("builds")
    source = written(folder, near='extends = "far.toml"\n' + toml(near), far=toml(far))
    composed = compose(source)
    assert composed.content == joined(far, near)
    for key, value in composed.content.items():
        if not isinstance(value, dict):
            assert composed.origin(key) == (source if key in near else source.parent / "far.toml")


def test_a_plugin_is_verified_with_the_settings_of_all_files(crm, tmp_path):
    (tmp_path / "base.toml").write_text("[plugins.key_accounts]\nno_such_setting = 1\n", encoding="utf-8")
    (tmp_path / "crm.toml").write_text('extends = "base.toml"\n', encoding="utf-8")
    told = crm("--build", tmp_path / "crm.toml", "plugin", "verify", "key_accounts", "--only", "loads", code=1)
    assert "no_such_setting" in told.out
    (tmp_path / "base.toml").write_text("[crm]\nname = 'Base'\n", encoding="utf-8")
    crm("--build", tmp_path / "crm.toml", "plugin", "verify", "key_accounts", "--only", "loads")

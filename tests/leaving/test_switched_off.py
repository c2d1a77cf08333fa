"""What ``[crm] disabled`` and ``without`` mean to assembly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crm_core.assembly import Build, Found, Manifest, assemble
from crm_core.assembly.switched_off import disabled_in
from crm_core.errors import BuildError


def _refuse() -> object:
    raise AssertionError("a plugin that is switched off was looked at")


def kernel_only(*names: str) -> Any:
    """Plugins none of which may be touched."""
    return lambda: [Found(name, _refuse) for name in names]


def offering(*manifests: Manifest, closed: tuple[str, ...] = ()) -> Any:
    return lambda: [Found(each.name, lambda each=each: each) for each in manifests] + list(kernel_only(*closed)())


def needing(name: str, **requires: str) -> Manifest:
    return Manifest(name=name, version="1.0", crm_core=">=0.1,<1", module="crm_core.marker", requires=requires)


def warned(build: Build) -> list[str]:
    return [str(each) for each in build.report.warnings]


def wrong(given: Any, **options: Any) -> list[str]:
    with pytest.raises(BuildError) as caught:
        assemble(given, **options)
    return [str(each) for each in caught.value.problems]


def test_a_plugin_that_is_disabled_is_not_even_asked_for_its_manifest() -> None:
    build = assemble({"crm": {"plugins": ["gone"], "disabled": ["gone"]}}, discovery=kernel_only("gone"))

    assert [plugin.name for plugin in build.plugins] == ["crm"]
    assert [(off.plugin, off.how) for off in build.report.off] == [("gone", "disabled")]
    assert build.report.as_json()["switched_off"] == [{"plugin": "gone", "how": "disabled", "because": None}]


def test_it_need_not_be_installed() -> None:
    assert assemble({"crm": {"plugins": ["gone"], "disabled": ["gone"]}}, discovery=kernel_only()).report.off


@pytest.mark.parametrize("without", [["gone"], ["*"]])
def test_a_run_without_it_is_the_same(without: list[str]) -> None:
    build = assemble({"crm": {"plugins": ["gone"]}}, discovery=kernel_only("gone"), without=without)

    assert [(off.plugin, off.how) for off in build.report.off] == [("gone", "without")]


def test_a_misspelt_name_is_told() -> None:
    assert wrong({"crm": {"plugins": ["stakes"], "disabled": ["stakse"]}}, discovery=kernel_only("stakes"))[0] == (
        "crm.disabled[0]: 'stakse' is not among the plugins, so it cannot be switched off. "
        "Did you mean stakes? Otherwise remove it."
    )
    assert wrong({"crm": {"plugins": []}}, discovery=kernel_only("stakes"), without=["stakse"]) == [
        "without: There is no plugin 'stakse' to leave out. Did you mean stakes?"
    ]


def test_what_requires_it_has_to_be_switched_off_too() -> None:
    told = wrong(
        {"crm": {"plugins": ["base", "above"], "disabled": ["base"]}},
        discovery=offering(needing("above", base=">=1"), closed=("base",)),
    )

    assert told == [
        "above: It requires the plugin 'base', which is switched off. "
        "Switch above off, too, or base on: 'crm plugins enable base'."
    ]


def test_a_run_leaves_out_what_requires_it_by_itself() -> None:
    manifests = (needing("above", base=">=1"), needing("top", above=">=1"))
    build = assemble(
        {"crm": {"plugins": ["base", "above", "top"]}},
        discovery=offering(*manifests, closed=("base",)),
        without=["base"],
    )

    assert [(off.plugin, off.how, off.because) for off in build.report.off] == [
        ("above", "requires", "base"), ("base", "without", None), ("top", "requires", "base"),
    ]  # fmt: skip


RULES: dict[str, Any] = {
    "roles": {"clerk": {"permissions": {"gone.thing.read": "own", "account.read": "own"}}},
    "custom_fields": {"gone.thing": {"colour": {"kind": "text"}}},
    "retired_fields": {"gone.thing": {"shape": "text"}},
    "plugins": {"gone": {"anything": 1}},
    "pools": {
        "rest": {"where": "grade == 'C'", "recycle": [{"without": "gone_order", "days": 30},
                                                     {"without": "held_activity", "days": 60}]},
        "by_it": {"where": "gone.weight > 3"},
    },
    "duties": {"things": {"record": "gone.thing"}, "kept": {"record": "contact_point"}},
    "jobs": {"gone.sweep": {"enabled": False}},
    "merge": {"gone.thing": {"colour": "newer"}},
}  # fmt: skip


def test_what_the_file_says_of_it_is_kept_and_ignored_with_a_warning() -> None:
    build = assemble({"crm": {"plugins": ["gone"], "disabled": ["gone"]}, **RULES}, discovery=kernel_only("gone"))

    kept = "It is kept for the plugin gone, which is switched off, and ignored meanwhile."
    told = warned(build)
    for path in (
        'roles.clerk.permissions."gone.thing.read"',
        'custom_fields."gone.thing"',
        'retired_fields."gone.thing"',
        "plugins.gone",
        "duties.things.record",
        'jobs."gone.sweep"',
        'merge."gone.thing"',
    ):
        assert f"{path}: {kept}" in told
    assert list(build.policy.duties) == ["kept"]
    assert list(build.policy.pools) == ["rest"], "a pool whose condition cannot be read is none"
    assert [rule.signal for rule in build.policy.pools["rest"].recycle] == ["held_activity"]
    assert any(each.startswith("pools.rest.recycle[0]: No plugin that is loaded tells of") for each in told)


def test_without_it_the_same_rules_are_mistakes() -> None:
    told = wrong({"crm": {"plugins": []}, **RULES}, discovery=kernel_only())

    assert {each.partition(":")[0] for each in told} >= {
        'custom_fields."gone.thing"', "plugins.gone", "duties.things.record", 'jobs."gone.sweep"', 'merge."gone.thing"',
        "pools.rest.recycle[0].without", "pools.by_it.where",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"custom_fields": {"acount": {"x": {"kind": "text"}}}}, "custom_fields.acount"),
        ({"duties": {"a": {"record": "other.thing"}}}, "duties.a.record"),
        ({"merge": {"contakt": {"name": "newer"}}}, "merge.contakt"),
        ({"jobs": {"jobs.tydi": {"enabled": False}}}, 'jobs."jobs.tydi"'),
    ],
)
def test_a_plugin_that_is_off_excuses_no_mistake_about_others(section: dict[str, Any], path: str) -> None:
    told = wrong({"crm": {"plugins": ["gone"], "disabled": ["gone"]}, **section}, discovery=kernel_only("gone"))

    assert [each.partition(":")[0] for each in told] == [path]


def test_help_reads_what_is_disabled_without_judging_the_file(tmp_path: Path) -> None:
    base, own = tmp_path / "base.toml", tmp_path / "crm.toml"
    base.write_text('extends = ["crm.toml", "nowhere.toml"]\n[crm]\ndisabled = ["one", 7]\n', encoding="utf-8")
    own.write_text('extends = "base.toml"\n[crm]\ndisabled = ["two"]\nplugins = 5\n', encoding="utf-8")

    assert disabled_in(own) == {"one", "two"}
    own.write_text("[crm\n", encoding="utf-8")
    assert disabled_in(own) == set()
    own.write_text("crm = 5\nextends = 5\n", encoding="utf-8")
    assert disabled_in(own) == set()

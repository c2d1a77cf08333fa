"""Which plugins fit each other, judged before any of them is imported."""

from __future__ import annotations

from typing import Any

import pytest

from crm_core.assembly import Found, Manifest
from crm_core.assembly.selection import select
from crm_core.assembly.verdicts import Verdicts
from crm_core.errors import CrmError


def manifest(name: str, **options: Any) -> Manifest:
    return Manifest(name=name, module=f"{name}.hooks", **{"version": "1.0", "crm_core": ">=0.1,<1", **options})


def chosen(wanted: list[str], *offers: Manifest | Found) -> tuple[list[str], Verdicts]:
    verdicts = Verdicts()
    found = [
        each if isinstance(each, Found) else Found(each.name, lambda each=each: each, f"crm-{each.name}", "1.0")
        for each in offers
    ]
    return [each.manifest.name for each in select(wanted, found, verdicts)], verdicts


def told(verdicts: Verdicts) -> list[str]:
    return [str(problem) for problem in verdicts.causes()]


def test_plugins_load_after_what_they_require_and_else_by_name() -> None:
    names, verdicts = chosen(
        ["c", "b", "a"], manifest("a", requires={"c": ">=1"}), manifest("b"), manifest("c"), manifest("unwanted")
    )

    assert names == ["b", "c", "a"]
    assert told(verdicts) == []


def test_a_misspelt_plugin_is_told_with_the_one_that_was_meant() -> None:
    _, verdicts = chosen(["key_acounts"], manifest("key_accounts"))

    assert told(verdicts) == [
        "crm.plugins: There is no plugin 'key_acounts'. Did you mean key_accounts? Otherwise install its distribution."
    ]


def test_where_nothing_is_installed_nothing_is_suggested() -> None:
    _, verdicts = chosen(["key_accounts"])

    assert told(verdicts) == ["crm.plugins: There is no plugin 'key_accounts'. Install its distribution."]


def test_a_manifest_that_cannot_be_imported_names_the_distribution() -> None:
    def broken() -> object:
        raise ImportError("no module named 'attrz'")

    _, verdicts = chosen(["a"], Found("a", broken, "crm-a", "1.2"))

    assert told(verdicts) == [
        "a: The manifest in crm-a 1.2 cannot be imported: ImportError: no module named 'attrz'. "
        "Repair it, or install the distribution again."
    ]


@pytest.mark.parametrize(("what", "words"), [(5, "leads to 5"), (manifest("b"), "leads to the manifest of 'b'")])
def test_an_entry_point_must_lead_to_the_manifest_of_its_name(what: object, words: str) -> None:
    _, verdicts = chosen(["a"], Found("a", lambda: what, "crm-a", "1"))

    assert words in told(verdicts)[0]


def test_all_that_does_not_fit_is_told_at_once() -> None:
    names, verdicts = chosen(
        ["a", "b", "c", "d"],
        manifest("a", crm_core=">=2", requires={"b": ">=2", "missing": ""}),
        manifest("b", version="one"),
        manifest("c", crm_core="around 3", requires={"a": "any", "unlisted": ">=1"}),
        manifest("d"),
        manifest("unlisted"),
    )

    assert names == ["b", "a", "c", "d"]
    assert told(verdicts) == [
        "a: It works with the contract >=2; this kernel offers 0.1. "
        "Install a version of the plugin, or of crm-core, that fits the other.",
        "a: It requires the plugin 'missing', which is not in the build. Install it, and add it to [crm] plugins. "
        "Did the author mean unlisted, a, b?",
        "b: 'one' is no version. Write it as 1.4.2.",
        "c: 'around 3' is no set of versions. Write it as >=0.1,<1.",
        "c: 'any' is no set of versions. Write it as >=0.1,<1.",
        "c: It requires the plugin 'unlisted', which is not in the build. Add 'unlisted' to plugins in [crm].",
    ]


def test_a_required_plugin_of_another_version_is_refused() -> None:
    _, verdicts = chosen(["a", "b"], manifest("a", requires={"b": ">=2"}), manifest("b", version="1.9"))

    assert told(verdicts) == ["a: It requires b >=2; version 1.9 is there. Install versions that fit each other."]


def test_a_version_under_development_satisfies_a_requirement() -> None:
    _, verdicts = chosen(["a", "b"], manifest("a", requires={"b": ">=0.1"}), manifest("b", version="0.2.dev0"))

    assert told(verdicts) == []


def test_plugins_in_a_circle_are_all_left_out_with_those_that_wait_for_them() -> None:
    names, verdicts = chosen(
        ["a", "b", "c", "d"],
        manifest("a", requires={"b": ""}),
        manifest("b", requires={"a": ""}),
        manifest("c", requires={"a": ""}),
        manifest("d"),
    )

    assert names == ["d"]
    assert told(verdicts) == [
        f"{name}: Plugins require each other in a circle: a -> b -> a. Move what both need into a third plugin."
        for name in ("a", "b")
    ]
    assert verdicts.plugins["c"].because == "a"


def test_whoever_requires_a_plugin_that_cannot_be_found_follows_it() -> None:
    _, verdicts = chosen(["a", "b"], manifest("a", requires={"b": ""}))

    assert "There is no plugin 'b'" in told(verdicts)[0]
    assert len(told(verdicts)) == 1


def test_a_manifest_that_lags_behind_its_distribution_is_a_warning() -> None:
    names, verdicts = chosen(["a"], manifest("a", version="0.9"))

    assert names == ["a"]
    assert [str(problem) for problem in verdicts.warnings] == [
        "a: The manifest says version 0.9, its distribution is crm-a 1.0. "
        "Install the distribution again, or correct the manifest."
    ]


def test_an_error_in_a_manifest_keeps_its_words() -> None:
    def broken() -> object:
        raise CrmError("Half a manifest.")

    _, verdicts = chosen(["a"], Found("a", broken))

    assert "The manifest in the application cannot be imported: CrmError: Half a manifest." in told(verdicts)[0]

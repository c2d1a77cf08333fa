"""Finding plugins: by entry points of distributions, duplicates and all."""

from __future__ import annotations

import pytest

from crm_core.assembly import Found, Manifest, assemble, commands, given, installed
from crm_core.errors import BuildError


def test_installed_plugins_are_found_with_distribution_and_version(install) -> None:
    install("crm-misspelt-hook")

    (found,) = [each for each in installed() if each.name == "misspelt_hook"]

    assert (found.distribution, found.version) == ("crm-misspelt-hook", "1.0")
    assert found.origin == "crm-misspelt-hook 1.0"
    assert isinstance(found.load(), Manifest)


def test_a_manifest_is_read_without_importing_the_plugin(install) -> None:
    import sys

    install("crm-broken-mapping")
    (found,) = [each for each in installed() if each.name == "broken_mapping"]
    found.load()

    assert "crm_broken_mapping.records" not in sys.modules


def test_two_distributions_with_one_plugin_are_refused_and_both_are_named(install) -> None:
    install("crm-duplicate-a", "crm-duplicate-b")

    with pytest.raises(BuildError) as raised:
        assemble({"crm": {"plugins": ["duplicate"]}})

    (problem,) = raised.value.problems
    assert str(problem) == (
        "crm.plugins: Two distributions bring the plugin 'duplicate': crm-duplicate-a 1.0 and crm-duplicate-b 2.0. "
        "Uninstall one of them."
    )


def test_a_duplicate_that_the_build_does_not_want_is_none_of_its_business(install) -> None:
    install("crm-duplicate-a", "crm-duplicate-b")

    assert [entry.name for entry in assemble({}).report.loaded] == ["crm"]


def test_plugins_of_an_application_need_no_distribution() -> None:
    manifest = Manifest(name="own", version="1", crm_core=">=0.1", module="x", commands={"go": ("x:go", "Goes.")})
    discovery = given(manifest)

    (found,) = discovery()

    assert found.load() is manifest
    assert found.origin == "the application"


def test_commands_for_help_come_from_manifests_and_pass_over_broken_ones() -> None:
    def broken() -> object:
        raise ImportError("half installed")

    one = Manifest(name="a", version="1", crm_core=">=0.1", module="x", commands={"go": ("x:go", "Goes.")})
    two = Manifest(name="b", version="1", crm_core=">=0.1", module="y", commands={"go": ("y:go", "Goes too.")})
    found = [Found("z", broken), Found("y", lambda: 5), *given(one, two)()]

    assert {name: (plugin, command.help) for name, (plugin, command) in commands(lambda: found).items()} == {
        "go": ("a", "Goes.")
    }

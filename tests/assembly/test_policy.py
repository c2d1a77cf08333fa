"""Roles, vocabularies and permissions of kernel, plugins and build file, taken together."""

from __future__ import annotations

import pytest

from crm_core.assembly.load import assemble
from crm_core.errors import BuildError
from crm_core.store.policy import Scope

ADDING = """
    @hookimpl
    def crm_register_permissions():
        return {"deal.close": "Close deals"}

    @hookimpl
    def crm_register_roles():
        return [Role("sales", (("deal.close", Scope.OWN),)), Role("closer", (("deal.close", Scope.ALL),))]

    @hookimpl
    def crm_register_vocabularies():
        return {"activity.kind": {"visit": "Another visit", "tasting": "Tasting"}, "deal.kind": {"big": "Big"}}

    @hookimpl
    def crm_register_transforms():
        return {"upper": str.upper}
"""


def problems(build, *manifests, **config) -> list[str]:
    with pytest.raises(BuildError) as raised:
        build(*manifests, **config)
    return [str(problem) for problem in raised.value.problems]


def test_the_kernel_alone_has_roles_words_and_permissions() -> None:
    build = assemble({})

    assert set(build.policy.roles) == {"administrator", "manager", "sales", "steward", "reader", "editor"}
    assert set(build.policy.vocabularies) == {
        "account.kind", "account.relation", "account.signal", "activity.kind", "quality.kind", "role",
    }  # fmt: skip
    assert build.policy.vocabularies["role"]["sales"] == "Salesperson"
    assert {f"{name}.{verb}" for name in build.types for verb in ("create", "read", "update", "delete")} < set(
        build.permissions
    )
    assert {"activity.read_notes", "contact.erase", "system.impersonate", "system.undo"} < set(build.permissions)


@pytest.mark.parametrize(
    ("role", "permission", "scope"),
    [
        ("administrator", "system.impersonate", Scope.ALL),
        ("manager", "account.read", Scope.SUBTREE),
        ("manager", "account.delete", Scope.SUBTREE),
        ("manager", "ownership.create", Scope.SUBTREE),
        ("manager", "user.create", None),
        ("manager", "system.undo", None),
        ("sales", "account.create", Scope.OWN),
        ("sales", "account.update", Scope.OWN),
        ("sales", "account.delete", None),
        ("sales", "activity.delete", Scope.OWN),
        ("sales", "activity.read_notes", Scope.OWN),
        ("sales", "ownership.create", None),
        ("reader", "project_sales.project.read", Scope.OWN),
        ("reader", "account.update", None),
        ("reader", "contact.read_notes", None),
        ("editor", "contact.update", Scope.OWN),
        ("editor", "contact.delete", None),
    ],
)
def test_the_roles_of_the_kernel_reach_so_far(role: str, permission: str, scope: Scope | None) -> None:
    assert assemble({}).policy.roles[role].scope(permission) == scope


def test_no_role_of_the_kernel_grants_in_vain() -> None:
    assert assemble({}).report.warnings == ()


def test_a_plugin_adds_roles_grants_words_and_transforms(build, write_plugin) -> None:
    made = build(write_plugin("policy_adding", ADDING))

    assert made.policy.roles["sales"].scope("deal.close") == Scope.OWN
    assert made.policy.roles["sales"].scope("account.update") == Scope.OWN
    assert made.policy.roles["closer"].scope("deal.close") == Scope.ALL
    assert made.policy.vocabularies["role"]["closer"] == "closer"
    # The one who came first has named the word.
    assert made.policy.vocabularies["activity.kind"]["visit"] == "Visit"
    assert made.policy.vocabularies["activity.kind"]["tasting"] == "Tasting"
    assert made.policy.vocabularies["deal.kind"] == {"big": "Big"}
    assert made.permissions["deal.close"] == "Close deals"
    assert made.transforms["upper"]("a") == "A"


def test_the_build_file_has_the_last_word(build, write_plugin) -> None:
    made = build(
        write_plugin("policy_last_word", ADDING),
        roles={"sales": {"permissions": {"account.read": "unit"}}, "guest": {"permissions": {}, "label": "Guest"}},
        vocabularies={"activity.kind": {"visit": "Call on", "tour": "Tour"}},
        crm={"time_zone": "Asia/Shanghai", "creator_owns": False, "currency": "EUR"},
    )

    assert made.policy.roles["sales"].grants == (("account.read", Scope.UNIT),)
    assert made.policy.vocabularies["role"]["guest"] == "Guest"
    assert made.policy.vocabularies["activity.kind"]["visit"] == "Call on"
    assert made.policy.vocabularies["activity.kind"]["tour"] == "Tour"
    assert str(made.policy.tz) == "Asia/Shanghai"
    assert (made.policy.creator_owns, made.policy.currency) == (False, "EUR")


def test_one_name_has_one_owner(build, write_plugin) -> None:
    first = write_plugin("policy_first", ADDING, commands={"go": ("x:go", "")})
    second = write_plugin(
        "policy_second",
        """
        import click

        @hookimpl
        def crm_register_permissions():
            return {"deal.close": "Close deals", "account.read": "See"}

        @hookimpl
        def crm_register_transforms():
            return {"upper": str.upper}

        @hookimpl
        def crm_register_commands():
            return [click.Command("go")]

        @hookimpl
        def crm_register_vocabularies():
            return {"role": {"king": "King"}}
        """,
    )

    assert problems(build, first, second) == [
        "policy_second: The permission 'deal.close' is registered by policy_first already. Rename one of them.",
        "policy_second: The permission 'account.read' is registered by crm already. Rename one of them.",
        "policy_second: The transform 'upper' is registered by policy_first already. Rename one of them.",
        "policy_second: The command 'go' is registered by policy_first already. Rename one of them.",
        "policy_second: The vocabulary 'role' follows from the roles. Register a role instead.",
    ]


def test_commands_are_those_of_manifests_and_of_hooks(build, write_plugin) -> None:
    source = """
        import click

        @hookimpl
        def crm_register_commands():
            return [click.Command("stop")]
    """
    made = build(write_plugin("policy_commands", source, commands={"go": ("x:go", "Goes.")}))

    assert set(made.commands) == {"go", "stop"}


def test_a_misspelt_vocabulary_is_refused(build) -> None:
    (problem,) = problems(build, vocabularies={"activity.knd": {"a": "A"}})
    assert "There is no vocabulary 'activity.knd' to add words to. Did you mean activity.kind?" in problem

    (problem,) = problems(build, vocabularies={"role": {"king": "King"}})
    assert "A role is declared by [roles.<name>]." in problem


def test_a_grant_that_matches_nothing_is_a_warning(build, write_plugin) -> None:
    source = """
        @hookimpl
        def crm_register_roles():
            return [Role("sales", (("deal.cloze", Scope.OWN),))]
    """
    made = build(
        write_plugin("policy_idle", source),
        roles={"guest": {"permissions": {"acount.read": "own", "acount.*": "own", "*.read": "own"}}},
    )

    texts = [str(problem) for problem in made.report.warnings]
    assert texts[0].startswith("role sales: 'deal.cloze' matches no permission of this build.")
    assert texts[1].startswith(
        "roles.guest.permissions.\"acount.read\": 'acount.read' matches no permission of this build. "
        "Did you mean account.read?"
    )
    assert texts[2].endswith("'acount.*' matches no permission of this build. ") or texts[2].endswith("build.")
    assert len(texts) == 3


def test_two_roles_of_one_plugin_under_one_name_are_one(build, write_plugin) -> None:
    source = """
        @hookimpl
        def crm_register_roles():
            return [Role("x", (("account.read", Scope.OWN),)), Role("x", (("account.read", Scope.UNIT),), "X")]
    """
    role = build(write_plugin("policy_twice", source)).policy.roles["x"]

    assert role.scope("account.read") == Scope.UNIT

"""What plugins register, and what becomes of answers that no hook describes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import click
import pytest

from crm_core.assembly.contributions import contributions
from crm_core.domain.accounts import Account
from crm_core.hooks import Job, hookimpl
from crm_core.records import Record
from crm_core.store.policy import Role, Scope


def registering(**answers: Any) -> SimpleNamespace:
    """A plugin whose ``crm_register_<name>`` answers what is given."""

    def make(name: str, answer: Any) -> Any:
        def implementation() -> Any:
            return answer

        return hookimpl(specname=f"crm_register_{name.rstrip('_')}")(implementation)

    return SimpleNamespace(**{name: make(name, answer) for name, answer in answers.items()})


def test_everything_that_is_registered_is_found() -> None:
    @attrs.frozen
    class Settings:
        limit: int = 1

    role = Role("buyer", (("*.read", Scope.OWN),))
    command = click.Command("go")

    found, problems = contributions(
        "a",
        registering(
            settings=Settings,
            permissions={"deal.close": "Close"},
            roles=[role],
            vocabularies={"activity.kind": {"tasting": "Tasting"}},
            vocabularies_={"activity.kind": {"tour": "Tour"}, "deal.kind": {}},
            transforms={"upper": str.upper},
            commands=iter([command]),
            foreign_names=[Path(__file__)],
        ),
    )

    assert problems == []
    assert found.settings is Settings
    assert found.permissions == {"deal.close": "Close"}
    assert found.roles == (role,)
    assert found.vocabularies == {"activity.kind": {"tasting": "Tasting", "tour": "Tour"}, "deal.kind": {}}
    assert found.transforms == {"upper": str.upper}
    assert found.commands == (command,)
    assert found.foreign_names == (Path(__file__),)


def test_permissions_follow_from_record_types() -> None:
    found, _ = contributions("crm", registering(records=[Account]))

    assert found.permissions == {
        "account.create": "Create: Account",
        "account.read": "See: Account",
        "account.update": "Change: Account",
        "account.delete": "Delete: Account",
    }


def test_nothing_registered_is_nothing_wrong() -> None:
    found, problems = contributions("a", registering(records=None, settings=None, commands=None))

    assert problems == []
    assert found.types == ()


@attrs.define
class Loose:
    pass


class Bare(Record):
    pass


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("records", [5], "5 is no class declared by @record or @extends."),
        ("records", [Bare], "is no class declared by @record or @extends."),
        ("records", [Account], "The record 'account' belongs to the kernel by its name; call it a.<noun>."),
        ("records", 5, "'int' object is not iterable"),
        ("settings", {}, "{} is no attrs class."),
        ("settings", str, "is no attrs class."),
        ("settings", Loose, "Loose is not frozen"),
        ("permissions", {"Close": "x"}, "'Close' is no permission; write it as <record>.<verb>."),
        ("permissions", {"deal.close": 5}, "Expected a text for the description of deal.close, not 5."),
        ("permissions", ["deal.close"], "no attribute 'items'"),
        ("roles", [("buyer", ())], "is no Role."),
        ("vocabularies", {"kind": {"": "x"}}, "Expected a text for a word of kind, not ''."),
        ("vocabularies", {"kind": ["x"]}, "no attribute 'items'"),
        ("transforms", {"upper": "str.upper"}, "The transform 'upper' cannot be called"),
        ("commands", [print], "is no Command."),
        ("foreign_names", ["salesforce.toml"], "'salesforce.toml' is no Path."),
        ("foreign_names", [Path("nowhere.toml")], "There is no file nowhere.toml."),
    ],
)
def test_an_answer_that_the_hook_does_not_describe_is_refused(name: str, answer: Any, words: str) -> None:
    _, (problem,) = contributions("a", registering(**{name: answer}))

    assert words in str(problem)
    assert str(problem).startswith(f"a.crm_register_{name}: ")


def test_a_record_of_another_plugin_is_refused(write_plugin) -> None:
    import importlib

    manifest = write_plugin(
        "contributions_owner",
        """
        @record("contributions_owner.thing", access=public())
        class Thing(Record):
            name: Mapped[str] = text()
        """,
    )
    thing = importlib.import_module(manifest.module).Thing

    _, (problem,) = contributions("a", registering(records=[thing]))

    assert "belongs to the plugin 'contributions_owner' by its name" in str(problem)


def test_two_classes_of_settings_are_one_too_many() -> None:
    frozen = attrs.make_class("Settings", [], frozen=True)

    _, (problem,) = contributions("a", registering(settings=frozen, settings_=frozen))

    assert "There are two classes for settings. Keep one." in str(problem)


def test_an_implementation_that_raises_is_told_with_hook_and_cause() -> None:
    @hookimpl
    def crm_register_commands() -> Any:
        raise ImportError("no module named 'rich2'")

    _, (problem,) = contributions("a", SimpleNamespace(crm_register_commands=crm_register_commands))

    assert "a: crm_register_commands failed: ImportError: no module named 'rich2'" in str(problem)


def test_an_implementation_may_yield_and_fail_while_it_is_read() -> None:
    @hookimpl
    def crm_register_roles() -> Any:
        yield Role("x", ())
        raise ValueError("half way")

    _, (problem,) = contributions("a", SimpleNamespace(crm_register_roles=crm_register_roles))

    assert "half way" in str(problem)


def test_jobs_are_found_and_named_after_their_plugin() -> None:
    @hookimpl
    def crm_register_jobs() -> Any:
        return [Job(name="a.clean", run=print, schedule="FREQ=DAILY;BYHOUR=2")]

    found, problems = contributions("a", SimpleNamespace(crm_register_jobs=crm_register_jobs))

    assert problems == []
    assert [job.name for job in found.jobs] == ["a.clean"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job(name="b.clean", run=print), "call it a.<verb>"),
        (Job(name="clean", run=print), "call it a.<verb>"),
        (Job(name="a.clean", run=print, schedule="every night"), "no readable schedule"),
        ("a.clean", "is no Job"),
    ],
)
def test_a_job_that_cannot_be_run_is_told(job: Any, words: str) -> None:
    found, (problem,) = contributions("a", registering(jobs=[job]))

    assert found.jobs == ()
    assert words in str(problem)

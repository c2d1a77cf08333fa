"""What can be wrong with an implementation is said before anything is called, all of it, with the mend."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crm_core import Record
from crm_core.errors import BuildError
from crm_core.hooks import SPECS, Dispatcher, hookimpl, mistakes, only_for, unknown_records


def test_a_misspelt_hook_names_the_one_that_was_meant(plugin) -> None:
    def crm_on_chnages(session, batch): ...

    name, module = plugin("sloppy", crm_on_chnages)

    (problem,) = mistakes(name, module)

    assert str(problem) == ("sloppy.crm_on_chnages: There is no hook 'crm_on_chnages'. Did you mean crm_on_changes?")


def test_a_hook_under_another_name_is_judged_by_the_hook() -> None:
    @hookimpl(specname="crm_on_chnages")
    def told(session): ...

    @hookimpl(specname="crm_on_changes")
    def told_too(session): ...

    found = mistakes("a", SimpleNamespace(told=told, told_too=told_too))

    assert [problem.path for problem in found] == ["a.crm_on_chnages"]


def test_a_default_is_refused_because_it_would_never_be_filled(plugin) -> None:
    def crm_on_changes(session, batch=None): ...

    (problem,) = mistakes(*plugin("a", crm_on_changes))

    assert "'batch' of crm_on_changes has a default" in str(problem)
    assert "Remove the default: crm_on_changes(session, batch)." in str(problem)


def test_an_unknown_parameter_is_refused_with_the_signature(plugin) -> None:
    def crm_check_changes(session, changes): ...

    (problem,) = mistakes(*plugin("a", crm_check_changes))

    assert str(problem) == (
        "a.crm_check_changes: crm_check_changes has no parameter 'changes'. "
        "Its parameters are those of crm_check_changes(session, system, batch)."
    )


def test_everything_wrong_is_reported_at_once(plugin) -> None:
    def crm_check_changes(session, changes, *others, system=None, **more): ...

    def crm_on_changes(session, batch=None): ...

    def crm_gather_timline(session): ...

    first = plugin("a", crm_check_changes, crm_on_changes)
    second = plugin("b", crm_gather_timline)

    with pytest.raises(BuildError) as raised:
        Dispatcher([first, second])

    assert [problem.path for problem in raised.value.problems] == [
        "a.crm_check_changes",
        "a.crm_check_changes",
        "a.crm_check_changes",
        "a.crm_check_changes",
        "a.crm_on_changes",
        "b.crm_gather_timline",
    ]


def test_a_hook_without_the_mark_is_not_silently_ignored(plugin) -> None:
    def crm_on_changes(session, batch): ...

    (problem,) = mistakes(*plugin("a", crm_on_changes, marked=False))

    assert "is not marked" in str(problem)
    assert "@hookimpl" in str(problem)


@pytest.mark.parametrize("option", ["tryfirst", "trylast", "wrapper"])
def test_nobody_pushes_to_the_front(option: str) -> None:
    if option == "wrapper":

        def crm_on_changes(session, batch):
            yield
    else:

        def crm_on_changes(session, batch): ...

    namespace = SimpleNamespace(crm_on_changes=hookimpl(**{option: True})(crm_on_changes))

    found = [str(problem) for problem in mistakes("a", namespace)]

    assert any(f"asks for {option}, but the order of plugins decides" in text for text in found)


def test_an_implementation_that_would_never_run_is_refused(plugin) -> None:
    async def crm_check_changes(session): ...

    def crm_on_changes(session):
        yield

    async def crm_gather_overview(session):
        yield

    found = [str(problem) for problem in mistakes(*plugin("a", crm_check_changes, crm_on_changes, crm_gather_overview))]

    assert sum("asynchronous" in text for text in found) == 2
    assert sum("contains yield" in text for text in found) == 1


def test_a_check_may_be_a_generator(plugin) -> None:
    def crm_check_changes(batch):
        yield "no"

    assert mistakes(*plugin("a", crm_check_changes)) == []


def test_every_spec_says_since_when_when_what_it_returns_and_what_a_failure_does() -> None:
    for spec in SPECS.values():
        assert "Since 0." in spec.doc, spec.name
        assert "Called" in spec.doc, spec.name
        assert "Returns" in spec.doc, spec.name
        assert "aise" in spec.doc or "raising" in spec.doc, spec.name
        assert "failing" in spec.doc or "fails" in spec.doc, spec.name


def test_names_follow_the_grammar_of_their_family() -> None:
    prefixes = {
        "registration": "crm_register_",
        "checks": "crm_check_",
        "gathering": "crm_gather_",
        "events": "crm_on_",
    }

    assert all(spec.name.startswith(prefixes[spec.family]) for spec in SPECS.values())


def test_only_for_says_something_of_changes_alone(plugin) -> None:
    @only_for("account")
    def crm_gather_overview(session, accounts): ...

    (problem,) = mistakes(*plugin("a", crm_gather_overview))

    assert str(problem) == (
        "a.crm_gather_overview: crm_gather_overview is not about changes, so @only_for says nothing. Remove @only_for."
    )


def test_only_for_an_operation_that_does_not_exist_names_those_that_do(plugin) -> None:
    @only_for("account", operations=("created",))
    def crm_on_changes(session, batch): ...

    (problem,) = mistakes(*plugin("a", crm_on_changes))

    assert str(problem) == (
        "a.crm_on_changes: crm_on_changes is only for the operation 'created', which does not exist. "
        "Name some of create, update, delete."
    )


def test_only_for_nothing_is_refused_because_nobody_knows_what_was_meant(plugin) -> None:
    @only_for()
    def crm_on_changes(session, batch): ...

    (problem,) = mistakes(*plugin("a", crm_on_changes))

    assert "does not say what it is only for" in str(problem)


def test_one_operation_as_a_text_is_told_with_the_tuple_that_was_meant(plugin) -> None:
    @only_for("account", operations="update")
    def crm_on_changes(session, batch): ...

    (problem,) = mistakes(*plugin("a", crm_on_changes))

    assert str(problem) == (
        "a.crm_on_changes: The operations that crm_on_changes is only for are one text, 'update', of which each letter "
        "would be an operation. Write a tuple: operations=('update',)."
    )


@pytest.mark.parametrize("above", [True, False])
def test_only_for_without_parentheses_is_told_as_that(above: bool) -> None:
    def crm_on_changes(session, batch): ...

    marked = only_for(hookimpl(crm_on_changes)) if above else hookimpl(only_for(crm_on_changes))
    (problem,) = mistakes("a", SimpleNamespace(crm_on_changes=marked))

    assert str(problem) == (
        "a.crm_on_changes: Above crm_on_changes, @only_for stands without parentheses, so it does not say what it is "
        "only for. "
        'Name record types or operations: @only_for(Account), or @only_for("account", operations=("create",)).'
    )


def test_only_for_what_is_no_record_is_told_with_all_else_that_is_wrong(plugin) -> None:
    class Settings: ...

    @only_for(Settings, ["contact"], "account", operations="create")
    def crm_on_changes(session, batch, more): ...

    found = [str(problem) for problem in mistakes(*plugin("a", crm_on_changes))]

    assert "crm_on_changes has no parameter 'more'" in found[0]
    assert "Settings, which is no record. Name classes that @record or @extends declares" in found[1]
    assert "crm_on_changes is only for ['contact'], which is no record." in found[2]
    assert "Write a tuple: operations=('create',)" in found[3]
    assert len(found) == 4


def test_a_record_class_that_is_not_declared_is_no_record(plugin) -> None:
    class Undeclared(Record):
        __abstract__ = True

    @only_for(Undeclared)
    def crm_on_changes(session, batch): ...

    (problem,) = mistakes(*plugin("a", crm_on_changes))

    assert "Undeclared, which is no record" in str(problem)


def test_only_for_a_record_that_does_not_exist_would_never_be_called(plugin) -> None:
    @only_for("acount", "a.thign", "b.gone", "elsewhere.thing")
    def crm_on_changes(session, batch): ...

    name, module = plugin("a", crm_on_changes)
    found = unknown_records(name, module, {"account", "contact", "a.thing", "b.thing"}, {"a", "b", "crm"})

    assert [str(problem) for problem in found] == [
        "a.crm_on_changes: crm_on_changes is only for 'a.thign', which is no record type. Did you mean a.thing?",
        "a.crm_on_changes: crm_on_changes is only for 'acount', which is no record type. Did you mean account?",
        "a.crm_on_changes: crm_on_changes is only for 'b.gone', which is no record type. Did you mean b.thing, "
        "a.thing, account?",
    ]

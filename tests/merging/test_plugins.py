"""What plugins say of a merge, and what is moved while they are switched off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import attrs
import pytest
from sqlalchemy import select

from crm_core import Account, Contact, GiveWay, Merging, Objection, Problem, SoftReference, merging
from crm_core.errors import HookError, MergeConflict
from crm_core.hooks import Dispatcher, hookimpl
from crm_core.store.store import Store
from crm_core.store.tables import REFERENCE

from .conftest import Company
from .records import KERNEL_TYPES, POLICY, Clause, Machine, Memo, Plugins, Rating, Review, Term, dangling, dump

MERGING = Merging(record_type="account", target_id=1, source_id=2)


class Answers:
    """A plugin that answers with what it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Merging] = []

    @hookimpl
    def crm_check_merge(self, merging: Merging) -> Any:
        self.asked.append(merging)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Looks:
    """A plugin that looks with the eyes of the system."""

    @hookimpl
    def crm_check_merge(self, system: Any, merging: Merging) -> Iterable[str]:
        assert system.actor.system
        yield f"{merging.source_id} stays"


def ask(*plugins: Any, session: Any = None) -> frozenset[str]:
    dispatcher = Dispatcher((f"p{number}", plugin) for number, plugin in enumerate(plugins))
    return dispatcher.check_merge(session, "account", 1, 2)


def test_every_plugin_is_asked_and_may_give_way() -> None:
    one, other = Answers([GiveWay("p.row")]), Answers(None)
    assert ask(one, other, Answers(GiveWay("q.row"))) == frozenset({"p.row", "q.row"})
    assert one.asked == other.asked == [MERGING]
    assert ask() == frozenset()


def test_objections_are_raised_together(company: Company) -> None:
    plugins = (Answers("no"), Answers([Problem("x", "never")]), Answers(Objection("{why}", why="because")), Looks())
    with company.session() as session, pytest.raises(Objection) as caught:
        ask(*plugins, session=session)
    assert [str(each) for each in caught.value.problems] == ["p0: no", "p1: x: never", "p2: because", "p3: 2 stays"]


@pytest.mark.parametrize("answer", [RuntimeError("broken"), [3]])
def test_a_failure_stops_the_merge(answer: Any) -> None:
    with pytest.raises(HookError, match="p0: crm_check_merge failed"):
        ask(Answers(answer))


# -- switched off ----------------------------------------------------------------------------------------------


@contextmanager
def switched_off(company: Company) -> Iterator[Company]:
    """The same company with the kernel alone."""
    kernel = attrs.evolve(POLICY, references=tuple(each for each in POLICY.references if each.record in KERNEL_TYPES))
    store = Store(company.store.engine.url.render_as_string(False), KERNEL_TYPES, kernel, Plugins())
    yield Company(store, company.users)
    store.close()


def populated(company: Company) -> tuple[int, int]:
    one, other = company.account("li"), company.account("wang")
    ann = company.person(None)
    with company.session() as session:
        session.add_all(
            [
                Machine(account_id=other, spare_for_id=one, name="M"),
                Machine(account_id=one, spare_for_id=other, name="N"),
                Memo(account_id=one, about_type="account", about_id=other, payer=other),
                Memo(about_type="contact", about_id=ann),
                Term(account_id=other, line="a"),
            ]
        )
        rating = Rating(stars=4, remark="ü", secret="s")
        rating.id = other
        session.add(rating)
        session.add(Review(rating_id=other, note="fine"))
        session.flush()
        (term,) = session.list(Term)
        session.add(Clause(term_id=term.id))
    return one, other


def merge(company: Company, one: int, other: int, login: str | None = None) -> Any:
    with company.session(login) as session:
        return merging.merge(session, session.require(Account, one), session.require(Account, other))


def test_what_a_plugin_has_is_moved_and_brought_back_while_it_is_off(company: Company) -> None:
    one, other = populated(company)
    before = dump(company.store)
    with switched_off(company) as without:
        report = merge(without, one, other)
        assert report.moved["merge_probe.memo.about_id"] == report.moved["merge_probe.machine.account_id"] == 1
    assert dangling(company.store) == []
    with company.session() as session:
        assert (session.require(Rating, one).remark, session.require(Rating, one).secret) == ("ü", "s")
        assert [(row.account_id, row.spare_for_id) for row in session.list(Machine, order="name")] == [(one, one)] * 2
        assert {(row.about_type, row.about_id, row.payer) for row in session.list(Memo)} == {
            ("account", one, one), ("contact", session.list(Contact)[0].id, None),
        }  # fmt: skip
        assert [row.rating_id for row in session.list(Review)] == [one]
    with switched_off(company) as without, without.session() as session:
        merging.split(session, other)
    assert dump(company.store) == before


def test_a_merge_with_the_plugin_off_can_be_split_with_it_on(company: Company) -> None:
    one, other = populated(company)
    before = dump(company.store)
    with switched_off(company) as without:
        merge(without, one, other)
    with company.session() as session:
        merging.split(session, other)
    assert dump(company.store) == before


def test_two_extensions_of_a_plugin_that_is_off_stand_in_the_way(company: Company) -> None:
    one, other = populated(company)
    with company.session() as session:
        rating = Rating(stars=1)
        rating.id = one
        session.add(rating)
    before = dump(company.store)
    with switched_off(company) as without, pytest.raises(MergeConflict, match="Switch on the plugin merge_probe"):
        merge(without, one, other)
    with switched_off(company) as without, pytest.raises(MergeConflict, match="that you may not see"):
        merge(without, one, other, "qian")
    assert dump(company.store) == before


def test_the_catalogue_names_soft_references(company: Company) -> None:
    with company.session() as session:
        rows = session.core(select(REFERENCE).where(REFERENCE.c.action == "soft", REFERENCE.c.plugin == "merge_probe"))
        assert {(row.table, row.column, row.type_column, row.target) for row in rows} == {
            ("merge_probe__memo", "about_id", "about_type", ""), ("merge_probe__memo", "payer", None, "crm_account"),
        }  # fmt: skip


# -- registration ----------------------------------------------------------------------------------------------


def test_references_are_checked_at_assembly() -> None:
    from crm_core.assembly.contributions import contributions

    def problem(*references: Any) -> str:
        namespace = ModuleType("probe")

        def crm_register_records() -> list[type]:
            return [Memo]

        def crm_register_references() -> list[Any]:
            return list(references)

        for function in (crm_register_records, crm_register_references):
            setattr(namespace, function.__name__, hookimpl(function))
        found, problems = contributions("merge_probe", namespace)
        return "; ".join(map(str, problems)) or str(len(found.references))

    whole = SoftReference(record="merge_probe.memo", type_field="about_type", id_field="about_id")
    assert problem(whole) == "1"
    assert "no record of the plugin" in problem(attrs.evolve(whole, record="account"))
    assert "has no field 'about'" in problem(attrs.evolve(whole, id_field="about"))
    assert "either type_field or target" in problem(attrs.evolve(whole, target="account"))
    assert "either type_field or target" in problem(attrs.evolve(whole, type_field=None))
    assert "is no SoftReference" in problem("memo")


def test_every_pair_of_type_and_id_is_known() -> None:
    """Of the kernel and of every plugin here: a pair that nobody registers would be left behind by a merge."""
    from crm_core import Crm

    plugins = ["stakeholders", "consumer_goods", "industrial", "project_sales", "key_accounts"]
    crm = Crm.open({"crm": {"plugins": plugins, "database": "sqlite://"}}, check=False)
    known = {(each.record, each.id_field) for each in crm.build.policy.references}
    pairs = {
        (name, f"{field[:-5]}_id")
        for name, record_type in crm.types.items()
        for field in record_type.by_name
        if field.endswith("_type") and f"{field[:-5]}_id" in record_type.by_name
    }
    left = {("redirect", "record_id")}
    assert pairs - known - left == set()
    assert {("redirect", "target_id"), ("share", "because_id"), ("stakeholders.role", "subject_id")} <= known
    crm.close()

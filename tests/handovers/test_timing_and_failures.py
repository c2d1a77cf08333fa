"""Handovers that take effect in the future, plugins that fail, and a process that is killed in the middle."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from crm_core import Account, Activity, Crm, Handover, HookError, Manifest, OpenItem, Ownership, handovers, hookimpl
from crm_core.assembly import given
from crm_core.domain.handovers import HandoverState, ItemState
from crm_core.translation import Translator

from .conftest import POOLS, Company, found

DAY = dt.timedelta(days=1)
ROOT = Path(__file__).parents[2]


def planned(company: Company) -> set[int | None]:
    with company.system(read_only=True) as session:
        return set(session.scalars(select(Activity.user_id).where(Activity.status == "planned")))


def time_passes(company: Company, id_: int) -> None:
    """The day of a handover has come: what was to begin then began a moment ago."""
    now = dt.datetime.now(dt.UTC)
    with company.system() as session:
        handover = session.require(Handover, id_)
        moment = handover.effective_at
        handover.effective_at = now
        for item in handovers.items(session, handover):
            item.done_at = now if item.done_at else None
        for field in ("valid_to", "valid_from"):
            session.execute(
                update(Ownership).where(getattr(Ownership, field) == moment).values({field: now}),
                execution_options={"all_dates": True},
            )


class TestTheFuture:
    def test_ownership_changes_on_the_day_and_open_work_with_it(self, company: Company) -> None:
        day = dt.datetime.now(dt.UTC) + 30 * DAY
        id_ = company.accepted(effective=day)
        with company.session() as session:
            deed = handovers.do(session, session.require(Handover, id_))
        assert (deed.effective, deed.later, dict(deed.moved), deed.items) == (day, True, {}, 6)
        assert set(company.owners().values()) == {"li"}
        assert planned(company) == {company.users["li"]}
        with company.system(at=day, read_only=True) as session:
            owners = session.scalars(select(Ownership.user_id).where(Ownership.account_id.in_(company.accounts)))
            assert set(owners) == {company.users["wang"]}
        assert handovers.do_due(company.crm) == []
        with company.session("wang") as session:  # who is to take over sees it until then
            assert session.count(Account) == 7
        time_passes(company, id_)
        assert handovers.do_due(company.crm) == [id_]
        assert planned(company) == {company.users["wang"]}
        assert set(company.owners().values()) == {"wang"}
        assert handovers.do_due(company.crm) == []

    def test_both_change_sets_are_taken_back(self, company: Company) -> None:
        id_ = company.accepted(effective=dt.datetime.now(dt.UTC) + 30 * DAY)
        before = company.state()
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_))
        assert handovers.do_due(company.crm) == []
        with company.session() as session:  # before the day
            handovers.take_back(session, handovers.items(session, session.require(Handover, id_))[:1])
        with company.system() as session:
            item = handovers.items(session, session.require(Handover, id_))[1]
            item.done_at = session.clock()
        with company.session() as session:
            assert handovers.settle(session, session.require(Handover, id_)).moved == {"activity": 1}
        with company.session() as session:
            taken = handovers.undo(session, session.require(Handover, id_))
        assert (taken.items, dict(taken.records)) == (5, {"ownership": 10, "activity": 1})
        assert company.state() == before

    def test_the_worker_does_what_is_due_and_accepted(self, company: Company) -> None:
        first = company.accepted(effective=dt.datetime.now(dt.UTC), scope="name == 'Firm 1'")
        waiting = company.offered(effective=dt.datetime.now(dt.UTC), scope="name == 'Firm 2'")
        company.accepted(scope="name == 'Firm 3'")  # has no day: somebody does it
        company.accepted(effective=dt.datetime.now(dt.UTC) + DAY, scope="name == 'Firm 4'")
        assert handovers.do_due(company.crm) == [first]
        assert list(company.owners().values()) == ["li", "wang", "li", "li", "li", "li"]
        with company.session("wang") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["wang"]))
        assert handovers.do_due(company.crm, {}) == [waiting]

    def test_an_effective_day_in_the_past_is_dated_back(self, company: Company) -> None:
        day = dt.datetime.now(dt.UTC) - 3 * DAY
        id_ = company.done(effective=day)
        with company.system(at=day, read_only=True) as session:
            owners = session.scalars(select(Ownership.user_id).where(Ownership.account_id.in_(company.accounts)))
            assert set(owners) == {company.users["wang"]}
        with company.session() as session:
            assert {item.done_at for item in handovers.items(session, session.require(Handover, id_))} == {day}

    def test_the_job_is_registered(self, company: Company) -> None:
        job = company.crm.build.jobs[handovers.JOB]
        assert (job.run, job.atomic) == (handovers.do_due, False)


manifest = Manifest(name="flaky", version="1", crm_core=">=0.1,<1", module=__name__)
FAIL: set[str] = set()
EXTRA: list[OpenItem] = []


@hookimpl
def crm_gather_handover(session: Any, accounts: Any, user_id: int | None) -> Iterable[OpenItem]:
    """What the test says, or a failure."""
    if FAIL:
        raise RuntimeError("the quotes are on strike")
    return [item for item in EXTRA if item.account_id in accounts]


@pytest.fixture
def flaky(database_url: str) -> Iterator[Company]:
    build = {"crm": {"database": database_url, "plugins": ["flaky"]}, "pools": POOLS}
    with Crm.open(build, check=False, discovery=given(manifest)) as crm:
        crm.store.create_all()
        FAIL.clear()
        EXTRA.clear()
        yield found(crm)
        FAIL.clear()
        EXTRA.clear()


class TestAFailingPlugin:
    def test_nothing_is_left_behind_silently(self, flaky: Company) -> None:
        id_ = flaky.accepted()
        FAIL.add("now")
        before = flaky.state()
        with pytest.raises(HookError) as caught, flaky.session() as session:
            handovers.do(session, session.require(Handover, id_))
        assert str(caught.value).startswith(
            "The handover is not carried out: flaky could not tell what is open (flaky: crm_gather_handover failed"
        )
        said = Translator("zh_CN").error(caught.value)
        assert said.startswith(
            "交接未执行：flaky 无法说明有哪些未了事项（flaky：crm_gather_handover 失败：RuntimeError: "
        )
        assert flaky.state() == before
        FAIL.clear()
        with flaky.session() as session:
            assert handovers.do(session, session.require(Handover, id_)).items == 6

    def test_not_even_for_a_later_day(self, flaky: Company) -> None:
        id_ = flaky.accepted(effective=dt.datetime.now(dt.UTC) + DAY)
        FAIL.add("now")
        with pytest.raises(HookError), flaky.session() as session:
            handovers.do(session, session.require(Handover, id_))

    def test_nor_is_anything_taken_back(self, flaky: Company) -> None:
        id_ = flaky.done()
        FAIL.add("now")
        with pytest.raises(HookError), flaky.session() as session:
            handovers.undo(session, session.require(Handover, id_))

    def test_the_worker_goes_on_with_the_others_and_tells(self, flaky: Company, monkeypatch: Any) -> None:
        now = dt.datetime.now(dt.UTC)
        ids = [flaky.accepted(effective=now, scope=f"name == 'Firm {number}'") for number in range(2)]
        module = sys.modules["crm_core.domain.handovers.due"]
        real = handovers.do

        def fails_once(session: Any, handover: Handover) -> Any:
            if handover.id == ids[0]:
                raise HookError("The first fails.")
            return real(session, handover)

        monkeypatch.setattr(module, "do", fails_once)
        with pytest.raises(HookError, match="The first fails"):
            handovers.do_due(flaky.crm)
        assert list(flaky.owners().values())[:2] == ["li", "wang"]

    def test_what_needs_somebody_is_kept_and_told(self, flaky: Company) -> None:
        account = flaky.accounts[0]
        with flaky.system() as session:
            membership = session.scalars(select(Ownership).where(Ownership.account_id == account)).one()
        EXTRA.append(
            OpenItem(account_id=account, kind="quote", title="A quote", record_type="ownership",
                     record_id=membership.id, user_id=flaky.users["li"], reassign="user_id")
        )  # fmt: skip
        id_ = flaky.accepted(to=None, to_pool=True, scope="name == 'Firm 0'")
        with flaky.session() as session:
            deed = handovers.do(session, session.require(Handover, id_))
        assert (dict(deed.moved), dict(deed.kept)) == ({"activity": 1}, {"ownership": 1})


KILLED = """
import os, signal, sys
from sqlalchemy import event
from crm_core import Crm, Handover, handovers

crm = Crm.open({"crm": {"database": sys.argv[1], "time_zone": "Asia/Shanghai"}}, check=False)
moment = sys.argv[3]
if moment == "commit":
    event.listen(crm.store.engine, "commit", lambda connection: os.kill(os.getpid(), signal.SIGKILL))
with crm.session("zhou") as session:
    handover = session.require(Handover, int(sys.argv[2]))
    written = 0
    if moment != "commit":
        @event.listens_for(crm.store.engine, "after_cursor_execute")
        def count(connection, cursor, statement, *rest):
            global written
            written += statement.startswith(("UPDATE crm_", "INSERT INTO crm_"))
            if written == int(moment):
                os.kill(os.getpid(), signal.SIGKILL)
    print(handovers.do(session, handover).items, flush=True)
"""


@pytest.mark.parametrize("moment", ["1", "2", "3", "4", "commit"])
def test_a_process_killed_in_the_middle_leaves_nothing_half_done(company: Company, moment: str) -> None:
    id_ = company.accepted()
    before = company.state()
    url = company.crm.store.engine.url.render_as_string(hide_password=False)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(id_), moment], cwd=ROOT, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert company.state() == before
    with company.session() as session:
        handover = session.require(Handover, id_)
        assert handover.state is HandoverState.OFFERED
        assert {item.state for item in handovers.items(session, handover)} == {ItemState.ACCEPTED}
        if session.dialect == "sqlite":
            assert session.core(text("PRAGMA integrity_check")).scalar() == "ok"
        assert handovers.do(session, handover).items == 6
    assert set(company.owners().values()) == {"wang"}

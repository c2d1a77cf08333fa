"""Nobody is deactivated who is still responsible for something, whichever way it is written."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import update

from crm_core import (
    Account,
    Conflict,
    CrmSession,
    Handover,
    Ownership,
    OwnershipRole,
    UndoConflict,
    User,
    handovers,
    ownership,
)
from crm_core.exchange import run_import

from .conftest import Company

DAY = dt.timedelta(days=1)


def by_object(session: CrmSession, user_id: int) -> None:
    session.require(User, user_id).active = False


def in_bulk(session: CrmSession, user_id: int) -> None:
    session.update_many(User, [{"id": user_id, "active": False}])


def by_criteria(session: CrmSession, user_id: int) -> None:
    session.execute(update(User).where(User.id == user_id).values(active=False))


WAYS = pytest.mark.parametrize("way", [by_object, in_bulk, by_criteria])


class TestLeaving:
    @WAYS
    def test_an_owner_is_refused(self, company: Company, way) -> None:
        with pytest.raises(Conflict) as caught, company.session("qian") as session:
            way(session, company.users["li"])
        assert str(caught.value) == (
            "li is still responsible for 6 accounts. Hand them over first: crm handover draft li --to LOGIN."
        )

    @WAYS
    def test_a_handover_that_covers_everything_suffices(self, company: Company, way) -> None:
        company.offered()
        with company.session("qian") as session:
            way(session, company.users["li"])
        with company.system() as session:
            assert not session.require(User, company.users["li"]).active

    def test_an_import_is_refused_row_by_row(self, company: Company, tmp_path) -> None:
        (tmp_path / "mapping.toml").write_text(
            '[source]\nsystem = "hr"\n\n[[section]]\nrecord = "user"\nfile = "people.csv"\nkey = "login"\n'
            'match = "login"\nfields = { login = "login", name = "name", active = "active" }\n',
            encoding="utf-8",
        )
        (tmp_path / "people.csv").write_text("login,name,active\nli,Li,false\nsun,Sun,false\n", encoding="utf-8")
        report = run_import(company.crm, tmp_path / "mapping.toml", tmp_path)
        with company.system() as session:
            assert session.require(User, company.users["li"]).active
        assert report.rejected >= 1

    @pytest.mark.parametrize("role", OwnershipRole)
    def test_every_role_counts_now_and_later(self, company: Company, role: OwnershipRole) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            ownership.assign(session, other, to="sun", role=role, scope="x", from_=session.clock() + DAY)
        with (
            pytest.raises(Conflict, match="sun is still responsible for one account\\."),
            company.session("qian") as session,
        ):
            by_object(session, company.users["sun"])

    def test_what_is_to_end_later_counts_until_then(self, company: Company) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            ownership.assign(session, other, to="sun", scope="x", since_always=True)
            ownership.release(session, other, scope="x", at=session.clock() + DAY)
        with pytest.raises(Conflict, match="for one account"), company.session("qian") as session:
            by_object(session, company.users["sun"])

    def test_the_rows_of_one_who_is_gone_can_be_mended_but_not_prolonged(self, company: Company) -> None:
        with company.system() as session:
            other = session.require(Account, company.other)
            row = ownership.assign(session, other, to="sun", scope="x", since_always=True)
            ownership.release(session, other, scope="x", at=session.clock() + DAY)
            end = row.valid_to
        with company.system() as session:  # as an import knew it
            session.core(update(User.crm_type.table).where(User.id == company.users["sun"]).values(active=False))
            session.commit()
        with company.system() as session:
            session.require(Ownership, row.id).reason = "as they said"
        with company.system() as session:
            session.require(Ownership, row.id).valid_to = end - DAY / 2
        for later in (end, None):
            with pytest.raises(Conflict, match="sun is not active"), company.system() as session:
                session.require(Ownership, row.id).valid_to = later

    def test_what_is_over_does_not_count(self, company: Company) -> None:
        company.done()
        with company.session("qian") as session:
            by_object(session, company.users["li"])

    @pytest.mark.parametrize("gap", ["refused", "unassigned", "cancelled", "another"])
    def test_a_handover_with_a_gap_does_not_cover(self, company: Company, gap: str) -> None:
        if gap == "unassigned":
            with company.session() as session:
                handovers.draft(session, "li")
        elif gap == "another":
            company.offered(scope="name == 'Firm 1'")
        else:
            id_ = company.offered(to="sun")
            with company.session() as session:
                handover = session.require(Handover, id_)
                if gap == "refused":
                    handovers.refuse(session, handovers.items(session, handover)[0])
                else:
                    handovers.cancel(session, handover)
        count = {
            "refused": "one account",
            "unassigned": "6 accounts",
            "cancelled": "6 accounts",
            "another": "5 accounts",
        }
        said = f"for {count[gap]}"
        with pytest.raises(Conflict, match=said), company.session("qian") as session:
            by_object(session, company.users["li"])

    def test_what_came_after_the_handover_is_not_covered_by_it(self, company: Company) -> None:
        """Neither another role or scope at the same account, nor what somebody else hands over of it."""
        company.offered()
        first, second, third = company.accounts[:3]
        with company.system() as session:
            ownership.assign(session, session.require(Account, first), to="li", role=OwnershipRole.BACKUP)
            ownership.assign(session, session.require(Account, second), to="li", scope="pumps")
            for login in ("li", "wang"):
                ownership.assign(session, session.require(Account, third), to=login, role=OwnershipRole.MENTOR)
        with company.session("qian") as session:
            handovers.offer(session, handovers.draft(session, "wang", to="sun"))
        with (
            pytest.raises(Conflict, match="li is still responsible for 3 accounts"),
            company.session("qian") as session,
        ):
            by_object(session, company.users["li"])
        with company.session("qian") as session:
            by_object(session, company.users["wang"])

    def test_coming_back_is_free_and_cancelling_needs_it(self, company: Company) -> None:
        id_ = company.offered()
        with company.session("qian") as session:
            by_object(session, company.users["li"])
        with company.session() as session, pytest.raises(Conflict, match="li is not active"):
            handovers.cancel(session, session.require(Handover, id_))
        with company.session("qian") as session:
            session.require(User, company.users["li"]).active = True
        with company.session() as session:
            handovers.cancel(session, session.require(Handover, id_))

    def test_nothing_goes_over_to_one_who_has_gone_meanwhile(self, company: Company) -> None:
        id_ = company.accepted(to="sun")
        with company.session("qian") as session:
            by_object(session, company.users["sun"])
        with company.session() as session:
            handover = session.require(Handover, id_)
            with pytest.raises(Conflict, match="sun is not active and cannot take anything over"):
                handovers.do(session, handover)
            handovers.assign(session, handovers.items(session, handover), "wang")

    def test_undoing_an_activation_is_a_deactivation(self, company: Company) -> None:
        with company.session("qian") as session:
            by_object(session, company.users["sun"])
        with company.session("qian") as session:
            session.require(User, company.users["sun"]).active = True
        activated = company.latest().id
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.other), to="sun")
        with pytest.raises(UndoConflict, match="still responsible"), company.session("qian") as session:
            session.undo(activated)

    def test_one_who_does_not_see_the_accounts_is_not_told_how_many(self, database_url: str) -> None:
        from crm_core import Crm

        from .conftest import found

        build = {
            "crm": {"database": database_url},
            "roles": {"personnel": {"permissions": {"user.*": "all", "membership.*": "all"}}},
        }
        with Crm.open(build, check=False) as crm:
            crm.store.create_all()
            company = found(crm)
            with crm.system_session("init") as session:
                from crm_core import organisation

                session.add(User(login="hr", name="Personnel"))
                session.flush()
                organisation.join(session, "hr", "Root", role="personnel")
            with pytest.raises(Conflict) as caught, company.session("hr") as session:
                by_object(session, company.users["li"])
            assert str(caught.value).startswith("li is still responsible for accounts. ")

    def test_an_import_may_bring_owners_who_have_left(self, company: Company) -> None:
        with company.system(source="import") as session:
            session.add_many(User, [{"login": "long.gone", "name": "Gone", "active": False}])
            ownership.assign(session, session.require(Account, company.other), to="long.gone", scope="old")

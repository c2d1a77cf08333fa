"""Proposals: from whoever sees a record to the steward, and back with what became of them."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import InvalidRequestError

from crm_core import Account, Address, Affiliation, Contact, Membership, Money, QualityIssue, contacts, quality, shares
from crm_core.domain.quality import IssueState
from crm_core.errors import Conflict, NotFound, PermissionDenied, ValidationError
from crm_core.store.history import change_sets
from crm_core.views.stewardship import queue

from .conftest import World, refusal


def proposal(world: World, login: str = "li", reason: str | None = "their new sign", **values: Any) -> int:
    with world.session(login) as session:
        acme = session.require(Account, world.accounts["Acme"])
        (issue,) = quality.propose(session, acme, values or {"name": "Acme Ltd"}, reason=reason)
    return issue.id


def state(world: World, id_: int) -> QualityIssue:
    with world.session("li") as session:
        return session.require(QualityIssue, id_)


def test_a_proposal_waits_until_the_steward_approves_it(world: World) -> None:
    id_ = proposal(world)
    with world.session("sun") as session:
        (waiting,) = quality.proposals(session)
        assert (waiting.field, waiting.found, waiting.proposed) == ("name", "Acme", "Acme Ltd")
        assert waiting.proposer.login == "li"
        quality.approve(session, waiting, note="thank you")
    issue = state(world, id_)
    assert (issue.state, issue.note, issue.decider_id) == (IssueState.APPROVED, "thank you", world.users["sun"])
    assert issue.decided_at == world.clock.now
    with world.session("li") as session:
        assert session.require(Account, world.accounts["Acme"]).name == "Acme Ltd"
        assert quality.proposals(session) == []
        assert [each.id for each in quality.proposals(session, state=None, mine=True)] == [id_]
    with world.session("wang") as session:
        assert quality.proposals(session, state=None) == []


def test_a_refused_proposal_says_why(world: World) -> None:
    id_ = proposal(world)
    with world.session("sun") as session:
        quality.refuse(session, session.require(QualityIssue, id_), note="only the sign is new")
    assert (state(world, id_).state, state(world, id_).note) == (IssueState.REFUSED, "only the sign is new")
    with world.session("li") as session:
        assert session.require(Account, world.accounts["Acme"]).name == "Acme"


def test_several_fields_are_approved_together(world: World) -> None:
    with world.session("li") as session:
        acme = session.require(Account, world.accounts["Acme"])
        values = {"registration_country": "CN", "registration_number": "91110000600037341L", "segment": "bearings"}
        made = quality.propose(session, acme, values)
        ids = [each.id for each in made]
        # A value that is proposed already is not proposed twice.
        assert [each.id for each in quality.propose(session, acme, {"segment": "bearings"})] == [ids[2]]
    with pytest.raises(ValidationError), world.session("sun") as session:
        quality.approve(session, session.require(QualityIssue, ids[0]))  # Acme-1 is no number of China
    with world.session("sun") as session:
        quality.approve(session, *(session.require(QualityIssue, id_) for id_ in ids))
    with world.session() as session:
        acme = session.require(Account, world.accounts["Acme"])
        assert (acme.registration_number, acme.custom) == ("91110000600037341L", {"segment": "bearings"})


def test_what_changed_meanwhile_is_a_conflict(world: World) -> None:
    id_ = proposal(world)
    with world.session() as session:
        session.require(Account, world.accounts["Acme"]).name = "Acme Group"
    with world.session("sun") as session, pytest.raises(Conflict, match="was changed since it was proposed"):
        quality.approve(session, session.require(QualityIssue, id_))
    assert state(world, id_).state is IssueState.OPEN


def test_values_of_every_kind_come_back_as_they_were(world: World) -> None:
    values = {
        "revenue": Money("1200.50", "CNY"), "address": Address(city="上海", country="CN"), "employees": 60,
        "tags": frozenset({"vip", "old"}), "active": False, "website": "https://acme.example",
    }  # fmt: skip
    with world.session("li") as session:
        quality.propose(session, session.require(Account, world.accounts["Acme"]), values)
        person = session.require(Contact, world.people["Acme"])
        quality.propose(session, person, {"birthday": dt.date(1980, 2, 29)})
    with world.session("sun") as session:
        quality.approve(session, *quality.proposals(session))
    with world.session() as session:
        acme = session.require(Account, world.accounts["Acme"])
        assert {name: getattr(acme, name) for name in values} == values
        assert session.require(Contact, world.people["Acme"]).birthday == dt.date(1980, 2, 29)


def test_a_proposal_about_what_is_gone_is_obsolete(world: World) -> None:
    with world.session("sun") as session:
        person = session.add_one(Contact(name="Nobody"))
        session.flush()
        (issue,) = quality.propose(session, person, {"language": "zh"})
        issue.__dict__["record_id"] = 999_999_999  # as after a merge that an older version made
        assert quality.approve(session, issue)[0].state is IssueState.OBSOLETE
        session.rollback()


def test_a_matter_is_closed_by_the_steward_of_what_it_is_about(world: World) -> None:
    with world.session() as session:
        (matter,) = quality.note_issues(
            session, [{"kind": "other", "contact_id": world.people["Acme"], "record_type": "contact",
                       "record_id": world.people["Acme"], "subject": "spell it right"}],
        )  # fmt: skip
        id_ = matter.id
    assert "is no steward of the contact" in refusal(
        world, "li", lambda s: quality.close(s, s.require(QualityIssue, id_))
    )
    assert refusal(world, "sun", lambda s: quality.close(s, s.require(QualityIssue, id_))) == ""


def test_what_is_so_already_is_obsolete(world: World) -> None:
    id_ = proposal(world)
    with world.session() as session:
        session.require(Account, world.accounts["Acme"]).name = "Acme Ltd"
    with world.session("sun") as session:
        quality.approve(session, session.require(QualityIssue, id_))
    assert state(world, id_).state is IssueState.OBSOLETE


def test_only_stewards_decide(world: World) -> None:
    id_ = proposal(world)
    for verb in (quality.approve, functools.partial(quality.refuse, note="no")):
        for login in ("li", "zhou"):
            with world.session(login) as session, pytest.raises(PermissionDenied, match="is no steward of"):
                verb(session, session.require(QualityIssue, id_))
    with world.session("wang") as session:
        assert session.get(QualityIssue, id_) is None


def test_nobody_writes_the_queue_by_hand(world: World) -> None:
    id_, acme = proposal(world), world.accounts["Acme"]

    def forge(session: Any) -> None:
        session.add_one(QualityIssue(account_id=acme, record_type="account", record_id=acme, state=IssueState.APPROVED))

    for login in ("li", "zhou", "sun"):
        assert refusal(world, login, forge).startswith(f"PermissionDenied: {login} may not ")
        told = refusal(world, login, lambda s: s.update_many(QualityIssue, [{"id": id_, "state": IssueState.DONE}]))
        assert told.startswith(f"PermissionDenied: {login} may") and "quality_issue.update" in told


def test_a_proposal_is_decided_once(world: World) -> None:
    id_ = proposal(world)
    with world.session("sun") as session:
        quality.approve(session, session.require(QualityIssue, id_))
    for verb in (quality.approve, functools.partial(quality.refuse, note="no"), quality.close, quality.withdraw):
        with world.session("sun") as session, pytest.raises(Conflict, match="It was decided already: it is approved"):
            verb(session, session.require(QualityIssue, id_))


def test_one_withdraws_ones_own(world: World) -> None:
    id_ = proposal(world)
    with world.session("sun") as session, pytest.raises(PermissionDenied, match="Only whoever proposed it"):
        quality.withdraw(session, session.require(QualityIssue, id_))
    with world.session("li") as session:
        quality.withdraw(session, session.require(QualityIssue, id_), note="my mistake")
    assert state(world, id_).state is IssueState.OBSOLETE


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"name": "Acme"}, ValidationError, "Nothing would change"),
        ({"name": None}, ValidationError, "A value is needed"),
        ({"nme": "x"}, NotFound, "account has no field 'nme'. Did you mean name"),
        ({"website": "nowhere"}, ValidationError, "no web address"),
    ],
)
def test_what_cannot_be_proposed(world: World, values: dict[str, Any], error: type[Exception], message: str) -> None:
    with world.session("li") as session, pytest.raises(error, match=message):
        quality.propose(session, session.require(Account, world.accounts["Acme"]), values)


def test_what_only_a_few_read_is_not_proposed(world: World) -> None:
    with world.session("li") as session, pytest.raises(ValidationError, match=r"contact\.note is for a few to read"):
        quality.propose(session, session.require(Contact, world.people["Acme"]), {"note": "owes us money"})


def test_what_is_not_seen_cannot_be_proposed_about(world: World) -> None:
    with world.session() as session:
        delta = session.require(Account, world.accounts["Delta"])
    with world.session("li") as session, pytest.raises(NotFound):
        quality.propose(session, delta, {"name": "x"})


def test_an_erased_person_leaves_nothing_in_the_queue(world: World) -> None:
    with world.session("li") as session:
        person = session.require(Contact, world.people["Acme"])
        (issue,) = quality.propose(session, person, {"name": "Zhang Wei"}, reason="Zhang Wei told me")
        id_ = issue.id
    with world.session("qian") as session:
        contacts.erase(session, session.require(Contact, world.people["Acme"]), reason="asked for it")
    with world.session() as session:
        issue = session.require(QualityIssue, id_)
        assert (issue.proposed, issue.found, issue.reason) == (None, None, None)


def test_undo_takes_an_approval_back(world: World) -> None:
    id_ = proposal(world)
    with world.session("sun") as session:
        quality.approve(session, session.require(QualityIssue, id_))
    with world.session("sun") as session:
        session.undo(session_change_set(world))
    issue = state(world, id_)
    assert (issue.state, issue.decider_id, issue.decided_at) == (IssueState.OPEN, None, None)
    with world.session() as session:
        assert session.require(Account, world.accounts["Acme"]).name == "Acme"


def session_change_set(world: World) -> int:
    with world.session() as session:
        return change_sets(session, 1)[0].id


def test_other_matters_are_closed_by_whom_they_are_assigned_to(world: World) -> None:
    acme = world.accounts["Acme"]
    with world.session() as session:
        (issue,) = quality.note_issues(
            session,
            [{"kind": "other", "account_id": acme, "record_type": "account", "record_id": acme, "subject": "call them",
              "assignee_id": world.users["li"]}],
        )  # fmt: skip
        id_ = issue.id
    with world.session("li") as session:
        (mine,) = quality.assigned(session, world.users["li"])
        with pytest.raises(ValidationError, match="no proposal"):
            quality.approve(session, mine)
        assert quality.close(session, mine, note="called").state is IssueState.DONE
        assert quality.assigned(session, world.users["li"]) == []
    other = proposal(world)
    with world.session("sun") as session, pytest.raises(ValidationError, match="approved, refused or withdrawn"):
        quality.close(session, session.require(QualityIssue, other))
    assert state(world, id_).note == "called"


def test_proposals_are_about_accounts_and_people(world: World) -> None:
    with world.session("li") as session, pytest.raises(ValidationError, match="not about affiliation"):
        quality.propose(session, session.require(Affiliation, world.places["Acme"]), {"role": "x"})  # type: ignore[arg-type]


@pytest.fixture
def forger(world: World) -> World:
    """The world where Li has a role that may write the queue by hand."""
    with world.session() as session:
        for place in session.scalars(select(Membership).where(Membership.user_id == world.users["li"])):
            place.role = "forger"
    return world


def forged(world: World, **values: Any) -> dict[str, Any]:
    """A proposal that is shown for Acme, and would change something else."""
    acme, delta = world.accounts["Acme"], world.accounts["Delta"]
    return {
        "account_id": acme, "record_type": "account", "record_id": delta, "field": "name", "found": "Delta",
        "proposed": "Mine",
    } | values  # fmt: skip


@pytest.mark.parametrize(
    "what", ["another account", "another type", "a person by an account", "a person beside an account", "restricted"]
)
def test_a_proposal_is_about_the_record_that_it_is_shown_for(forger: World, what: str) -> None:
    person = forger.people["Delta"]
    own = forger.people["Acme"]
    values: dict[str, Any] = {
        "another account": {},
        "another type": {"record_type": "membership", "field": "role"},
        "a person by an account": {"record_type": "contact", "record_id": person},
        "a person beside an account": {"record_type": "contact", "record_id": own, "contact_id": own},
        "restricted": {
            "account_id": None,
            "contact_id": own,
            "record_type": "contact",
            "record_id": own,
            "field": "note",
        },
    }[what]
    error = "is for a few to read" if what == "restricted" else "A proposal is about the account or the person"
    row = forged(forger, **values)
    with pytest.raises(ValidationError, match=error), forger.session("li") as session:
        session.add(QualityIssue(**row))
    with pytest.raises(ValidationError, match=error), forger.session("li") as session:
        session.add_many(QualityIssue, [row])
    with pytest.raises(ValidationError, match=error), forger.session("li") as session:
        quality.note_issues(session, [row])


def test_a_proposal_is_not_turned_to_another_record_afterwards(forger: World) -> None:
    id_ = proposal(forger)
    delta = forger.accounts["Delta"]
    with pytest.raises(ValidationError, match="A proposal is about"), forger.session("li") as session:
        session.require(QualityIssue, id_).record_id = delta


def test_what_was_forged_all_the_same_is_not_approved(world: World) -> None:
    """Whatever wrote it: a proposal for one customer does not change another."""
    with world.session() as session:
        (id_,) = session.add_many(QualityIssue, [forged(world, record_id=world.accounts["Acme"])])
        issue = QualityIssue.crm_type.table
        session.core(update(issue).where(issue.c.id == id_).values(record_id=world.accounts["Delta"]))
    with world.session("sun") as session, pytest.raises(ValidationError, match="A proposal is about"):
        quality.approve(session, session.require(QualityIssue, id_))
    with world.session() as session:
        assert session.require(Account, world.accounts["Delta"]).name == "Delta"
    with world.session("sun") as session:
        quality.refuse(session, session.require(QualityIssue, id_), note="no")


def test_why_is_for_the_stewards_to_read(world: World) -> None:
    """Somebody to whom the account is lent sees what the fields are to be, and not what we say among ourselves."""
    id_ = proposal(world, reason="they are about to be sold")
    with world.session() as session:
        shares.grant(session, session.require(Account, world.accounts["Acme"]), user="wang", reason="holiday")
    for login in ("wang", "li"):
        with world.session(login) as session:
            issue = session.require(QualityIssue, id_)
            assert issue.proposed == "Acme Ltd"
            with pytest.raises(InvalidRequestError):
                _ = issue.reason
            told = [each.problem.text() for each in queue(session) if each.issue_id == id_]
            assert told == ["Acme: name is Acme, and should be Acme Ltd. Approve it or refuse it."]
    with world.session("sun") as session:
        (told,) = [each.problem.text() for each in queue(session) if each.issue_id == id_]
        assert "they are about to be sold" in told

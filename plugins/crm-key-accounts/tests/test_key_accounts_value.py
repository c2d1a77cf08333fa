"""Profiles, the value score over time, and the alert when it moves."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core import (
    Account,
    BuildError,
    Conflict,
    Crm,
    Money,
    NotFound,
    Objection,
    PermissionDenied,
    ValidationError,
    shares,
)
from crm_core.hooks import Panel
from crm_key_accounts import alerts, profiles, scores, snapshots
from crm_key_accounts.alerts import Alert
from crm_key_accounts.profiles import Profile, Tier
from crm_key_accounts.snapshots import Snapshot

SHANGHAI = ZoneInfo("Asia/Shanghai")
MAY = dt.datetime(2026, 5, 1, tzinfo=SHANGHAI)
JUNE = dt.datetime(2026, 6, 1, tzinfo=SHANGHAI)
JULY = dt.datetime(2026, 7, 1, tzinfo=SHANGHAI)
EVEN = {"revenue": 50, "growth": 50, "margin": 50, "strategic_fit": 50, "share_of_wallet": 50}


def test_an_account_gets_a_tier_and_another_one(company) -> None:
    with company.session() as session:
        acme = company.account(session, "Acme")
        profiles.classify(session, acme, "key", target_revenue=Money(100, "EUR"), plan="Win the plant in Ulm.")
    with company.session() as session:
        profile = profiles.classify(session, company.account(session, "Acme"), Tier.STRATEGIC)
    with company.session() as session:
        profile = session.require(Profile, company.accounts["Acme"])
        assert (profile.tier, profile.target_revenue) == (Tier.STRATEGIC, Money(100, "EUR"))
        assert session.scalars(select(Profile.plan)).one() == "Win the plant in Ulm."
    with pytest.raises(Objection, match="target_revenue: A target is not negative"), company.session() as session:
        session.require(Profile, company.accounts["Acme"]).target_revenue = Money(-1, "EUR")


def test_accounts_are_filtered_by_tier_and_value(company) -> None:
    with company.session() as session:
        acme, beta = company.account(session, "Acme"), company.account(session, "Beta")
        profiles.classify(session, acme, "strategic")
        profiles.classify(session, beta, "growth", target_revenue=Money(9, "CNY"))
        snapshots.assess(session, beta, EVEN)
    with company.session() as session:

        def found(where: str) -> list[str]:
            return [account.name for account in session.list(Account, where, order="name")]

        assert found('key_accounts.tier == "strategic"') == ["Acme"]
        assert found('key_accounts.tier in ("growth", "key")') == ["Beta"]
        assert found("key_accounts.target_revenue.amount > 8") == ["Beta"]
        assert found("any(key_accounts.snapshots, score >= 50)") == ["Beta"]
    with company.session("boss") as session:
        assert session.count(Account, "key_accounts.tier == None") == 1


def test_the_plan_is_not_read_by_those_who_see_the_account_by_a_share(open_company) -> None:
    company = open_company()
    with company.session() as session:
        profiles.classify(session, company.account(session, "Acme"), "key", plan="Secret")
    roles = {"sales": {"permissions": {"*.read": "own"}}}
    url = company.crm.store.engine.url.render_as_string(hide_password=False)
    with company.session() as session:
        shares.grant(session, company.account(session, "Acme"), user="zhang.min", reason="Fair")
    config = {"crm": {"plugins": ["key_accounts"]}, "roles": roles}
    with Crm.open(config, database=url) as narrow, narrow.session("zhang.min") as session:
        assert session.require(Profile, company.accounts["Acme"]).tier is Tier.KEY
        with pytest.raises(PermissionDenied, match=r"key_accounts\.profile\.read_plan"):
            session.scalars(select(Profile.plan)).all()


def test_a_value_is_assessed_and_stays_known(company) -> None:
    with company.session() as session:
        acme = company.account(session, "Acme")
        snapshots.assess(session, acme, EVEN, at=MAY)
        second = snapshots.assess(session, acme, {"revenue": 50}, at=JULY)
        assert snapshots.assess(session, acme, {"revenue": 60}, at=JULY, note="Big order") is second
        between = snapshots.assess(session, acme, {"margin": 55}, at=JUNE)
        assert (between.valid_from, between.valid_to) == (JUNE, JULY)
    with company.session() as session:
        acme = company.account(session, "Acme")
        known = [(row.valid_from, row.score) for row in snapshots.history(session, acme)]
        assert known == [(MAY, Decimal(50)), (JUNE, Decimal(51)), (JULY, Decimal(53))]
        assert snapshots.value(session, acme) == 53
        assert snapshots.value(session, acme, at=dt.date(2026, 6, 30)) == 51
        assert snapshots.value(session, acme, at=dt.date(2026, 4, 30)) is None
    with company.session(at=MAY, read_only=True) as session:
        assert snapshots.value(session, company.account(session, "Acme")) == 50
        assert session.scalars(select(Snapshot.score)).all() == [50]


def test_an_assessment_before_the_first_ends_where_that_begins(company) -> None:
    with company.session() as session:
        acme = company.account(session, "Acme")
        snapshots.assess(session, acme, EVEN, at=JULY)
        assert snapshots.assess(session, acme, EVEN, at=MAY).valid_to == JULY


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"revenue": 50}, "growth: The score is missing"),
        ({**EVEN, "growht": 1}, "growht: There is no such dimension"),
        ({**EVEN, "growth": 101}, "growth: 101 is no score"),
        ({**EVEN, "growth": -1}, "growth: -1 is no score"),
        ({**EVEN, "growth": 49.5}, "growth: 49.5 is no score"),
        ({**EVEN, "growth": True}, "growth: True is no score"),
    ],
)
def test_wrong_scores_are_told_all_at_once(company, given, told) -> None:
    with company.session() as session, pytest.raises(ValidationError) as caught:
        snapshots.assess(session, company.account(session, "Acme"), given)
    assert told in str(caught.value)
    assert "Acme" in str(caught.value)


def row(company, name: str = "Acme", **values) -> dict:
    weights = {"revenue": "1", "margin": "3"}
    base = {"scores": {"revenue": 40, "margin": 80}, "weights": weights, "score": Decimal(70), "valid_from": MAY}
    return {"account_id": company.accounts[name], **base, **values}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"score": Decimal(71)}, r"score: The value score would be 70\.00, not 71"),
        ({"scores": {"revenue": 40, "margin": 800}}, r"scores\.margin: 800 is no score"),
        ({"scores": {"revenue": 40}}, "weights: Scores and weights do not fit"),
        ({"scores": [40]}, "weights: Scores and weights do not fit"),
        ({"weights": {"revenue": "0", "margin": "0"}}, "weights: Scores and weights"),
        ({"weights": {"revenue": "NaN", "margin": "1"}}, "weights: Scores and weights"),
        ({"weights": {"revenue": "many", "margin": "1"}}, "weights: Scores and weights"),
        ({"weights": {"revenue": 1, "margin": 3}}, "weights: Scores and weights"),
        ({"weights": [1]}, "weights: Scores and weights"),
    ],
)
def test_nobody_writes_a_score_that_does_not_follow(company, values, told) -> None:
    with pytest.raises(Objection, match=told), company.session() as session:
        session.add_many(Snapshot, [row(company, **values)])
    with company.session() as session:
        (id_,) = session.add_many(Snapshot, [row(company)])
    with pytest.raises(Objection, match=told), company.session() as session:
        session.update_many(Snapshot, [{"id": id_, **values}])


def test_only_one_snapshot_holds_at_a_time(company) -> None:
    with pytest.raises(Conflict), company.session() as session:
        session.add_many(Snapshot, [row(company), row(company, valid_from=JUNE)])


def unsettled(company, name: str = "Acme", who: str = "boss") -> list[tuple[str, str, Decimal]]:
    with company.session(who, read_only=True) as session:
        found = alerts.unsettled(session, company.account(session, name))
        return [(f"{alert.score_before:.0f}>{alert.score_after:.0f}", alert.dimension, alert.contribution)
                for alert in found]  # fmt: skip


def assess(company, at: dt.datetime, **given: int) -> int:
    with company.session() as session:
        return snapshots.assess(session, company.account(session, "Acme"), {**EVEN, **given}, at=at).id


def test_an_alert_tells_what_moved_the_value(company) -> None:
    assess(company, MAY)
    assert unsettled(company) == []
    assess(company, JUNE, revenue=80, growth=55, margin=40)  # 9 + 1 - 2
    assert unsettled(company) == []
    with company.session() as session:
        snapshots.assess(session, company.account(session, "Acme"), {"margin": 100, "share_of_wallet": 0}, at=JULY)
    # 12 for the margin, less 7.5 for the share of wallet
    assert unsettled(company) == []
    assess(company, JULY + dt.timedelta(1), revenue=0, margin=60)
    assert unsettled(company) == [("62>37", "revenue", Decimal(-24))]
    with company.session() as session:
        (alert,) = alerts.unsettled(session, company.account(session, "Acme"))
        assert alert.move == alert.score_after - alert.score_before == Decimal("-25.5")
        assert alert.at == JULY + dt.timedelta(1)


def test_the_alert_is_of_the_same_change_set_and_undone_with_it(company) -> None:
    assess(company, MAY)
    with company.session() as session:
        snapshots.assess(session, company.account(session, "Acme"), {"revenue": 100}, at=JUNE)
    assert len(unsettled(company)) == 1
    change_set = session.last_change_set
    assert session.info.get("failed_hooks", []) == []
    with company.crm.system_session("test") as session:
        report = session.undo(change_set)
    assert report.deleted == {"key_accounts.snapshot": 1, "key_accounts.alert": 1}
    assert unsettled(company) == []
    with company.session() as session:
        (only,) = snapshots.history(session, company.account(session, "Acme"))
        assert only.valid_to is None


def test_a_correction_settles_the_alert_or_opens_it_anew(company) -> None:
    first = assess(company, MAY)
    assess(company, JUNE, revenue=100)
    assert unsettled(company) == [("50>65", "revenue", Decimal(15))]

    def correct(score: int) -> None:
        with company.session() as session:
            snapshot = session.require(Snapshot, first)
            snapshot.scores = dict.fromkeys(EVEN, score)
            snapshot.score = Decimal(score)

    correct(60)
    assert unsettled(company) == []
    correct(40)
    assert unsettled(company) == [("40>65", "revenue", Decimal(18))]
    with company.session("boss") as session:
        assert session.count(Alert) == 1
        session.delete(session.require(Snapshot, first))
    assert unsettled(company) == []


def test_an_alert_that_comes_in_with_its_snapshots_is_told_once(company) -> None:
    """As an import of both brings them: first the snapshots, of which the alert follows, and then that alert."""
    assess(company, MAY)
    assess(company, JUNE, revenue=100)
    with company.session() as session:
        (alert,) = alerts.unsettled(session, company.account(session, "Acme"))
        alerts.acknowledge(session, alert, note="We grew")
        names = [name for name in Alert.crm_type.by_name if name not in ("account_id", "snapshot_id")]
        told = {name: getattr(alert, name) for name in names}
        rows = snapshots.history(session, company.account(session, "Acme"))
        assessed = [{name: getattr(row, name) for name in Snapshot.crm_type.by_name} for row in rows]
    with company.crm.system_session("import") as session:
        beta = company.accounts["Beta"]
        _, after = session.add_many(Snapshot, [{**row, "account_id": beta} for row in assessed])
        session.check()
        (made,) = session.scalars(select(Alert.id).where(Alert.account_id == beta))
        session.add_many(Alert, [{**told, "account_id": beta, "snapshot_id": after}])
    with company.session() as session:
        (only,) = session.scalars(select(Alert).where(Alert.account_id == beta))
        assert (only.note, only.settled_at, only.id == made) == ("We grew", told["settled_at"], False)
        # Whoever may not delete what was measured adds beside it.
        session.add(Alert(**{**told, "note": None}, account_id=beta, snapshot_id=after))
    with company.session() as session:
        assert session.count(Alert, f"account_id == {beta}") == 2


def test_a_snapshot_deleted_between_two_others_leaves_their_move(company) -> None:
    assess(company, MAY)
    between = assess(company, JUNE, revenue=80)
    assess(company, JULY, revenue=90)
    assert unsettled(company) == []
    with company.session("boss") as session:
        session.delete(session.require(Snapshot, between))
    assert unsettled(company) == [("50>62", "revenue", Decimal(12))]


def test_who_takes_note_of_an_alert_settles_it(company) -> None:
    assess(company, MAY)
    assess(company, JUNE, revenue=0)
    with company.session() as session:
        (alert,) = alerts.unsettled(session, company.account(session, "Acme"))
        alerts.acknowledge(session, alert, note="Plant closed in June.")
    with company.session() as session:
        alert = session.scalars(select(Alert)).one()
        assert (alert.settled_by_id, alert.note) == (session.user_id, "Plant closed in June.")
        settled_at = alerts.acknowledge(session, alert).settled_at
        assert alert.settled_at == settled_at
    assert unsettled(company) == []


def test_weights_and_threshold_are_set_by_the_build(open_company) -> None:
    company = open_company(weights={"revenue": 1, "trust": 3}, alert_threshold=5)
    with company.session() as session:
        acme = company.account(session, "Acme")
        assert snapshots.assess(session, acme, {"revenue": 0, "trust": 50}, at=MAY).score == Decimal("37.5")
        assert snapshots.assess(session, acme, {"trust": 57}, at=JUNE).score == Decimal("42.75")
    assert unsettled(company) == [("38>43", "trust", Decimal("5.25"))]
    found = panel(company, "Acme", at=JULY)
    assert found.rows[0] == ("From", "Value score", "Revenue", "Trust")


def test_a_score_of_old_weights_is_explained_by_them(open_company) -> None:
    company = open_company()
    assess(company, MAY, revenue=100)
    config = {"crm": {"plugins": ["key_accounts"]}, "plugins": {"key_accounts": {"weights": {"revenue": 1}}}}
    url = company.crm.store.engine.url.render_as_string(hide_password=False)
    with Crm.open(config, database=url) as later, later.session("li.wei") as session:
        acme = session.require(Account, company.accounts["Acme"])
        assert snapshots.value(session, acme, at=MAY) == 65
        assert snapshots.assess(session, acme, {}, at=JUNE).score == 100
    assert unsettled(company) == [("65>100", "revenue", Decimal(70))]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"weights": {}}, "at least one a weight above 0"),
        ({"weights": {"revenue": -1}}, "The weight of revenue is -1"),
        ({"weights": {"Share of wallet": 1}}, "is no dimension"),
        ({"alert_threshold": 0}, "The threshold is 0"),
        ({"treshold": 5}, "Did you mean alert_threshold"),
    ],
)
def test_wrong_settings_are_told_with_what_to_give(open_company, given, told) -> None:
    with pytest.raises(BuildError) as caught:
        open_company(**given)
    assert told in str(caught.value)


def test_a_thousand_assessments_at_once(company) -> None:
    with company.session() as session:
        ids = session.add_many(Account, [{"name": f"Account {number}"} for number in range(500)])
    old = {"valid_to": JUNE}
    rows = [{**row(company), "account_id": id_, **old} for id_ in ids]
    rows += [
        {**row(company), "account_id": id_, "valid_from": JUNE, "scores": {"revenue": 80, "margin": 80},
         "score": Decimal(80)}
        for id_ in ids
    ]  # fmt: skip
    with company.session() as session:
        session.add_many(Snapshot, rows)
        with company.statements() as seen:
            session.check()
        about = [each for each in seen if each.startswith("SELECT") and "key_accounts__" in each]
        assert len(about) <= 6, about
    assert session.info.get("failed_hooks", []) == []
    with company.session() as session:
        assert session.count(Alert, 'dimension == "revenue" and contribution == 10') == 500
    with pytest.raises(Objection), company.session() as session:
        bad = [{**row(company, name="Beta"), "valid_from": MAY + dt.timedelta(n), "valid_to": MAY + dt.timedelta(n + 1)}
               for n in range(1000)]  # fmt: skip
        bad[500]["score"] = Decimal(1)
        session.add_many(Snapshot, bad)
    with company.session() as session:
        assert session.count(Snapshot, f"account_id == {company.accounts['Beta']}", all_dates=True) == 0


def test_who_does_not_see_the_account_sees_nothing_of_its_value(company) -> None:
    with company.session("zhang.min") as session:
        delta = company.account(session, "Delta")
        profiles.classify(session, delta, "strategic")
        first = snapshots.assess(session, delta, EVEN, at=MAY)
        snapshots.assess(session, delta, {"revenue": 100}, at=JUNE)
    with company.session() as session:
        assert [session.count(each, all_dates=True) for each in (Profile, Snapshot, Alert)] == [0, 0, 0]
        assert session.get(Profile, company.accounts["Delta"]) is None
        assert session.get(Snapshot, first.id) is None
        assert session.list(Account, 'key_accounts.tier == "strategic"') == []
        assert session.list(Account, "any(key_accounts.alerts, contribution > 0)") == []
    with pytest.raises(NotFound), company.session() as session:
        session.add_many(Snapshot, [row(company, name="Delta")])
    with company.session("boss") as session:
        assert [session.count(each, all_dates=True) for each in (Profile, Snapshot, Alert)] == [1, 2, 1]


def test_what_was_measured_is_deleted_by_managers_only(company) -> None:
    id_ = assess(company, MAY)
    with pytest.raises(PermissionDenied), company.session() as session:
        session.delete(session.require(Snapshot, id_))


def panel(company, name: str, who: str = "li.wei", **options) -> Panel | None:
    with company.session(who, read_only=True, **options) as session:
        gathered = company.crm.build.dispatcher.gather_overview(session, [company.accounts[name]])
    assert not gathered.failed
    return next((part for part in gathered if part.plugin == "key_accounts"), None)


def test_the_panel_tells_value_over_time(company) -> None:
    with company.session() as session:
        profiles.classify(session, company.account(session, "Acme"), "strategic", target_revenue=Money(5, "EUR"))
    assess(company, MAY)
    assess(company, JUNE, revenue=10)
    found = panel(company, "Acme")
    assert found is not None
    assert found.lines == (
        ("Tier", "Strategic"),
        ("Target revenue of the year", "5.00 EUR"),
        ("Value score", "38.00"),
        ("Moved by", "-12.00"),
        ("Cause", "Revenue"),
    )
    assert found.rows[1:] == (
        ("2026-05-01", "50.00", "50", "50", "50", "50", "50"),
        ("2026-06-01", "38.00", "10", "50", "50", "50", "50"),
    )
    assert found.severity == "bad"
    before = panel(company, "Acme", at=JUNE - dt.timedelta(1))
    assert (dict(before.lines)["Value score"], len(before.rows), before.severity) == ("50.00", 2, "none")
    assert panel(company, "Acme", at=MAY - dt.timedelta(1)).rows == ()
    assess(company, JULY, revenue=100)
    assert panel(company, "Acme").severity == "good"
    assert panel(company, "Beta") is None
    assert panel(company, "Acme", "zhang.min") is None


def test_assessments_and_alerts_stand_in_the_timeline(company) -> None:
    assess(company, MAY)
    assess(company, JUNE, revenue=10)
    assess(company, JULY, revenue=90)

    def told(who: str = "li.wei", **options) -> list[tuple[str, str]]:
        with company.session(who) as session:
            gathered = company.crm.build.dispatcher.gather_timeline(session, [company.accounts["Acme"]], **options)
        assert not gathered.failed
        return [(entry.title, entry.text) for entry in gathered if entry.record_type.startswith("key_accounts")]

    may, june, july = ("Value assessed", "50.00"), ("Value assessed", "38.00"), ("Value assessed", "62.00")
    fell, rose = ("Value fell", "Revenue"), ("Value rose", "Revenue")
    assert sorted(told()) == sorted([rose, july, fell, june, may])
    assert sorted(told(since=JUNE, until=JULY)) == sorted([fell, june])
    assert set(told(limit=2)) == {rose, july}
    assert told("zhang.min") == []


def test_statements_do_not_grow_with_accounts(company) -> None:
    with company.session() as session:
        ids = session.add_many(Account, [{"name": f"Account {number}"} for number in range(50)])
        session.check()
        session.add_many(Snapshot, [{**row(company), "account_id": id_} for id_ in ids])
    counts = []
    for number in (1, 50):
        with company.session(read_only=True) as session:
            session.count(Account)  # what the session asks once about its actor
            with company.statements() as seen:
                panels = company.crm.build.dispatcher.gather_overview(session, ids[:number])
                entries = company.crm.build.dispatcher.gather_timeline(session, ids[:number])
        assert (len(panels), len(entries)) == (number, number)
        counts.append(len(seen))
    # On PostgreSQL a savepoint is set and released for each hook, so that a plugin can fail alone.
    savepoints = 4 if company.crm.store.dialect == "postgresql" else 0
    assert [each - savepoints for each in counts] == [5, 5]


def test_all_of_it_goes_with_the_account(company) -> None:
    with company.session() as session:
        profiles.classify(session, company.account(session, "Acme"), "key")
    assess(company, MAY)
    assess(company, JUNE, revenue=0)
    with company.crm.system_session("test") as session:
        session.delete(company.account(session, "Acme"))
    assert session.info.get("failed_hooks", []) == []
    with company.crm.system_session("test") as session:
        assert [session.count(each, all_dates=True) for each in (Profile, Snapshot, Alert)] == [0, 0, 0]


names = st.sampled_from(["revenue", "growth", "margin", "trust"])
weighted = st.dictionaries(names, st.tuples(st.integers(0, 100), st.decimals(0, 1000, places=3)), min_size=1).filter(
    lambda pairs: any(weight for _, weight in pairs.values())
)


def apart(pairs) -> tuple[dict[str, int], dict[str, Decimal]]:
    return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}


@given(weighted, st.integers(1, 50))
def test_the_score_is_a_weighted_mean(pairs, factor) -> None:
    given_scores, weights = apart(pairs)
    found = scores.value_score(given_scores, weights)
    counted = [score for score, weight in pairs.values() if weight]
    assert 0 <= min(counted) <= found <= max(counted) <= 100
    exact = sum(Fraction(weight) * score for score, weight in pairs.values()) / sum(map(Fraction, weights.values()))
    assert abs(Fraction(found) - exact) <= Fraction(1, 200)
    assert found == scores.value_score(given_scores, {name: weight * factor for name, weight in weights.items()})
    assert found == scores.value_score(dict(reversed(given_scores.items())), dict(reversed(weights.items())))


@given(weighted, names, st.integers(0, 100))
def test_a_better_score_never_lowers_the_value(pairs, name, better) -> None:
    given_scores, weights = apart(pairs)
    assume(name in given_scores and better >= given_scores[name])
    assert scores.value_score({**given_scores, name: better}, weights) >= scores.value_score(given_scores, weights)


@given(weighted, weighted)
def test_contributions_sum_up_to_the_move_and_the_cause_leads_it(one, two) -> None:
    before, after = apart(one), apart(two)
    move = scores.value_score(*after) - scores.value_score(*before)
    moved = scores.contributions(before, after)
    assert abs(sum(moved.values()) - move) <= Decimal("0.005") * (len(moved) + 2)
    name, points = scores.cause(before, after)
    assert moved[name] == points
    if abs(move) > Decimal("0.05"):
        assert points * move > 0
        assert all(points >= each if move > 0 else points <= each for each in moved.values())


values = st.fixed_dictionaries(dict.fromkeys(EVEN, st.integers(0, 100)))


# Each example writes to a real database, so a few dozen must do.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 9), values), min_size=1, max_size=5))
def test_alerts_follow_any_order_of_assessments(company, assessments) -> None:
    with company.crm.system_session("test") as session:
        session.delete_many(Snapshot, [each.id for each in session.list(Snapshot, limit=None, all_dates=True)])
    book: dict[int, Decimal] = {}
    for day, given_scores in assessments:
        with company.session() as session:
            at = MAY + dt.timedelta(day)
            book[day] = snapshots.assess(session, company.account(session, "Acme"), given_scores, at=at).score
    days = sorted(book)
    wanted = {
        (book[before], book[after])
        for before, after in itertools.pairwise(days)
        if abs(book[after] - book[before]) >= 10
    }
    with company.session("boss", read_only=True) as session:
        found = alerts.unsettled(session, company.account(session, "Acme"))
        assert {(alert.score_before, alert.score_after) for alert in found} == wanted
        for day in days:
            at = MAY + dt.timedelta(day)
            assert snapshots.value(session, company.account(session, "Acme"), at=at) == book[day]

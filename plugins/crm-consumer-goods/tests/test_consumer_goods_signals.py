"""Signs of life for the rules of pools."""

from __future__ import annotations

import datetime as dt

from crm_consumer_goods import store_checks, visits

KINDS = {"held_activity", "store_check"}


def told(company, kinds=KINDS, since=None, until=None):
    with company.crm.system_session("test") as session:
        until = until or session.now + dt.timedelta(1)
        found = company.crm.build.dispatcher.gather_signals(
            session, list(company.accounts.values()), kinds, since, until
        )
    assert found.failed == ()
    return [(each.account_id, each.kind, each.at) for each in found]


def test_visits_count_as_held_activities_and_store_checks_for_themselves(open_company):
    company = open_company()
    name = next(iter(company.accounts))
    id_ = company.accounts[name]
    with company.session() as session:
        shop = company.account(session, name)
        visits.plan_visits(session, [shop], from_=dt.date(2027, 1, 4), until=dt.date(2027, 1, 30))
        plain = visits.check_in(session, shop)
        visits.check_out(session, plain)
        checked = visits.check_in(session, shop)
        store_checks.note(session, checked, [{"product": "Green tea", "on_shelf": True}])
        visits.check_out(session, checked)
        first, second = plain.checked_in_at, checked.checked_in_at
    both = [(id_, "held_activity", first), (id_, "held_activity", second)]
    assert sorted(told(company)) == sorted([*both, (id_, "store_check", second)])
    assert told(company, {"held_activity"}) == both
    assert told(company, {"order"}) == []
    assert told(company, since=second, until=second) == []
    assert told(company, {"held_activity"}, since=second) == both[1:]


def test_the_words_are_there_for_the_rules(open_company):
    company = open_company()
    assert company.crm.build.policy.vocabularies["account.signal"].keys() >= KINDS


def test_the_number_of_statements_is_constant(open_company):
    company = open_company()
    with company.crm.system_session("test") as session, company.statements() as seen:
        company.crm.build.dispatcher.gather_signals(session, list(company.accounts.values()), KINDS, None, session.now)
    assert len([each for each in seen if each.startswith("SELECT")]) == 2
    with company.crm.system_session("test") as session, company.statements() as seen:
        company.crm.build.dispatcher.gather_signals(session, [1], {"order"}, None, session.now)
    assert seen == []

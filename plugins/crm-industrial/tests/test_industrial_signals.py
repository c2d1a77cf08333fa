"""Signs of life for the rules of pools."""

from __future__ import annotations

import datetime as dt

from crm_industrial import touches


def test_touches_count_as_held_activities_and_for_themselves(open_company):
    company = open_company()
    name = next(iter(company.accounts))
    id_ = company.accounts[name]
    with company.session() as session:
        late = session.now - dt.timedelta(days=5)
        touches.note(session, company.account(session, name), "sample", at=late)
    with company.crm.system_session("import") as session:
        touches.note(session, company.account(session, name), "call", at=late, user="li.wei")
    with company.crm.system_session("test") as session:
        gather = company.crm.build.dispatcher.gather_signals
        found = gather(session, [id_], {"held_activity", "nurture_touch"}, None, session.now)
        assert {(each.account_id, each.kind, each.at) for each in found} == {
            (id_, "held_activity", late), (id_, "nurture_touch", late),
        }  # fmt: skip
        # Li noted it five days later; what the system brought counts as known when it happened.
        assert sorted(each.known_at is not None for each in found) == [False, False, True, True]
        assert len(gather(session, [id_], {"nurture_touch"}, late, session.now)) == 2
        assert len(gather(session, [id_], {"nurture_touch"}, None, late)) == 0
        with company.statements() as seen:
            assert len(gather(session, [id_], {"order"}, None, session.now)) == 0
        assert seen == []
    assert "nurture_touch" in company.crm.build.policy.vocabularies["account.signal"]

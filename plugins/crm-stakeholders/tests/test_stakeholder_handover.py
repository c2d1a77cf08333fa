"""What of roles a handover tells as open, and on whom it hangs."""

from __future__ import annotations

from crm_core.views import open_items
from crm_stakeholders import assign


class TestOpenWork:
    def test_roles_hang_on_people_and_what_nobody_knows_is_a_question(self, company):
        with company.session("li") as session:
            acme, ann = company.acme_of(session), company.person(session, "ann")
            assign(session, ann, acme, "decider", scopes=["commercial", "technical", "final"])
        with company.session("li", read_only=True) as session:
            found = open_items(session, [company.acme, company.beta])
            assert found.failed == ()
            assert [(item.kind, item.title, item.text, item.contact_id) for item in found] == [
                ("question", "Who decides is not known", "Financial", None),
                ("role", "Ann", "Decider", company.ann),
            ]
            assert open_items(session, [company.acme], session.user_id).parts == ()
        with company.session("wang", read_only=True) as session:
            assert open_items(session, [company.acme, company.beta]).parts == ()

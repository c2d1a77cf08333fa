"""Fields that hold ids without saying so are found by what is done with them, and nothing else is."""

from __future__ import annotations

import pytest
from sqlalchemy import String, cast, func, select

from crm_core import Account, Activity
from crm_core.testing import Check, verify
from crm_core.testing.conformance.canaries import _Looking


@pytest.fixture(scope="module")
def found_in():
    """What is found in a statement about scores, whose number and text are no ids."""

    def look(make):
        found = []

        def inside(subject):
            from crm_project_sales.scores import Score

            with subject.crm() as crm, crm.system_session("test", read_only=True) as session:
                looking = _Looking(subject, crm)
                with looking._compared() as seen:
                    session.execute(make(Score, looking.ids))
            found.extend(sorted({(each.field, each.target) for each in seen}))
            return ()

        report = verify("project_sales", checks=(Check("mine", "It holds.", inside, database=True),))
        assert report.ok, report.text()
        return found

    return look


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda score, ids: select(score.id).where(score.value == ids["account"]), [("value", "account")]),
        (lambda score, ids: select(score.id).where(score.value.in_([1, ids["account"]])), [("value", "account")]),
        (lambda score, ids: select(score.id).where(score.criterion == str(ids["contact"])), [("criterion", "contact")]),
        (lambda score, ids: select(score.id).join(Account, Account.id == score.value), [("value", "account")]),
        (lambda score, ids: select(score.id).where(score.value == Activity.account_id), [("value", "account")]),
        (lambda score, ids: select(score.id).where(score.value.in_(select(Account.id))), [("value", "account")]),
        (lambda score, ids: select(score.id).where(cast(Account.id, String) == score.criterion),
         [("criterion", "account")]),
        # Numbers among numbers, and numbers that are counted.
        (lambda score, ids: select(score.id).where(score.value == 3), []),
        (lambda score, ids: select(score.id).where(score.value < ids["account"]), []),
        (lambda score, ids: select(score.id).where(score.value > select(func.count(Account.id)).scalar_subquery()), []),
        (lambda score, ids: select(score.id).where(score.value == select(func.max(Account.id)).scalar_subquery()), []),
        # What is declared is no secret.
        (lambda score, ids: select(score.id).where(score.project_id == ids["project_sales.project"]), []),
        (lambda score, ids: select(score.id).where(score.id == ids["project_sales.score"]), []),
    ],
)  # fmt: skip
def test_a_field_that_is_compared_with_ids(found_in, make, expected):
    assert found_in(make) == expected

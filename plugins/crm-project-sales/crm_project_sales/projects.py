"""Projects: something a customer plans to build or buy, and we may bid for."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

import crm_stakeholders
from crm_core import (
    Account,
    CrmSession,
    Mapped,
    Money,
    Record,
    choice,
    day,
    number,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_core.fields import money

if TYPE_CHECKING:
    from crm_stakeholders import DecisionMap

__all__ = ["BIDDING", "CLOSED", "Project", "ProjectStage", "decision_map", "open_project"]


class ProjectStage(Enum):
    """How far a project has come."""

    IDEA = "idea"
    QUALIFIED = "qualified"
    BID = "bid"
    NEGOTIATION = "negotiation"
    WON = "won"
    LOST = "lost"
    DROPPED = "dropped"


BIDDING = frozenset({ProjectStage.BID, ProjectStage.NEGOTIATION})
"""The stages in which an offer of ours is on the table."""

CLOSED = frozenset({ProjectStage.WON, ProjectStage.LOST, ProjectStage.DROPPED})
"""The stages in which there is nothing left to decide."""


@record("project_sales.project", access=via("account_id"), label="Project", indexes=[("account_id", "stage")])
class Project(Record):
    """A sales project at an account: its size, how far it has come, and how likely we are to win it."""

    account_id: Mapped[int] = ref("account", collection="projects", index=False)
    name: Mapped[str] = text(200, search=True)
    stage: Mapped[ProjectStage] = choice(ProjectStage, default=ProjectStage.IDEA)
    budget: Mapped[Money | None] = money(default=None, label="Budget of the customer")
    expected_close: Mapped[dt.date | None] = day(default=None, label="Expected award")
    probability: Mapped[Decimal | None] = number(4, default=None, label="Probability (0 to 1)")
    note: Mapped[str | None] = text(None, default=None)

    account: Mapped[Account] = parent("account_id")


def open_project(
    session: CrmSession,
    account: Account,
    name: str,
    *,
    budget: Money | None = None,
    expected_close: dt.date | None = None,
    probability: Decimal | None = None,
    note: str | None = None,
) -> Project:
    """Take up a project of a customer; it begins as an idea."""
    return session.add_one(
        Project(
            account_id=account.id,
            name=name,
            budget=budget,
            expected_close=expected_close,
            probability=probability,
            note=note,
        )
    )


def decision_map(session: CrmSession, project: Project, *, at: dt.datetime | dt.date | None = None) -> DecisionMap:
    """Who decides about a project, at a moment (default: the session's ``at``); see ``crm_stakeholders``."""
    account = session.require(Account, project.account_id)
    return crm_stakeholders.decision_map(session, account, project, at=at)

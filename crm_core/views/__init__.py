"""What people look at: the overview of an account, its timeline, and whether it may be contacted now.

Every view reads through the session, so it shows only what the actor may see; plugins add their parts by hooks.
"""

from crm_core.views.briefing import Briefing, briefings
from crm_core.views.completeness import Part, Quality, Question, Stale
from crm_core.views.concealment import Concealment, Risk, concealment
from crm_core.views.contacting import check_contact
from crm_core.views.data import as_data
from crm_core.views.hierarchy import Group, Related, Relative, RollUp, Sum
from crm_core.views.next_actions import NextActions, next_actions
from crm_core.views.open_items import open_items
from crm_core.views.overview import Extension, Fact, Overview, StageSince, overview
from crm_core.views.people import Elsewhere, Person, Place, Point
from crm_core.views.team import Cover, Responsible, Running
from crm_core.views.timeline import Timeline, timeline
from crm_core.views.today import Today, today
from crm_core.views.whats_new import AccountNews, Learned, WhatsNew, looked, whats_new

__all__ = [
    "AccountNews",
    "Briefing",
    "Concealment",
    "Cover",
    "Elsewhere",
    "Extension",
    "Fact",
    "Group",
    "Learned",
    "NextActions",
    "Overview",
    "Part",
    "Person",
    "Place",
    "Point",
    "Quality",
    "Question",
    "Related",
    "Relative",
    "Responsible",
    "Risk",
    "RollUp",
    "Running",
    "StageSince",
    "Stale",
    "Sum",
    "Timeline",
    "Today",
    "WhatsNew",
    "as_data",
    "briefings",
    "check_contact",
    "concealment",
    "looked",
    "next_actions",
    "open_items",
    "overview",
    "timeline",
    "today",
    "whats_new",
]

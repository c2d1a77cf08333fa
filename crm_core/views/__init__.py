"""What people look at: the overview of an account, its timeline, and whether it may be contacted now.

Every view reads through the session, so it shows only what the actor may see; plugins add their parts by hooks.
"""

from crm_core.views.contacting import check_contact
from crm_core.views.open_items import open_items
from crm_core.views.overview import Overview, Person, Responsible, overview
from crm_core.views.timeline import Timeline, timeline

__all__ = ["Overview", "Person", "Responsible", "Timeline", "check_contact", "open_items", "overview", "timeline"]

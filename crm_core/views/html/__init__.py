"""Pages that stand by themselves: one file of HTML with its style inside, no script, nothing loaded from elsewhere.

A page can be mailed, printed, or opened years later. Every value is escaped, whatever it is; a policy inside the page
forbids scripts and loading besides.
"""

from crm_core.views.html.overview_page import overview_page
from crm_core.views.html.rendering import Translate, page
from crm_core.views.html.today_page import today_page

__all__ = ["Translate", "overview_page", "page", "today_page"]

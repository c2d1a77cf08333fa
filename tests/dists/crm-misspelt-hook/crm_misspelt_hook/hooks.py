"""Three mistakes."""

from crm_core.hooks import hookimpl


@hookimpl
def crm_on_chnages(session, batch):
    """Misspelt."""


@hookimpl
def crm_check_changes(session, batch=None):
    """With a default."""


@hookimpl
def crm_gather_overview(session, account_ids):
    """With a parameter of another name."""

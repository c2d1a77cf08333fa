"""The hooks."""

from crm_core import hookimpl


@hookimpl
def crm_on_chnages(session, batch):
    """Misspelt."""

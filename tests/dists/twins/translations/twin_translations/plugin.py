"""The hooks."""

from collections.abc import Mapping

from crm_core import hookimpl


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """One text."""
    return {"twin_translations.thing.use": "Use the thing"}

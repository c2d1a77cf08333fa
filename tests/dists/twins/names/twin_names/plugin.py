"""The hooks."""

from collections.abc import Mapping

from crm_core import hookimpl
from crm_core.cli import command


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """A name that begins like no plugin."""
    return {"accounts.grade": "Grade accounts"}


@hookimpl
def crm_register_vocabularies() -> Mapping[str, Mapping[str, str]]:
    """A name that any plugin could choose."""
    return {"grade": {"a": "First"}}


@command("grades")
def grades() -> None:
    """List the grades of accounts."""

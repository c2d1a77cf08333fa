"""The hooks."""

from collections.abc import Iterable

from crm_core import Record, SoftReference, hookimpl
from crm_project_sales import Project
from twin_requirements_reference.records import Thing

__all__ = ["Project"]


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_register_references() -> Iterable[SoftReference]:
    """Roles of another plugin."""
    return [SoftReference(record="twin_requirements_reference.thing", id_field="role_id", target="stakeholders.role")]

"""The hooks."""

from collections.abc import Mapping

from crm_core import hookimpl


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """A name of somebody else."""
    return {"stakeholders.role.read_stance": "Read stances"}

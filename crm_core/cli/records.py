"""Records as people read them and as JSON: only the fields that the session may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.errors import PermissionDenied
from crm_core.fields import Field
from crm_core.records import RecordType
from crm_core.views.data import SYSTEM, plain, record_data
from crm_core.views.showing import Shower, held, readable

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["SYSTEM", "Shower", "held", "plain", "readable", "record_data", "require_readable"]


def require_readable(session: CrmSession, record_type: RecordType, field: Field) -> None:
    """Refuse a field that the actor may not read."""
    if field.restricted is not None and not session.can(field.restricted):
        raise PermissionDenied(
            "{record}.{field} may not be read by {principal}.",
            mend="A role with the permission {permission} is needed.",
            record=record_type.name,
            field=field.name,
            principal=session.actor.principal,
            permission=field.restricted,
        )

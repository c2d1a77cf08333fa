"""Record types: one declaration from which table, validation, filters, history and access follow."""

from crm_core.records.access import (
    Access,
    Administered,
    Owned,
    Private,
    Public,
    Through,
    Via,
    administered,
    owned,
    private,
    public,
    through,
    via,
)
from crm_core.records.declare import Dated, extends, one_at_a_time, parent, record
from crm_core.records.references import SoftReference
from crm_core.records.types import KERNEL, Exclusive, Record, RecordType, Types, declared, link, type_of

__all__ = [
    "KERNEL",
    "Access",
    "Administered",
    "Dated",
    "Exclusive",
    "Owned",
    "Private",
    "Public",
    "Record",
    "RecordType",
    "SoftReference",
    "Through",
    "Types",
    "Via",
    "administered",
    "declared",
    "extends",
    "link",
    "one_at_a_time",
    "owned",
    "parent",
    "private",
    "public",
    "record",
    "through",
    "type_of",
    "via",
]

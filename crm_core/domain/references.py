"""The kernel's own references that no foreign key keeps."""

from __future__ import annotations

from crm_core.records import SoftReference

__all__ = ["REFERENCES"]

REFERENCES: tuple[SoftReference, ...] = (
    SoftReference(record="external_ref", type_field="record_type", id_field="record_id"),
    SoftReference(record="share", type_field="because_type", id_field="because_id"),
    SoftReference(record="redirect", type_field="record_type", id_field="target_id"),
    SoftReference(record="quality_issue", type_field="record_type", id_field="record_id"),
)

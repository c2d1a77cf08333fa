"""References that no foreign key keeps: an id beside the name of a record type, or an id alone."""

from __future__ import annotations

import attrs

__all__ = ["SoftReference"]


@attrs.frozen(kw_only=True)
class SoftReference:
    """Two fields of ``record`` that name another record: its type in ``type_field``, its id in ``id_field``.

    Where the type is always the same, ``target`` names it in place of ``type_field``. A merge moves such references as
    it moves those that are declared by ``ref()``.
    """

    record: str
    id_field: str
    type_field: str | None = None
    target: str | None = None

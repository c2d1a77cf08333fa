"""What a worker tells of what it does."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import attrs

__all__ = ["Event", "Kind"]

Kind = Literal[
    "started", "stopped", "delivered", "delivery_failed", "put_aside", "scheduled", "begun", "done", "failed", "dead",
    "lost", "silent", "left", "trouble",
]  # fmt: skip


@attrs.frozen
class Event:
    """Something that happened in a worker.

    ``values`` depend on the ``kind``: ``job`` and ``id`` of a job, its ``attempt``, ``seconds``, ``error`` and the
    moment ``again``; ``plugin`` and ``change_sets`` of a delivery; ``count``.
    """

    kind: Kind
    at: dt.datetime
    values: dict[str, Any] = attrs.field(factory=dict)

"""Jobs: work that is done later, or by the clock, by ``crm worker``.

Somebody asks for one by :func:`enqueue`; :class:`Worker` does it; the rest is for those who look after the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_core.jobs.asking import enqueue
    from crm_core.jobs.events import Event
    from crm_core.jobs.managing import Overview, drop, overview, retry, run_now
    from crm_core.jobs.worker import Worker
    from crm_core.store.queue import Queue, QueuedJob, Terms

__all__ = [
    "Event",
    "Overview",
    "Queue",
    "QueuedJob",
    "Terms",
    "Worker",
    "drop",
    "enqueue",
    "overview",
    "retry",
    "run_now",
]

_HOMES = {
    "crm_core.jobs.asking": ("enqueue",),
    "crm_core.jobs.events": ("Event",),
    "crm_core.jobs.managing": ("Overview", "drop", "overview", "retry", "run_now"),
    "crm_core.jobs.worker": ("Worker",),
    "crm_core.store.queue": ("Queue", "QueuedJob", "Terms"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)

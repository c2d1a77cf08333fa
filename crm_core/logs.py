"""The log of the kernel: by structlog as the application has set it up, or plainly where it has not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["logger"]


def logger(name: str) -> FilteringBoundLogger:
    """The logger of this name, such as ``crm_core.jobs``.

    Where the application has not configured structlog, what is told goes to the logger of this name of the standard
    library. structlog by itself would print it to the standard output, with the local variables of every frame of a
    traceback: passwords, and data that nobody may see there. It also takes seconds for each, which whoever writes
    at the same time would wait for.
    """
    import structlog  # slow to import, and mostly there is nothing to tell

    if structlog.is_configured():
        found: FilteringBoundLogger = structlog.get_logger(name)
        return found
    found = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.dev.ConsoleRenderer(
                colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    return found

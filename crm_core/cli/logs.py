"""The log of a command: on the error output, and only for ``--debug``.

What a user must know, the command itself says; on the standard output a log would spoil the data.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog

__all__ = ["log_to_stderr"]


def log_to_stderr(debug: bool) -> Callable[[], None]:
    """Set the log up for one command; returns what puts it back."""
    former: dict[str, Any] = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    return lambda: structlog.configure(**former)

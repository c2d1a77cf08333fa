"""The log of a command: on the error output, and only for ``--debug``.

What a user must know, the command itself says; on the standard output a log would spoil the data.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog

from crm_core.cli.printable import printable

__all__ = ["log_to_stderr"]


def log_to_stderr(debug: bool) -> Callable[[], None]:
    """Set the log up for one command; returns what puts it back."""
    former: dict[str, Any] = structlog.get_config()
    structlog.configure(
        # No colours: what is data could not be told from what steers the terminal.
        processors=[
            structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(), structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback), _printable,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )  # fmt: skip
    return lambda: structlog.configure(**former)


def _printable(_logger: Any, _method: str, line: Any) -> str:
    return printable(line)

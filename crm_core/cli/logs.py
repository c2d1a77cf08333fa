"""The log of a command: on the error output, and but for one thing only for ``--debug``.

What a user must know, the command itself says; on the standard output a log would spoil the data. That a plugin failed
at what it does on changes no command can know: the changes stand, and what it would have done is missing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import structlog

from crm_core.cli.printable import printable

if TYPE_CHECKING:
    from crm_core.errors import HookError

__all__ = ["log_to_stderr"]


def log_to_stderr(debug: bool, failed: Callable[[HookError], str] | None = None) -> Callable[[], None]:
    """Set the log up for one command; returns what puts it back. ``failed`` words that a plugin failed on changes."""
    former: dict[str, Any] = structlog.get_config()
    structlog.configure(
        # No colours: what is data could not be told from what steers the terminal.
        processors=[
            structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(), structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback), _printable,
        ] if debug else [_Failures(failed), _printable],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )  # fmt: skip
    return lambda: structlog.configure(**former)


class _Failures:
    """Of all that is logged, which plugins failed at what they do on changes; each once."""

    def __init__(self, failed: Callable[[HookError], str] | None) -> None:
        self._failed = failed
        self._told: set[str] = set()

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        plugin = event.get("plugin", "")
        if self._failed is None or event.get("hook") != "crm_on_changes" or plugin in self._told:
            raise structlog.DropEvent
        self._told.add(plugin)
        return self._failed(event["exc_info"])


def _printable(_logger: Any, _method: str, line: Any) -> str:
    return printable(line)

"""What Hypothesis draws from a seed, made the same whatever the sources beside it say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

__all__ = ["without_source_constants"]


@contextmanager
def without_source_constants() -> Iterator[None]:
    """Within the block Hypothesis draws no texts and numbers that it has read in the sources of loaded modules.

    With these a seed means something else after every change of a line, and wherever other modules are loaded: what a
    run has found could not be looked at again, once something was mended. Hypothesis has no setting for it. A version
    that goes about it in another way than those known here draws what it likes.
    """
    from hypothesis.internal.conjecture import providers

    if not hasattr(providers, "_get_local_constants") or not hasattr(providers, "CONSTANTS_CACHE"):
        yield
        return
    none, kept = _nothing()
    with (
        patch.object(providers, "_get_local_constants", lambda: none),
        patch.object(providers, "CONSTANTS_CACHE", kept),
    ):
        yield


@cache
def _nothing() -> tuple[Any, Any]:
    """No constants, and what Hypothesis remembers of those that it may draw then."""
    from hypothesis.internal.conjecture import providers
    from hypothesis.internal.constants_ast import Constants

    return Constants(), type(providers.CONSTANTS_CACHE)(providers.CONSTANTS_CACHE.max_size)

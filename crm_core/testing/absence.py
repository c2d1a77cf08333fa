"""What a test does where something is not there that it needs: skip on a desk, fail on a build server."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

__all__ = ["in_ci", "missing"]


def in_ci() -> bool:
    """Whether a build server runs the tests (``CI=true``), on which nothing may be skipped for being absent."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def missing(reason: str) -> NoReturn:
    """Skip a test for want of something; on a build server, where it must not be wanting, fail."""
    if in_ci():
        pytest.fail(f"{reason} (CI is set, so this is a failure and no skip)", pytrace=False)
    pytest.skip(reason)

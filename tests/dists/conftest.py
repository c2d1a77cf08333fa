"""The partners' distributions are installed with the environment; in one that is older they look so for these tests."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from crm_core.testing.projects import installed_projects

FOREIGN = sorted(Path(__file__).parent.glob("crm-partner-*"))
LASTING = ExitStack()


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


INSTALLED = {folder.name: _installed(folder.name) for folder in FOREIGN}
ABSENT = [folder for folder in FOREIGN if not INSTALLED[folder.name]]
if ABSENT:
    # Now, since the tests import them; and records are mapped once in a process, so that their modules stay.
    LASTING.enter_context(installed_projects(*ABSENT, forget=False))


def pytest_unconfigure():
    LASTING.close()


@pytest.fixture(scope="session")
def really_installed() -> dict[str, bool]:
    """Which of the partners' distributions pip has installed."""
    return INSTALLED

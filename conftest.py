"""What the tests of the kernel and of every plugin in this repository share, besides crm-core's own pytest plugin.

It lies at the root because the plugins' tests lie beside the kernel's, not under them.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import hypothesis
import pytest

from crm_core.testing.absence import in_ci, missing

ROOT = Path(__file__).parent

# The fixtures with databases come from the pytest plugin that every installation of crm-core has. Where the sources are
# used without being installed (or were installed before it had one), it is named here; twice it would be refused.
if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") or not entry_points(group="pytest11", name="crm_core"):
    pytest_plugins = ["crm_core.testing.plugin"]

# A build server has patience, and must fail today for what it failed for yesterday. The second run, on PostgreSQL,
# looks for what is different there: what is wrong on both the first one has found.
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("ci-postgresql", hypothesis.settings.get_profile("ci"), max_examples=30)
hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
# For a night: HYPOTHESIS_PROFILE=thorough.
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None, print_blob=True)
# Many runs that end at the first failure, which nobody reads: the smallest example is not looked for.
hypothesis.settings.register_profile(
    "mutation", max_examples=30, deadline=None, derandomize=True, database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)  # fmt: skip
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if in_ci() else "dev"))


def pytest_configure(config: pytest.Config) -> None:
    """Choose how long properties are looked at, before the first of them is read."""
    if config.getoption("postgresql", False) and "HYPOTHESIS_PROFILE" not in os.environ and in_ci():
        hypothesis.settings.load_profile("ci-postgresql")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the sample data sets, which are no part of this repository."""
    folder = Path(os.environ.get("CRM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        missing(f"there are no sample data in {folder}: set CRM_SHARED_DATA to the folder that has them")
    return folder

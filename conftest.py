"""What the tests of the kernel and of every plugin in this repository share, besides crm-core's own pytest plugin.

It lies at the root because the plugins' tests lie beside the kernel's, not under them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import walk_packages

import attrs
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
# No profile minds how long an example takes: a busy machine would fail what is right.
SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile(
    "ci", suppress_health_check=SLOW, max_examples=100, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("ci-postgresql", hypothesis.settings.get_profile("ci"), max_examples=30)
hypothesis.settings.register_profile("dev", suppress_health_check=SLOW, max_examples=50, deadline=None)
# For a night: HYPOTHESIS_PROFILE=thorough.
hypothesis.settings.register_profile(
    "thorough", suppress_health_check=SLOW, max_examples=2000, deadline=None, print_blob=True
)
# Many runs that end at the first failure, which nobody reads: the smallest example is not looked for.
hypothesis.settings.register_profile(
    "mutation", max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)  # fmt: skip
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if in_ci() else "dev"))


def pytest_configure(config: pytest.Config) -> None:
    """Choose how long properties are looked at, before the first of them is read."""
    if config.getoption("postgresql", False) and "HYPOTHESIS_PROFILE" not in os.environ and in_ci():
        hypothesis.settings.load_profile("ci-postgresql")


@attrs.frozen
class Long:
    """A test that takes long: ``seconds`` of the processor, and whether its coverage is ``measured``."""

    seconds: float
    measured: bool


def long_tests() -> dict[str, Long]:
    """The tests that take long by their names, with or without parameters, as ``tests/long.txt`` tells them."""
    lines = (ROOT / "tests" / "long.txt").read_text(encoding="utf-8").splitlines()
    told = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {name: Long(float(seconds.rstrip("+")), seconds.endswith("+")) for seconds, name in told}


LONG = long_tests()


def unmeasured_tests() -> frozenset[str]:
    """Files, and tests by their names without parameters, that ``tests/unmeasured.txt`` tells."""
    lines = (ROOT / "tests" / "unmeasured.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


UNMEASURED = frozenset() if os.environ.get("CRM_MEASURE_ALL") else unmeasured_tests()


def _long(item: pytest.Item) -> Long | None:
    return LONG.get(item.nodeid) or LONG.get(item.nodeid.partition("[")[0])


def _measured(item: pytest.Item) -> bool:
    long = _long(item)
    if long is not None:
        return long.measured
    test = item.nodeid.partition("[")[0]
    return test not in UNMEASURED and test.partition("::")[0] not in UNMEASURED


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no processor has to wait for one test at the end.

    Workers are given tests in rows, so that the first row of each has its share of the long ones.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    known = {item: long for item in items if (long := _long(item)) is not None}
    first = sorted(known, key=lambda item: known[item].seconds, reverse=True)
    shares = [item for number in range(workers) for item in first[number::workers]]
    items[:] = [*shares, *(item for item in items if item not in known)]


def pytest_collection_finish() -> None:
    """Let Python look for garbage less often: what was collected stays, and to go through it was a quarter of the time.

    Tests that are about the garbage call its collector themselves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure no coverage of a test that reaches only what others reach, too."""
    with nullcontext() if _measured(item) else unmeasured():
        return (yield)


@cache
def _import_the_kernel() -> None:
    """A module that is imported for the first time where nobody measures would seem never to have been."""
    import crm_core

    for module in walk_packages(crm_core.__path__, "crm_core."):
        if not module.name.startswith(("crm_core.migrations.", "crm_core.templates.")):
            import_module(module.name)


@contextmanager
def unmeasured() -> Iterator[None]:
    """Neither this process nor one that it starts measures its coverage within the block."""
    measuring = sys.modules["coverage"].Coverage.current() if "coverage" in sys.modules else None
    if measuring is None:
        yield
        return
    told = {name: os.environ.pop(name) for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
            if name in os.environ}  # fmt: skip
    _import_the_kernel()
    measuring.stop()
    try:
        yield
    finally:
        os.environ.update(told)
        measuring.start()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the sample data sets, which are no part of this repository."""
    folder = Path(os.environ.get("CRM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        missing(f"there are no sample data in {folder}: set CRM_SHARED_DATA to the folder that has them")
    return folder


@pytest.fixture(scope="session")
def crm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A process in which ``crm`` is imported already, and no plugin is, for commands in processes of their own."""
    from tests.forked import serving

    environ = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    with serving({**environ, "LANG": "C.UTF-8"}, tmp_path_factory.mktemp("server")) as path:
        yield path

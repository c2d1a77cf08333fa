"""What the tests of the kernel and of every plugin in this repository share: databases and sample data.

It lies at the root because the plugins' tests lie beside the kernel's, not under them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from crm_core.testing.postgresql import PostgreSQLServer, PostgreSQLUnavailable, start_server

ROOT = Path(__file__).parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# A build server has patience, and must fail today for what it failed for yesterday.
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
# For a night: HYPOTHESIS_PROFILE=thorough.
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))

SHARED_SERVER = pytest.StashKey[PostgreSQLServer]()
RESOURCES = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose the database that its tests touch."""
    parser.addoption(
        "--postgresql",
        action="store_true",
        default=os.environ.get("CRM_TEST_POSTGRESQL", "") not in {"", "0"},
        help="give tests that use database_url a PostgreSQL database, not SQLite (CRM_TEST_POSTGRESQL=1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Open what lasts as long as the run."""
    config.stash[RESOURCES] = ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run has started."""
    config.stash[RESOURCES].close()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which database a run is about."""
    return "database: " + ("PostgreSQL" if config.getoption("postgresql") else "SQLite")


@pytest.hookimpl(tryfirst=True)  # before pytest itself deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches a database, so that it can be run again on another one."""
    for item in items:
        if "database_url" in getattr(item, "fixturenames", ()):
            item.add_marker("store")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001, RUF100
    """Start one server for all workers, before the first of them starts."""
    if node.config.getoption("postgresql"):
        try:
            node.workerinput["postgresql_port"] = _shared_server(node.config).port
        except PostgreSQLUnavailable as error:
            pytest.exit(f"--postgresql: {error}", returncode=pytest.ExitCode.USAGE_ERROR)


def _shared_server(config: pytest.Config) -> PostgreSQLServer:
    worker = getattr(config, "workerinput", {})
    if "postgresql_port" in worker:
        return PostgreSQLServer(worker["postgresql_port"])
    if SHARED_SERVER not in config.stash:
        config.stash[SHARED_SERVER] = config.stash[RESOURCES].enter_context(start_server())
    return config.stash[SHARED_SERVER]


def _missing(reason: str) -> NoReturn:
    """Skip a test for want of something; on a build server, where it must not be wanting, fail."""
    if IN_CI:
        pytest.fail(f"{reason} (CI is set, so this is a failure and no skip)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> PostgreSQLServer:
    """A PostgreSQL server: with --postgresql one for all workers, else one for each that asks."""
    try:
        return _shared_server(pytestconfig)
    except PostgreSQLUnavailable as error:
        _missing(str(error))


DATABASE_NUMBERS = itertools.count(1)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database: SQLite, or PostgreSQL when the run says --postgresql.

    The test closes its connections; what it leaves in the database goes with it.
    """
    if not request.config.getoption("postgresql"):
        yield f"sqlite:///{tmp_path / 'crm.db'}"
        return
    server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{next(DATABASE_NUMBERS)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the sample data sets, which are no part of this repository."""
    folder = Path(os.environ.get("CRM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        _missing(f"there are no sample data in {folder}: set CRM_SHARED_DATA to the folder that has them")
    return folder

"""The pytest plugin of crm-core: databases for the tests of plugins and of applications.

It is found by its entry point, so that a plugin's tests need no line for it. ``--postgresql`` (or the environment
variable ``CRM_TEST_POSTGRESQL=1``) gives every test that uses ``database_url`` a PostgreSQL database in place of
SQLite; a server is started from the programs that the operating system has, and ends with the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from crm_core.testing.absence import missing
from crm_core.testing.filling import FillDatabase, PostgreSQLDatabases, SQLiteDatabases
from crm_core.testing.postgresql import PostgreSQLServer, PostgreSQLUnavailable, in_memory, start_server

__all__ = ["database_url", "fill_database", "postgresql_server"]

SHARED_SERVER = pytest.StashKey[PostgreSQLServer]()
RESOURCES = pytest.StashKey[ExitStack]()
DATABASE = "crm.db"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose the database that its tests touch."""
    parser.getgroup("crm-core").addoption(
        "--postgresql",
        action="store_true",
        default=os.environ.get("CRM_TEST_POSTGRESQL", "") not in {"", "0"},
        help="give tests that use database_url a PostgreSQL database, not SQLite (CRM_TEST_POSTGRESQL=1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Open what lasts as long as the run."""
    config.addinivalue_line("markers", "store: touches a database; set by itself on tests that use database_url")
    config.addinivalue_line("markers", "any_database: uses database_url, but what it shows is the same on any database")
    config.stash[RESOURCES] = ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run has started."""
    if RESOURCES in config.stash:
        config.stash[RESOURCES].close()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which database a run is about."""
    return "crm-core: database " + ("PostgreSQL" if config.getoption("postgresql") else "SQLite")


@pytest.hookimpl(tryfirst=True)  # before pytest itself deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches a database, so that it can be run again on another one."""
    for item in items:
        needs_one = "database_url" in getattr(item, "fixturenames", ())
        if needs_one and item.get_closest_marker("any_database") is None:
            item.add_marker("store")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
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
        config.stash[SHARED_SERVER] = config.stash[RESOURCES].enter_context(start_server(in_memory()))
    return config.stash[SHARED_SERVER]


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> PostgreSQLServer:
    """A PostgreSQL server: with --postgresql one for all workers, else one for each that asks."""
    try:
        return _shared_server(pytestconfig)
    except PostgreSQLUnavailable as error:
        missing(str(error))


@pytest.fixture(scope="session")
def _filled_files(tmp_path_factory: pytest.TempPathFactory) -> SQLiteDatabases:
    return SQLiteDatabases(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="session")
def _server_databases(postgresql_server: PostgreSQLServer) -> PostgreSQLDatabases:
    return PostgreSQLDatabases(postgresql_server)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database: SQLite, or PostgreSQL when the run says --postgresql.

    The test closes its connections; what it leaves in the database goes with it. Where the fixture ``fill_database`` is
    used, too, the database is there as soon as that was called.
    """
    if not request.config.getoption("postgresql"):
        yield f"sqlite:///{tmp_path / DATABASE}"
        return
    databases: PostgreSQLDatabases = request.getfixturevalue("_server_databases")
    name = databases.name()
    if "fill_database" not in request.fixturenames:
        databases.make(name)
    yield databases.server.url(name)
    databases.server.drop_database(name)


@pytest.fixture
def fill_database(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> FillDatabase:
    """Makes the database at ``database_url`` a copy of one that was filled once.

    ``fill_database(fill, *args)``: see :class:`crm_core.testing.filling.FillDatabase`.
    """

    def fill_it(fill: Callable[..., Any], *args: Hashable) -> Any:
        if not request.config.getoption("postgresql"):
            files: SQLiteDatabases = request.getfixturevalue("_filled_files")
            return files.fill(tmp_path / DATABASE, fill, *args)
        databases: PostgreSQLDatabases = request.getfixturevalue("_server_databases")
        return databases.fill(database_url.rpartition("/")[2], fill, *args)

    return fill_it

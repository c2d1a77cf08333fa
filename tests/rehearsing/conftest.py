from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_core import Crm, organisation, ownership
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Unit, User
from crm_core.store.copies import Contents, opened
from tests.cli.conftest import crm

__all__ = ["crm"]

BUILD = """\
# This comment stays.
[crm]
name = "Rehearsal 测试"
database = {database!r}
"""
NAMES = ("Haier 海尔", "Ⅷ 'quoted' \\ back", "Ω\x01control", "Plain")


@pytest.fixture
def build_file(tmp_path: Path, database_url: str, fill_database: Any) -> Path:
    """A build with a database of a few records of several types."""
    folder = tmp_path / "home"
    folder.mkdir()
    file = folder / "crm.toml"
    file.write_text(BUILD.format(database=database_url), encoding="utf-8")
    fill_database(_filled)
    return file


def _filled(url: str) -> None:
    fill({"crm": {"name": "Rehearsal 测试", "database": url}})


def fill(given: Path | dict[str, Any], names: tuple[str, ...] = NAMES) -> None:
    with Crm.open(given, check=False) as opened_crm:
        opened_crm.migrate()
        with opened_crm.system_session("test", reason="fill") as session:
            unit = session.add_one(Unit(name="Acme", kind="company"))
            user = session.add_one(User(login="zhao.min", name="Zhao Min"))
            organisation.join(session, user, unit, role="administrator", since_always=True)
            for name in names:
                account = session.add_one(Account(name=name))
                ownership.assign(session, account, to=user)
                contact = session.add_one(Contact(name=f"Person of {name}"))
                session.add_one(Affiliation(account_id=account.id, contact_id=contact.id))


def contents(address: str) -> Contents:
    with opened(address) as source:
        return source.contents()


@pytest.fixture
def other_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of another database, which is not there yet."""
    if not request.config.getoption("postgresql"):
        return f"sqlite:///{tmp_path / 'other.db'}"
    server = request.getfixturevalue("postgresql_server")
    name = f"other_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    server.drop_database(name)
    request.addfinalizer(lambda: server.drop_database(name))
    address: str = server.url(name)
    return address


Killed = Callable[[str, str], None]


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    """Runs Python that is killed, as by a power cut, when it comes to a function."""

    def run(where: str, script: str) -> None:
        module, _, name = where.rpartition(".")
        file = tmp_path / "script.py"
        file.write_text(
            f"import os, signal\nfrom pkgutil import resolve_name\nplace = resolve_name({module!r})\n"
            f"place.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n{script}\n",
            encoding="utf-8",
        )
        ended = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == -signal.SIGKILL, ended.stderr

    return run

"""A small CRM in a folder, whose database is put back after an input that was taken."""

from __future__ import annotations

import datetime as dt
import io
import json
import secrets
import sqlite3
import zlib
from collections.abc import Mapping
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from crm_core import Account, Activity, Contact, ContactPoint, Crm, User
from crm_core.cli import Application
from crm_core.cli.running import run
from crm_core.domain.contacts import PointKind
from crm_core.store.tables import CHANGE_SET
from crm_core.testing.conformance.commanding import toml
from crm_core.testing.postgresql import PostgreSQLServer
from torture.fuzz.target import Loss, Target

__all__ = ["BUILD", "CASE", "NOW", "Scene", "SceneTarget", "as_case", "command", "sometimes"]

NOW = dt.datetime(2026, 11, 23, 2, 30, tzinfo=dt.UTC)

BUILD: Mapping[str, Any] = {
    "crm": {"time_zone": "Asia/Shanghai", "currency": "CNY"},
    "custom_fields": {
        "account": {
            "slogan": {"kind": "text"},
            "score": {"kind": "number", "scale": 2},
            "budget": {"kind": "money"},
            "since": {"kind": "day"},
            "seen": {"kind": "moment"},
            "labels": {"kind": "tags"},
            "keen": {"kind": "flag"},
            "size": {"kind": "choice", "choices": ["small", "large"]},
        }
    },
}
"""A build with fields of every kind."""

_EXIT_CODES = frozenset(range(11))
"""How a command may end: well, with something found, written wrongly, or with one of our errors."""


class Scene:
    """The CRM, on a database with a few people who are there already."""

    def __init__(self, folder: Path, server: PostgreSQLServer | None = None) -> None:
        self.folder = folder
        self._turns = 0
        self._server = server
        self._name = f"fuzz_{secrets.token_hex(8)}"
        self._file = folder / "crm.db"
        address = f"sqlite:///{self._file}" if server is None else server.create_database(self._name)
        self.build_file = folder / "crm.toml"
        build = {**BUILD, "crm": {**BUILD["crm"], "database": address}}
        self.build_file.write_text(toml(build), encoding="utf-8")
        self.crm = Crm.open(self.build_file, check=False, clock=self.now)
        self.crm.store.create_all()
        with self.crm.system_session("fuzz") as session:
            session.add(User(login="li", name="Li Wei", email="li@crm.example"))
            acme = session.add_one(Account(name="Acme Bearings", grade="A"))
            person = session.add_one(Contact(name="Wang Min"))
            session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="min@acme.example"))
            session.add(Activity(kind="call", subject="First call", account_id=acme.id, planned_start=NOW))
        self._kept = sqlite3.connect(":memory:")
        if server is None:
            with closing(sqlite3.connect(self._file)) as source:
                source.backup(self._kept)
        else:
            self.crm.store.engine.dispose()
            server.create_database(f"{self._name}_kept", self._name)

    def now(self) -> dt.datetime:
        """What the clock of the CRM shows.

        Keys of ours are made of ids and moments: no two databases have both in common, and these must not, either.
        """
        return NOW + dt.timedelta(microseconds=self._turns)

    def put_back(self) -> None:
        """Make the database what it was at the beginning, a moment later."""
        self._turns += 1
        # Ids that were taken from the database of before are no longer ours.
        self.crm.store._ids.take(1 << 62)
        if self._server is None:
            with closing(sqlite3.connect(self._file)) as target:
                self._kept.backup(target)
        elif self._changed():
            self.crm.store.engine.dispose()
            self._server.drop_database(self._name)
            self._server.create_database(self._name, f"{self._name}_kept")

    def _changed(self) -> bool:
        """Whether anything was committed: to copy a database of PostgreSQL takes long."""
        with self.crm.system_session("fuzz", read_only=True) as session:
            return bool(session.core(select(func.count()).select_from(CHANGE_SET)).scalar_one() > 1)

    def file(self, name: str, data: bytes) -> Path:
        """A file with this content."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def command(self, *line: str) -> str:
        """Run ``crm ...`` on this CRM."""
        return command("--build", str(self.build_file), *line, crm=self.crm)


class SceneTarget(Target):
    """A target with a CRM of its own, into which its inputs come."""

    stores = True

    def __init__(self, folder: Path, server: PostgreSQLServer | None = None) -> None:
        super().__init__(folder, server)
        self.scene = Scene(folder, server)


def command(*line: str, crm: Crm | None = None) -> str:
    """Run ``crm ...``, and see that it ends as commands do; gives what it printed."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = run(line, Application({}, crm))
    text = said.getvalue()
    words = " ".join(each for each in line if each.isalpha())
    if code not in _EXIT_CODES or "Traceback (most recent call last)" in text:
        raise Loss(f"crm {words} ends with {code}", text[-500:])
    if code and not text.strip():
        raise Loss(f"crm {words} ends with {code} and says nothing")
    return text


def sometimes(data: bytes, of: int) -> bool:
    """Whether what costs much is done with this input; the same input is always answered alike."""
    return zlib.crc32(data) % of == 0


def as_case(values: Mapping[str, Any]) -> bytes:
    """A case that knows what must come out, as an input."""
    return CASE + json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")


CASE = b"\x01case "

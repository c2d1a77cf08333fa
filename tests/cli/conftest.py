from __future__ import annotations

import datetime as dt
import json
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_core import Crm, Money, accounts, activities, organisation, ownership
from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Unit, User
from crm_core.fields import Address

BUILD = """\
[crm]
name = "Test"
time_zone = "Asia/Shanghai"

[custom_fields.account.vehicles]
kind = "number"
scale = 0
label = "Vehicles"

[duties.contact_details]
record = "contact_point"
label = "Contact details"

[roles.clerk]
permissions = { "*.read" = "own", "account.update" = "own" }

[pools.east]
label = "East"
where = 'name == "Twin"'
roles = ["clerk"]
show = ["name", "grade"]
assign = "round_robin"
members = ["zhao.min", "nobody"]

[[pools.east.recycle]]
without = "held_activity"
days = 90
warn_days = 14

[pools.rest]
where = 'grade == "C"'

[[pools.rest.recycle]]
without = "held_activity"
days = 30
"""
MARCH = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)


@attrs.frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


RunCrm = Callable[..., Ended]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small company that each test copies."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "crm.toml").write_text(BUILD, encoding="utf-8")
    with Crm.open(folder / "crm.toml", check=False) as crm:
        crm.migrate()
        with crm.system_session("init", reason="the company") as session:
            top = session.add_one(Unit(name="HQ", code="hq"))
            east = session.add_one(Unit(name="East", parent_id=top.id))
            for login, name, unit, role in (
                ("li.wei", "李伟", top, "administrator"),
                ("wang.fang", "王芳", east, "clerk"),
                ("zhao.min", "赵敏", east, "clerk"),
            ):
                user = session.add_one(User(login=login, name=name))
                organisation.join(session, user, unit, role=role, since_always=True)
            session.flush()
            acme = session.add_one(
                Account(
                    name="Acme Bearings", grade="A", employees=60, revenue=Money("1200.50", "CNY"),
                    address=Address(city="上海", country="CN"), tags=frozenset({"vip"}), note="Old friends",
                    website="https://acme.example",
                )
            )  # fmt: skip
            acme.custom = {"vehicles": 12}
            other = session.add_one(Account(name="华东轴承", grade="B", active=False))
            for name in ("Twin", "Twin"):
                session.add_one(Account(name=name))
            session.add_one(ExternalRef(system="erp", record_type="account", key="K-1", record_id=acme.id))
            ownership.assign(session, acme, to="wang.fang", since_always=True)
            accounts.promote(session, acme, "customer", at=MARCH)
            accounts.relate(session, other, "subsidiary", acme)
            person = session.add_one(Contact(name="陈小明"))
            session.flush()
            session.add_one(Affiliation(contact_id=person.id, account_id=acme.id, role="buyer", valid_from=MARCH))
            session.add_one(ContactPoint(contact_id=person.id, kind=PointKind.MOBILE, value="+8613800138000"))
            activities.plan(session, "visit", "Spring visit", start=MARCH, account=acme, user="wang.fang")
            session.add_one(
                Activity(kind="call", subject="Follow-up", account_id=acme.id, started_at=MARCH, note="secret")
            )
            session.flush()
        with crm.system_session("init", reason="handover") as session:
            acme = session.list(Account, 'name == "Acme Bearings"')[0]
            ownership.transfer(session, acme, to="li.wei", from_=dt.date(2026, 1, 1), reason="moved")
            acme.grade = "C"
    return folder


@pytest.fixture
def company(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a CRM with a small company in it; the test stands there."""
    folder = tmp_path / "company"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def crm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCrm:
    """Runs a command in this process, in English unless it says otherwise."""
    monkeypatch.delenv("CRM_BUILD", raising=False)

    def make(*args: object, code: int | None = 0, environ: dict[str, str] | None = None) -> Ended:
        capsys.readouterr()
        ended = run([str(arg) for arg in args], Application(environ or {}))
        out, err = capsys.readouterr()
        assert code is None or ended == code, (ended, out, err)
        return Ended(ended, out, err)

    return make


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a plugin look installed: a package with a manifest, and the metadata of a distribution."""

    def make(name: str, manifest: str = "", **modules: str) -> Path:
        site = tmp_path / "site"
        package = site / f"crm_{name}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        source = f"""
            from crm_core import Manifest
            manifest = Manifest(name="{name}", version="1.0", crm_core=">=0.1,<1", module="crm_{name}.plugin",
                                {manifest})
            """
        for module, text in {"manifest": source, "plugin": "", **modules}.items():
            (package / f"{module}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        info = site / f"crm_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: crm-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[other]\nx = y:z\n\n[crm_core.plugins]\n{name} = crm_{name}.manifest:manifest\n"
        )
        monkeypatch.syspath_prepend(site)
        return package

    return make

"""Passwords and tokens are nowhere but where they are used: not in texts, errors, logs, journal, jobs, backups."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog
from sqlalchemy import inspect, text
from structlog.testing import capture_logs

from crm_core import Account, Crm, Job, Manifest, Secret, hookimpl
from crm_core.assembly import assemble, given
from crm_core.builds.backing_up import without_secrets
from crm_core.builds.checking import _settings
from crm_core.builds.describing import describe
from crm_core.errors import BuildError, CrmError
from crm_core.jobs import Worker, enqueue
from crm_core.leaving.footprint import footprint
from crm_core.store.copies.source import place_of
from crm_core.store.engine import open_engine, parse_url, shown_url

TOKEN = "hunter2-s3cret"


@attrs.frozen(kw_only=True)
class Inner:
    key: Secret = attrs.field(factory=Secret)


@attrs.frozen(kw_only=True)
class Settings:
    token: Secret = attrs.field(factory=Secret)
    more: tuple[Inner, ...] = ()
    name: str = "erp"


class Connector:
    """A plugin that talks to another system, and fails at it with what it knows."""

    @staticmethod
    @hookimpl
    def crm_register_settings() -> type[Settings]:
        return Settings

    @staticmethod
    @hookimpl
    def crm_register_jobs() -> list[Job]:
        return [Job(name="connector.send", run=_send, attempts=1)]


def _send(session: Any, arguments: Any) -> None:
    settings = session.policy.settings["connector"]
    session.core(text("SELECT * FROM no_such_table WHERE a = :a"), {"a": settings.token.reveal()})


def _manifest() -> Manifest:
    import sys
    import types

    module = types.ModuleType("crm_connector_of_the_test")
    module.crm_register_settings = Connector.crm_register_settings  # type: ignore[attr-defined]
    module.crm_register_jobs = Connector.crm_register_jobs  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return Manifest(name="connector", version="1.0", crm_core=">=0.1,<1", module=module.__name__)


def config(**settings: Any) -> dict[str, Any]:
    return {"crm": {"plugins": ["connector"]}, "plugins": {"connector": settings}}


# -- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:{TOKEN}@host/db",
        f"postgresql+psycopg://u:{TOKEN}@host/db?password={TOKEN}&sslmode=require",
        f"postgresql://host/db?user=u&password={TOKEN}",
        f"postgresql://host/db?sslpassword={TOKEN}",
        f"sqlite:////tmp/x.db?password={TOKEN}",
    ],
)
def test_an_address_is_shown_without_its_passwords(address: str) -> None:
    assert TOKEN not in shown_url(address)
    assert TOKEN not in place_of(address)
    assert "***" in shown_url(address)
    assert TOKEN not in repr(assemble({"crm": {"database": address}}).file)
    assert TOKEN not in str(assemble({"crm": {"database": address}}).file.crm)


@pytest.mark.parametrize(
    "address",
    [f"mysql://u:{TOKEN}@host/db", f"mysql://host/db?password={TOKEN}", f"postgresql:/u:{TOKEN}@h",
     f"postgresql://u:{TOKEN}@host:port/db", f"{TOKEN}", f"oracle+x://u:{TOKEN}@h"],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_not_repeated_with_its_password(address: str) -> None:
    for use in (parse_url, open_engine, lambda url: assemble({"crm": {"database": url}}), place_of):
        try:
            use(address)
        except CrmError as error:
            assert TOKEN not in "".join(traceback.format_exception(error))
            assert TOKEN not in repr(error)


def test_values_are_not_in_the_errors_of_the_database(database_url: str) -> None:
    """They end in logs and dead letters, which an erasure does not reach."""
    engine = open_engine(database_url)
    try:
        with engine.connect() as connection, pytest.raises(Exception, match="no_such_table") as caught:
            connection.execute(text("SELECT * FROM no_such_table WHERE a = :a"), {"a": TOKEN})
        assert TOKEN not in str(caught.value)
    finally:
        engine.dispose()


# -- secrets ---------------------------------------------------------------------------------------------------


def test_a_secret_shows_itself_to_whoever_reveals_it_alone() -> None:
    secret = Secret(TOKEN)
    assert secret.reveal() == TOKEN
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret:>20}", "%s" % secret,  # noqa: UP031
                  json.dumps({"a": secret}, default=str), str([secret]), repr(Settings(token=secret))):  # fmt: skip
        assert TOKEN not in shown
    assert copy.deepcopy(secret) is copy.copy(secret) is secret
    assert (secret == Secret(TOKEN), secret == Secret("x"), secret == TOKEN) == (True, False, False)
    assert len({secret, Secret(TOKEN), Secret("x")}) == 2
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_a_secret_may_lie_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    build = assemble(config(token={"env": "ERP_TOKEN"}), discovery=given(_manifest()))
    token = build.settings["connector"].token
    with pytest.raises(BuildError, match="ERP_TOKEN, which holds a secret, is not set"):
        token.reveal()
    monkeypatch.setenv("ERP_TOKEN", TOKEN)
    assert (token.reveal(), token.env) == (TOKEN, "ERP_TOKEN")


@pytest.mark.parametrize("wrong", [7, [TOKEN], {"env": ""}, {"env": 7}, {"env": "A=B"}, {"enc": TOKEN}, {}])
def test_a_secret_that_is_written_wrongly_is_not_repeated(wrong: Any) -> None:
    with pytest.raises(BuildError, match=r"plugins.connector.token: Expected a text or the name") as caught:
        assemble(config(token=wrong), discovery=given(_manifest()))
    assert TOKEN not in str(caught.value)


def test_what_describes_a_build_holds_no_secrets() -> None:
    build = assemble(config(token=TOKEN, more=[{"key": TOKEN}]), discovery=given(_manifest()))
    assert build.settings["connector"].token.reveal() == TOKEN
    assert TOKEN not in json.dumps(describe(build), default=str)
    assert TOKEN not in repr(build)
    assert TOKEN not in repr([*_settings(build)])
    assert describe(build)["settings"]["connector.token"] == "***"


def test_a_backup_leaves_the_texts_of_secrets_out(tmp_path: Path) -> None:
    file = tmp_path / "crm.toml"
    written = (
        '[crm]\nplugins = ["connector"]\n[plugins.connector]\ntoken = "{}"\n# kept\nname = "erp"\n'
        '[[plugins.connector.more]]\nkey = "{}"\n'
    )
    file.write_text(written.format(TOKEN, TOKEN), encoding="utf-8")
    build = assemble(file, discovery=given(_manifest()))
    bare = without_secrets(file.read_text(encoding="utf-8"), build)
    assert TOKEN not in bare
    assert "# kept" in bare and 'name = "erp"' in bare
    file.write_text('[crm]\nplugins = ["connector"]\n[plugins.connector]\ntoken = { env = "X" }\n', encoding="utf-8")
    build = assemble(file, discovery=given(_manifest()))
    assert without_secrets(file.read_text(encoding="utf-8"), build) == file.read_text(encoding="utf-8")


def test_a_log_that_nobody_set_up_shows_no_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a traceback is told with by structlog as it comes: the local variables of every frame, with colours."""
    monkeypatch.setattr(structlog, "is_configured", lambda: False)
    with Crm.open(
        config(token=TOKEN), database=f"sqlite:///{tmp_path / 'crm.db'}", check=False, discovery=given(_manifest())
    ) as crm:
        crm.migrate()
        with crm.system_session("test", reason="work") as session:
            enqueue(session, "connector.send")
        Worker(crm).until_empty()
    assert [each.name for each in caplog.records] == ["crm_core.jobs"]
    told = caplog.text + "".join(capfd.readouterr())
    assert "job failed" in told and "no_such_table" in told and "Traceback" in told
    assert TOKEN not in told and "\x1b" not in told
    assert capfd.readouterr().out == ""


def test_journal_jobs_and_logs_hold_no_secrets(database_url: str) -> None:
    """Looked for in every row of every table, and in all that was logged, after a job that failed with it."""
    with Crm.open(
        config(token=TOKEN), database=database_url, check=False, discovery=given(_manifest())
    ) as crm, capture_logs() as logs:  # fmt: skip
        crm.migrate()
        with crm.system_session("test", reason="work") as session:
            session.add(Account(name="Acme"))
            enqueue(session, "connector.send")
        Worker(crm).until_empty()
        for shown in (repr(crm), repr(crm.build), repr(crm.store.engine), repr(footprint(crm, "connector"))):
            assert TOKEN not in shown
        told = [json.dumps(each, default=str) for each in logs]
        told += ["".join(traceback.format_exception(each["exc_info"])) for each in logs if each.get("exc_info")]
        assert any("no_such_table" in each for each in told)
        with crm.store.engine.connect() as connection:
            for table in inspect(connection).get_table_names():
                if table.startswith("crm_search_token"):
                    continue  # the index of SQLite, whose words come from crm_search_document
                rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
                told += [repr(row) for row in rows]
        assert any("no_such_table" in each for each in told[len(logs) * 2 :])
        assert [each for each in told if TOKEN in each] == []

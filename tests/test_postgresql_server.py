"""The server that tests run on: it starts, it separates databases, and it leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from crm_core.testing import postgresql
from crm_core.testing.postgresql import PostgreSQLServer, PostgreSQLUnavailable, start_server


@pytest.fixture
def engine(database_url):
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


def process_ids(port: int) -> list[int]:
    """The servers on this machine that were told to listen on a port."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked
        if words[0].endswith(b"/postgres") and str(port).encode() in words:
            found.append(int(folder.name))
    return found


def test_the_server_speaks_utf8_and_sorts_by_code_point(postgresql_server):
    postgresql_server.create_database("settings")
    engine = sa.create_engine(postgresql_server.url("settings"))
    try:
        with engine.connect() as connection:
            answers = {
                name: connection.scalar(sa.text(f"SHOW {name}"))
                for name in ("server_encoding", "lc_collate", "fsync", "max_connections", "listen_addresses")
            }
            assert connection.scalar(sa.text("SELECT '客户' || :suffix"), {"suffix": "经理"}) == "客户经理"
    finally:
        engine.dispose()
        postgresql_server.drop_database("settings")
    assert answers == {
        "server_encoding": "UTF8",
        "lc_collate": "C",
        "fsync": "off",
        "max_connections": "100",
        "listen_addresses": "127.0.0.1",
    }


def test_a_database_can_be_copied_and_dropped_while_it_is_in_use(postgresql_server):
    postgresql_server.create_database("original")
    with psycopg.connect(postgresql_server.url("original").replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE customer AS SELECT 7 AS number")
    copy = postgresql_server.create_database("copy", template="original")
    with psycopg.connect(copy.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT number FROM customer").fetchall() == [(7,)]
        connection.commit()
        postgresql_server.drop_database("copy")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgresql_server.drop_database("original")
    postgresql_server.drop_database("original")  # nothing to drop is no error


def test_the_database_of_a_test_is_the_one_that_the_run_asked_for(engine, pytestconfig):
    expected = "postgresql" if pytestconfig.getoption("postgresql") else "sqlite"
    assert engine.dialect.name == expected


@pytest.mark.parametrize("turn", [1, 2])
def test_the_database_of_a_test_is_new_and_empty(engine, turn):
    assert sa.inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE customer (number INTEGER)"))
        connection.execute(sa.text("INSERT INTO customer VALUES (:turn)"), {"turn": turn})
        assert connection.scalar(sa.text("SELECT number FROM customer")) == turn


def test_what_touches_a_database_is_marked(engine, request):
    assert request.node.get_closest_marker("store") is not None


def test_what_touches_none_is_not_marked(request):
    assert request.node.get_closest_marker("store") is None


def test_a_second_server_runs_beside_the_first_and_leaves_nothing(postgresql_server):
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)  # the server's user must enter it
        with start_server(Path(root)) as second:
            assert second.port != postgresql_server.port
            assert process_ids(second.port) != []
            assert len(list(Path(root).iterdir())) == 1
        assert process_ids(second.port) == []
        assert list(Path(root).iterdir()) == []


# One way out per process: the block is left by an end of Python that runs no `finally`, or by a signal.
@pytest.mark.parametrize(
    ("way_out", "expected"),
    [("sys.exit(3)", 3), ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM)],
)
def test_the_server_stops_with_the_process_that_started_it(postgresql_server, way_out, expected):
    script = textwrap.dedent(f"""
        import os, signal, sys, time
        from crm_core.testing.postgresql import start_server
        held = start_server()
        print(held.__enter__().port, flush=True)
        {way_out}
    """)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == expected, ended.stderr
    assert process_ids(int(ended.stdout)) == []


def test_variables_that_name_a_real_server_are_not_heeded(postgresql_server, monkeypatch):
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATABASE", "payroll")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    with start_server() as server:
        assert server.create_database("own").endswith("/own")


def test_without_programs_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(PostgreSQLUnavailable, match="apt install postgresql"):
        postgresql.find_programs()


def test_without_psycopg_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PostgreSQLUnavailable, match=r"crm-core\[postgresql\]"), start_server():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_a_folder_that_the_servers_user_may_not_enter_is_named(postgresql_server, tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(PostgreSQLUnavailable, match="may not enter"), start_server(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_root_needs_a_user_to_run_the_server_as(monkeypatch):
    pwd = pytest.importorskip("pwd")

    def nobody_of_that_name(name):
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody_of_that_name)
    with pytest.raises(PostgreSQLUnavailable, match="useradd --system postgres"), start_server():
        pass


def test_another_user_than_root_runs_the_server_as_itself(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert postgresql.account_to_run_as() is None


def test_programs_elsewhere_are_found_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    for name in ("initdb", "postgres"):
        (tmp_path / name).touch()
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / name))
    assert postgresql.find_programs() == tmp_path


def test_what_initdb_says_is_passed_on(postgresql_server, monkeypatch):
    with tempfile.TemporaryDirectory() as programs:
        Path(programs).chmod(0o755)
        initdb = Path(programs, "initdb")
        initdb.write_text("#!/bin/sh\necho no space left >&2; exit 1\n")
        initdb.chmod(0o755)
        monkeypatch.setattr(postgresql, "find_programs", lambda: Path(programs))
        with pytest.raises(RuntimeError, match="no space left"), start_server():
            pass


def test_what_the_server_logged_is_passed_on_when_it_does_not_start(postgresql_server, monkeypatch):
    monkeypatch.setattr(postgresql, "_SETTINGS", ("max_connections=many",))
    with pytest.raises(RuntimeError, match='invalid value for parameter "max_connections"'), start_server():
        pass


def test_a_port_that_another_took_first_is_given_up(postgresql_server, monkeypatch):
    free_port = postgresql.free_port
    ports = iter([postgresql_server.port])
    monkeypatch.setattr(postgresql, "free_port", lambda: next(ports, None) or free_port())
    with start_server() as server:
        assert server.port != postgresql_server.port
        server.create_database("own")


def test_a_thread_other_than_the_main_one_can_start_a_server(postgresql_server):
    def start_and_stop() -> int:
        with start_server() as server:
            return server.port

    with ThreadPoolExecutor() as pool:
        port = pool.submit(start_and_stop).result()
    assert process_ids(port) == []


def test_a_server_is_known_by_its_port_alone():
    assert PostgreSQLServer(5999).url("crm") == "postgresql+psycopg://postgres@127.0.0.1:5999/crm"


def test_a_cluster_that_crashed_comes_back_at_its_port_with_what_was_committed(postgresql_server):
    folder = Path(tempfile.mkdtemp(prefix="crm-pg-cluster-"))
    cluster = postgresql.new_cluster(folder, ["synchronous_commit=on"])
    with postgresql.stopped_at_exit(cluster):
        port = cluster.start().port
        url = cluster.server.create_database("kept")
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE kept AS SELECT 1 AS one")
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        engine.dispose()
        cluster.crash()
        assert not cluster.running
        assert cluster.start().port == port
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT one FROM kept").scalar() == 1
        engine.dispose()
    assert not folder.exists()

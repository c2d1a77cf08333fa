"""The command as it is installed, in a process of its own: encodings, pipes, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CRM = Path(sys.executable).with_name("crm")


def start(company, *args, **environ):
    env = {"PATH": os.environ["PATH"], "HOME": str(company), **environ}
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        if name in os.environ:
            env[name] = os.environ[name]
    return subprocess.run([CRM, *args], cwd=company, env=env, capture_output=True, timeout=120, check=False)


def test_chinese_in_a_chinese_terminal(company):
    ended = start(company, "show", "account", "华东轴承", LANG="zh_CN.UTF-8", PYTHONIOENCODING="utf-8")
    assert ended.returncode == 0
    assert "完整度" in ended.stdout.decode()
    assert "华东轴承" in ended.stdout.decode()


def test_plain_lang_c(company):
    ended = start(company, "list", "account", "--json", LANG="C")
    assert ended.returncode == 0
    assert "华东轴承" in ended.stdout.decode()


@pytest.mark.parametrize("encoding", ["ascii", "gb18030", "latin-1"])
def test_an_output_of_another_encoding(company, encoding):
    ended = start(company, "list", "account", "--order", "name", LANG="zh_CN", PYTHONIOENCODING=encoding)
    assert ended.returncode == 0
    shown = ended.stdout.decode(encoding)
    assert ("华东轴承" if encoding == "gb18030" else "\\u534e\\u4e1c") in shown


def test_exit_codes_and_paragraphs(company):
    ended = start(company, "list", "acount")
    assert ended.returncode == 6
    assert ended.stdout == b""
    assert b"Did you mean account" in ended.stderr
    assert start(company, "lst").returncode == 2
    ended = start(company, "list", "acount", LANG="zh_CN.UTF-8")
    assert "没有记录类型 'acount'" in ended.stderr.decode()


def test_the_reader_of_a_pipe_goes_away(company):
    process = subprocess.Popen([CRM, "list", "account"], cwd=company, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c(company):
    process = subprocess.Popen(
        [CRM, "shell", "-c", "import time; print('ready', flush=True); time.sleep(60)"],
        cwd=company, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert b"Interrupted." in err
    assert b"Traceback" not in err


def test_a_database_that_cannot_be_reached(company):
    file = company / "crm.toml"
    text = file.read_text(encoding="utf-8")
    address = "postgresql://nobody:secret@127.0.0.1:1/none?connect_timeout=3"
    file.write_text(text.replace("[crm]", f'[crm]\ndatabase = "{address}"', 1), encoding="utf-8")
    ended = start(company, "list", "account")
    assert ended.returncode == 10
    assert b"The database cannot be used: " in ended.stderr
    assert b"secret" not in ended.stderr
    assert b"Traceback" not in ended.stderr

"""The demo on a company of two accounts; that of the repository is shown in its own tests."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

MAPPING = """\
[source]
system = "demo"

[[section]]
record = "user"
file = "users.csv"
key = "login"
fields = { login = "login", name = "name" }

[[section]]
record = "account"
file = "accounts.csv"
key = "no"
fields = { name = "name" }

[[section]]
record = "ownership"
file = "owners.csv"
key = "no"
[section.fields]
account_id = { column = "account", lookup = "account" }
user_id = { column = "user", lookup = "user" }
valid_from = "from"
valid_to = "to"
"""


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The folder of a demo company."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = tmp_path / "demo"
    (folder / "data").mkdir(parents=True)
    (folder / "crm.toml").write_text('[crm]\nname = "Demo"\n', encoding="utf-8")
    (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    for name, text in {
        "users": "login,name\nold,Old Owner\nnew,New Owner\n",
        "accounts": "no,name\n1,One's Mill\n2,Two\n",
        "owners": "no,account,user,from,to\n1,1,old,,2026-06-01\n2,1,new,2026-06-01,\n",
    }.items():
        (folder / "data" / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_the_demo(demo, crm, tmp_path):
    shown = crm("demo", "--data", demo).out
    assert "Demo: contract 0.1, strict." in shown
    assert re.search(r"^Account \d+  One's Mill", shown, re.MULTILINE)
    assert "What to try next" in shown
    assert "The folder of this demo is gone" in shown
    assert """crm show account 'One'"'"'s Mill' --why""" in shown
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (demo / "crm.db").exists()


def test_who_owned_it_is_asked_at_both_times(demo, crm):
    import datetime as dt

    a_year_ago = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=365)
    text = (demo / "data" / "owners.csv").read_text().replace("2026-06-01", str(a_year_ago + dt.timedelta(days=5)))
    (demo / "data" / "owners.csv").write_text(text)
    shown = crm("demo", "--data", demo, "--dir", "mine").out
    assert f"It is owned by New Owner; a year ago, on {a_year_ago}, it was owned by Old Owner." in shown
    assert "gone" not in shown
    assert crm("--build", "mine/crm.toml", "list", "account", "--count").out == "2\n"
    assert "There is a CRM in mine already." in crm("demo", "--data", demo, "--dir", "mine", code=4).err


def test_a_temporary_folder_can_be_kept(demo, crm, tmp_path):
    assert f"cd {tmp_path / 'temporary'}" in crm("demo", "--data", demo, "--keep").out


def test_without_data(demo, crm, tmp_path):
    said = crm("demo", "--data", tmp_path, code=4).err
    assert "crm.toml is missing. The demo company comes with the sources of crm-core" in said
    for path in (demo / "data").glob("*.csv"):
        path.write_text(path.read_text().splitlines()[0] + "\n")
    assert "There is no account to look at." in crm("demo", "--data", demo).err


def test_an_invented_company(demo, crm):
    ended = crm("demo", "--data", demo, "--accounts", 30, "--dir", "mine")
    assert "Invented 30 accounts." in ended.out
    assert "it was owned by " in ended.out
    assert crm("--build", "mine/crm.toml", "list", "account", "--count").out == "30\n"
    assert crm("--build", "mine/crm.toml", "undo", "--json").json["change_sets"][0]["source"] == "import"


def test_the_company_of_the_repository_is_found(crm, tmp_path, monkeypatch):
    from crm_core.cli.commands import demo_

    source = demo_._source(None)
    assert source == Path(__file__).parents[2] / "examples" / "demo"

import tomllib

import pytest


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
def test_a_new_crm(empty, crm, lang):
    crm("--lang", lang, "init", "new/place", "--name", 'A "B" \\ 名', "--time-zone", "Asia/Shanghai",
        "--currency", "EUR", "--unit", "HQ", "--admin", "li.wei", "--admin-name", "李伟")  # fmt: skip
    file = empty / "new" / "place" / "crm.toml"
    said = tomllib.loads(file.read_text(encoding="utf-8"))["crm"]
    assert said["name"] == 'A "B" \\ 名'
    assert (said["time_zone"], said["currency"], said["plugins"]) == ("Asia/Shanghai", "EUR", [])
    assert said["locale"] == lang
    # Who names no language reads that of the build; the environment and --lang count before it.
    own, named = crm("--build", file, "user", "list"), crm("--build", file, "--lang", "en", "user", "list")
    assert ("登录名" in own.out) == (lang == "zh_CN") and "login" in named.out
    assert "login" in crm("--build", file, "user", "list", environ={"LANG": "C.UTF-8"}).out
    listed = crm("--build", file, "--user", "li.wei", "list", "user", "--json").json["records"]
    assert [each["name"] for each in listed] == ["李伟"]
    assert crm("--build", file, "list", "unit", "--json").json["records"][0]["name"] == "HQ"
    assert crm("--build", file, "undo", "--json").json["change_sets"][0]["source"] == "init"


def test_the_template_with_every_plugin(empty, crm, install_plugin):
    install_plugin("cli_init")
    crm("init", "--template", "full", code=None)
    crm("init", "plain")
    names = tomllib.loads((empty / "plain" / "crm.toml").read_text(encoding="utf-8"))["crm"]["plugins"]
    assert names == []


def test_full_lists_what_is_installed(empty, crm, install_plugin, monkeypatch):
    from crm_core.assembly.discovery import Found
    from crm_core.cli import installed

    install_plugin("cli_full")
    ours = [each for each in installed.found() if each.name == "cli_full"]
    assert isinstance(ours[0], Found)
    monkeypatch.setattr(installed, "found", lambda: ours)
    crm("init", "--template", "full")
    assert tomllib.loads((empty / "crm.toml").read_text(encoding="utf-8"))["crm"]["plugins"] == ["cli_full"]


def test_a_template_of_ones_own(empty, crm):
    (empty / "mine.toml").write_text('[crm]\nname = "Mine"\n', encoding="utf-8")
    crm("init", "x", "--template", "mine.toml", "--admin", "root")
    assert crm("--build", "x/crm.toml", "list", "unit", "--json").json["records"][0]["name"] == "Mine"
    assert "The system refuses" in crm("init", "y", "--template", "none.toml", code=1).err
    assert not (empty / "y").exists()


def test_a_build_file_is_not_overwritten(company, crm):
    before = (company / "crm.toml").read_bytes()
    assert "There is a build file already: crm.toml." in crm("init", code=3).err
    assert (company / "crm.toml").read_bytes() == before


def test_an_attempt_that_fails_can_be_repeated(empty, crm):
    assert "is no time zone" in crm("init", "--time-zone", "Asia/Shangai", code=3).err
    assert not (empty / "crm.toml").exists()
    crm("init", "--time-zone", "Asia/Shanghai")


def test_the_plan_changes_nothing(empty, crm):
    (empty / "crm.toml").write_text("[crm]\n", encoding="utf-8")
    planned = crm("migrate", "--plan").out
    assert "crm: nothing -> 0001" in planned
    assert not (empty / "crm.db").exists()
    assert "Nothing was changed. 'crm migrate' does it." in planned
    assert crm("migrate", "--plan", "--json").json["plugins"][0]["pending"][0]["revision"] == "0001"
    done = crm("migrate", "--json").json
    assert done["done"] is True
    assert done["plugins"][0]["pending"]
    assert crm("migrate").out == "The database is up to date.\n"
    assert crm("migrate", "--plan").out == "The database is up to date.\n"


@pytest.mark.parametrize(
    "args",
    [
        ("list", "account"), ("show", "account", "1"), ("search", "Acme"), ("history", "account", "1"), ("undo",),
        ("export", "account", "--to", "out.csv"), ("jobs",), ("worker", "--once"), ("user", "list"),
        ("--user", "li", "today"),
        ("plugins", "footprint", "crm"), ("plugins", "remove", "leaver", "--dry-run"),
        ("backup", "b.zip"), ("duplicates",), ("shell", "-c", "1"), ("import", "erp.toml", "--dry-run"),
    ],
)  # fmt: skip
def test_where_there_is_no_database_none_is_made_by_looking(empty, crm, args):
    (empty / "crm.toml").write_text('[crm]\ndatabase = "sqlite:///other.db"\n', encoding="utf-8")
    (empty / "erp.toml").write_text("[[section]]\n", encoding="utf-8")
    ended = crm(*args, code=10)
    assert f"There is no database {empty / 'other.db'}." in ended.err
    assert not list(empty.glob("other.db*"))


def test_migrating_tells_how_much_was_run(empty, crm):
    (empty / "crm.toml").write_text("[crm]\n", encoding="utf-8")
    assert "revisions run: " in crm("migrate").out


def test_the_report(company, crm):
    shown = crm("plugins").out
    assert "Test: contract 0.1, strict." in shown
    assert "Hooks, in call order" in shown
    report = crm("plugins", "--json").json
    assert report["loaded"][0]["name"] == "crm"
    assert report["hooks"]["crm_register_roles"] == ["crm"]

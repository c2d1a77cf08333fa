"""The build file is edited so that what people wrote there stays: comments, order, line ends."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path

import pytest

from crm_core.errors import BuildError
from crm_core.leaving import editing

FILE = """\
# Our CRM.
[crm]
name = "Test"  # as people call it
plugins = [
    "stakes",  # who decides
    "leaver",  # on trial
]

# Who may what.
[roles.clerk]
label = "Clerk"
permissions = { "*.read" = "own", "leaver.visit.update" = "own" }

[roles.visitor.permissions]
"leaver.visit.read" = "all"  # all of them
"account.read" = "own"

[custom_fields."leaver.visit".weight]
kind = "number"
scale = 2

[custom_fields.account.club]
kind = "text"

[plugins.leaver]
often = 5  # times a week

[plugins.stakes]
needed = ["technical"]

[duties.visits]
record = "leaver.visit"
every_days = 30

[duties.points]
record = "contact_point"

[jobs."leaver.sweep"]
enabled = false
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "crm.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_switching_off_adds_one_line(file: Path) -> None:
    text = editing.disable(file, "leaver")
    assert text is not None
    assert text.replace('disabled = ["leaver"]\n', "") == FILE
    editing.write(file, text)
    assert editing.disable(file, "leaver") is None
    assert editing.enable(file, "leaver") == FILE
    editing.write(file, FILE)
    assert editing.enable(file, "leaver") is None


def test_a_second_one_joins_the_list_and_line_ends_stay(file: Path) -> None:
    file.write_bytes(FILE.replace("plugins = [", "disabled = ['stakes']\nplugins = [").replace("\n", "\r\n").encode())
    text = editing.disable(file, "leaver")
    assert text is not None
    assert tomllib.loads(text)["crm"]["disabled"] == ["stakes", "leaver"]
    assert text.count("\r\n") == text.count("\n")


def test_a_plugin_that_is_not_listed_is_told_with_the_near_ones(file: Path) -> None:
    for verb in (editing.disable, editing.enable):
        with pytest.raises(BuildError, match=r"does not list the plugin 'leavr'\. Did you mean leaver"):
            verb(file, "leavr")


def test_taking_out_leaves_all_that_is_of_others_and_putting_back_restores_it(file: Path) -> None:
    text, taken = editing.take_out(file, "leaver")
    left, before = tomllib.loads(text), tomllib.loads(FILE)

    assert "leaver" not in text
    assert "# who decides" in text
    assert "# Who may what." in text
    assert left["roles"] == {
        "clerk": {"label": "Clerk", "permissions": {"*.read": "own"}},
        "visitor": {"permissions": {"account.read": "own"}},
    }
    assert left["custom_fields"] == {"account": {"club": {"kind": "text"}}}
    assert left["duties"] == {"points": {"record": "contact_point"}}
    assert "jobs" not in left
    assert tomllib.loads(taken) == {
        "plugins": {"leaver": {"often": 5}},
        "custom_fields": {"leaver.visit": {"weight": {"kind": "number", "scale": 2}}},
        "duties": {"visits": {"record": "leaver.visit", "every_days": 30}},
        "jobs": {"leaver.sweep": {"enabled": False}},
        "roles": {
            "clerk": {"permissions": {"leaver.visit.update": "own"}},
            "visitor": {"permissions": {"leaver.visit.read": "all"}},
        },
    }
    editing.write(file, text)
    editing.write(file, editing.merge_in(file, "leaver", taken))
    assert tomllib.loads(file.read_text(encoding="utf-8")) == before


@pytest.mark.parametrize(
    "written",
    [
        'crm = {plugins = ["stakes", "leaver"]}\nplugins = {stakes = {needed = ["x"]}, leaver = {often = 5}}\n'
        'roles = {clerk = {permissions = {"leaver.visit.read" = "all", "*.read" = "own"}}}\n',
        'crm.plugins = ["stakes", "leaver"]\nplugins.stakes.needed = ["x"]\nplugins.leaver.often = 5\n'
        'roles.clerk.permissions = {"leaver.visit.read" = "all", "*.read" = "own"}\n',
        '[crm]\nplugins = ["stakes", "leaver"]\n[plugins]\nleaver = {}\nstakes.needed = ["x"]\n',
        '[crm]\nplugins = ["stakes", "leaver"]\n[jobs]\n"leaver.sweep" = {arguments = {a = {b = 1}}}\n',
    ],
)  # fmt: skip
def test_tables_on_one_line_and_dotted_names_come_back_as_they_were(file: Path, written: str) -> None:
    file.write_text(written, encoding="utf-8")
    before = tomllib.loads(written)
    text = editing.disable(file, "leaver")
    assert text is not None and tomllib.loads(text)["crm"].pop("disabled") == ["leaver"]
    editing.write(file, text)
    editing.write(file, str(editing.enable(file, "leaver")))
    assert tomllib.loads(file.read_text(encoding="utf-8")) == before
    text, taken = editing.take_out(file, "leaver")
    assert "leaver" not in text
    editing.write(file, text)
    editing.write(file, editing.merge_in(file, "leaver", taken))
    assert tomllib.loads(file.read_text(encoding="utf-8")) == before


def test_what_the_file_says_by_now_stays(file: Path) -> None:
    text, taken = editing.take_out(file, "leaver")
    editing.write(file, text + "\n[plugins.leaver]\noften = 9\n")
    assert tomllib.loads(editing.merge_in(file, "leaver", taken))["plugins"]["leaver"] == {"often": 9}


def test_files_that_extend_others(tmp_path: Path) -> None:
    base, own = tmp_path / "base.toml", tmp_path / "crm.toml"
    base.write_text("[crm]\nplugins = ['leaver']\n", encoding="utf-8")
    own.write_text("extends = 'base.toml'\n# nothing else\n", encoding="utf-8")

    text = editing.disable(own, "leaver")
    assert text == textwrap.dedent("""\
        extends = 'base.toml'
        # nothing else

        [crm]
        disabled = ["leaver"]
        """)
    base.write_text("[crm]\nplugins = ['leaver']\ndisabled = ['leaver']\n", encoding="utf-8")
    assert editing.disable(own, "leaver") is None
    with pytest.raises(BuildError, match=r"is switched off by .*base\.toml"):
        editing.enable(own, "leaver")
    assert editing.listed_in(own, "plugins", "leaver") == [base]


def test_a_file_that_is_no_toml_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "crm.toml"
    file.write_text("[crm]\nplugins = ['leaver']\n", encoding="utf-8")
    with pytest.raises(OSError, match="No such file"):
        editing.write(tmp_path / "nowhere" / "crm.toml", "")
    file.write_text("[crm\n", encoding="utf-8")
    with pytest.raises(BuildError, match="cannot be edited"):
        editing.take_out(file, "leaver")


def test_a_lock_does_not_keep_a_plugin_from_being_tried(file: Path) -> None:
    locked = FILE.replace('name = "Test"', 'locked = true\nname = "Test"')
    assert editing.unlocked(locked) == FILE
    assert editing.unlocked(FILE) == FILE

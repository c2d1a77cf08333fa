"""A build judged as a whole."""

from __future__ import annotations

import pytest

from crm_core.builds.checking import check_build

FIRST = """
from crm_core.hooks import hookimpl
from crm_core import Account
import attrs

@attrs.frozen(kw_only=True)
class Settings:
    limit: int = 3
    tone: str = "kind"

@hookimpl
def crm_register_settings():
    return Settings

@hookimpl
def crm_check_changes(session, batch):
    for change in batch:
        Account.industry
    return []

@hookimpl
def crm_register_permissions():
    return {"checked_first.bless": "Bless a customer"}
"""
SECOND = """
from crm_core.hooks import hookimpl
from crm_core import Account

@hookimpl
def crm_check_changes(session, batch):
    Account.industry
    return []
"""


@pytest.fixture
def plugins(install):
    install("checked_first", source=FIRST)
    install("checked_second", source=SECOND)
    return ["checked_second", "checked_first"]


def test_it_says_what_several_touch_and_in_which_order(plugins):
    found = check_build({"crm": {"plugins": plugins}})
    assert found.right
    met = {(each.what, each.name): each for each in found.meetings}
    assert met["hook", "crm_check_changes"].plugins == ("checked_first", "checked_second")
    assert met["hook", "crm_check_changes"].veto
    assert met["field", "account.industry"].plugins == ("crm", "checked_first", "checked_second")
    assert "checked_first.bless" in found.ungranted


def test_settings_say_who_chose_them(plugins):
    found = check_build({"crm": {"plugins": plugins}, "plugins": {"checked_first": {"limit": 5}}})
    assert [(each.name, each.value, each.by) for each in found.settings] == [
        ("checked_first.limit", 5, "file"), ("checked_first.tone", "kind", "default"),
    ]  # fmt: skip


def test_a_permission_that_a_role_names_has_a_holder(plugins):
    roles = {"priest": {"permissions": {"checked_first.*": "all"}}, "idle": {"permissions": {"nothing.*": "all"}}}
    found = check_build({"crm": {"plugins": plugins}, "roles": roles})
    assert "checked_first.bless" not in found.ungranted
    assert any(each.path == "roles.idle" for each in found.warnings)


SAYS = """
from crm_core.errors import CrmError
def complain():
    raise CrmError("A sentence that nobody translated.")
"""


def test_translations_that_are_missing_are_told_in_the_language_of_the_build(install):
    install("checked_said", source=SAYS)
    found = check_build({"crm": {"plugins": ["checked_said"], "locale": "zh_CN"}})
    told = {each.plugin: each for each in found.translations}
    assert told["checked_said"].missing == ("A sentence that nobody translated.", "checked_said")
    assert check_build({"crm": {"plugins": ["checked_said"], "locale": "en"}}).translations == ()


def test_a_broken_build_is_judged_as_far_as_it_loads(plugins, install, crm, tmp_path):
    install("checked_broken", source="raise RuntimeError('no')")
    file = tmp_path / "crm.toml"
    file.write_text(f"[crm]\nplugins = {[*plugins, 'checked_broken']}\n", encoding="utf-8")
    found = check_build(file)
    assert not found.right
    assert any("RuntimeError: no" in str(each) for each in found.errors)
    assert found.meetings
    shown = crm("--build", file, "build", "check", code=1).out
    assert "What keeps the build from starting" in shown
    assert "The build can start." not in shown
    assert "contract 0.1, strict." in shown, "it is the build that is described, not how it was looked at"
    file.write_text(f"[crm]\nstrict = false\nplugins = {plugins}\n", encoding="utf-8")
    assert "contract 0.1, tolerant." in crm("--build", file, "build", "check").out
    file.write_text("[crm]\nname = 3\n", encoding="utf-8")
    assert crm("--build", file, "build", "check", "--json", code=1).json["report"] is None


def test_a_difference_from_the_lock_deserves_a_look(plugins, install, crm, tmp_path):
    file = tmp_path / "crm.toml"
    file.write_text(f"[crm]\nplugins = {plugins}\n", encoding="utf-8")
    crm("--build", file, "build", "lock")
    assert crm("--build", file, "build", "check", "--json").json["warnings"] == []
    install("checked_second", "2.0", source=SECOND)
    (told,) = crm("--build", file, "build", "check", "--json").json["warnings"]
    assert told.startswith("checked_second: Version 1.0 is locked, and 2.0 is here.")
    assert "checked_first" in crm("--lang", "zh_CN", "--build", file, "build", "check").out

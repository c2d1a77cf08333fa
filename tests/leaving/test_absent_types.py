"""Who asks for records of a plugin that is not loaded is told which plugin it is, and how to load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_core.errors import NotFound

from .leaver import Company
from .test_commands import BUILD

pytestmark = pytest.mark.any_database  # what is asked is how texts are worded

Opened = Callable[..., Any]
Command = Callable[..., Any]

OFF = (
    "The record type 'leaver.visit' belongs to the plugin leaver, which is switched off. "
    "Switch it on by 'crm plugins enable leaver', then run 'crm migrate'."
)


@pytest.fixture
def write(company: Company, site: Any, database_url: str, tmp_path: Path) -> Callable[[str], None]:
    """Writes a build file for the company's database, with these lines about plugins."""
    site.add_leaver()

    def build(plugins: str) -> None:
        text = BUILD.format(database=database_url).replace('plugins = ["leaver"]  # on trial', plugins)
        if "leaver" not in plugins:
            text = text.partition("[plugins.leaver]")[0]
        (tmp_path / "crm.toml").write_text(text, encoding="utf-8")

    return build


def test_every_command_tells_which_plugin_is_switched_off_and_how_to_enable_it(
    write: Callable[[str], None], command: Command, tmp_path: Path
) -> None:
    write('plugins = ["leaver"]\ndisabled = ["leaver"]')
    for args in (
        ("show", "leaver.visit", "1"), ("list", "leaver.visit"), ("export", "leaver.visit", "--to", "visits.csv"),
        ("search", "Acme", "--type", "leaver.visit"), ("duplicates", "leaver.visit"),
    ):  # fmt: skip
        assert command(*args, code=6).err.count(OFF) == 1, args
    assert "已停用" in command("--lang", "zh_CN", "list", "leaver.visit", code=6).err
    mapping = '[source]\nsystem = "erp"\n[[section]]\nrecord = "leaver.visit"\nfile = "visits.csv"\nkey = "id"\n'
    (tmp_path / "visits.toml").write_text(
        mapping + '[section.fields]\naccount_id = { column = "id", lookup = "leaver.step" }\n', encoding="utf-8"
    )
    (tmp_path / "visits.csv").write_text("id\n1\n", encoding="utf-8")
    assert f"section[0].record: {OFF}" in command("import", "visits.toml", code=4).err


def test_each_state_of_the_plugin_has_its_own_remedy(write: Callable[[str], None], command: Command, site: Any) -> None:
    def told(*options: str) -> str:
        return " ".join(command(*options, "list", "leaver.visit", code=6).err.split())

    write('plugins = ["leaver"]')
    left_out = "belongs to the plugin leaver, which is left out of this run. Run without --without and --no-plugins."
    assert left_out in told("--without", "leaver")
    assert left_out in told("--no-plugins")
    write("plugins = []")
    assert "belonged to the plugin leaver, which is not part of the build. Add it to plugins in [crm]" in told()
    site.take("leaver")
    assert "belonged to the plugin leaver, which is not installed. Install its distribution" in told()
    write('plugins = ["leaver"]')
    assert "which cannot be loaded. See why by 'crm plugins', and mend it." in told("--tolerant")


def test_a_type_that_was_never_there_is_answered_by_the_nearest(company: Company, opened: Opened) -> None:
    off = opened(without=("leaver",))
    with pytest.raises(NotFound, match=r"There is no record type 'leaver\.vist' in this build\. Did you mean"):
        off.store.find_type("leaver.vist")
    assert company.crm.store.find_type("leaver.visit").plugin == "leaver"

"""Plugins of partners: real distributions, which know nothing of this repository, beside all others."""

from __future__ import annotations

import ast
from importlib.metadata import distribution, entry_points
from pathlib import Path

from crm_core import Account, Crm
from crm_core.assembly.discovery import installed
from crm_core.testing.absence import missing

DISTS = Path(__file__).parent
FOREIGN = {"crm-partner-credit": "partner_credit", "crm-partner-dunning": "partner_dunning"}
BROKEN = {"duplicate", "misspelt_hook", "broken_mapping", "leaver"}


def test_they_are_real_distributions(really_installed):
    if not all(really_installed.values()):
        missing("the partners' distributions are not installed: run `make .venv`")
    for name, plugin in FOREIGN.items():
        found = distribution(name)
        assert found.metadata["Name"] == name
        assert found.read_text("RECORD")  # only what pip has installed knows its files
        (entry,) = entry_points(group="crm_core.plugins", name=plugin)
        assert entry.dist is not None
        assert (entry.dist.name, entry.load().version) == (name, found.version)


def test_a_plugin_of_a_partner_says_whom_it_needs():
    assert "crm-partner-credit>=1.2" in (distribution("crm-partner-dunning").requires or ())


def test_they_work_in_one_build_with_every_other_plugin_that_is_installed(database_url):
    plugins = sorted({found.name for found in installed()} - BROKEN)
    assert {*FOREIGN.values(), "key_accounts", "project_sales"} <= set(plugins)
    with Crm.open({"crm": {"plugins": plugins}}, database=database_url, check=False) as crm:
        crm.migrate()
        crm.check()
        assert crm.report.warnings == ()
        assert {each.name for each in crm.report.loaded} >= set(plugins)
        with crm.system_session("test") as session:
            session.add(Account(name="Acme"))
        with crm.system_session("test", read_only=True) as session:
            (acme,) = session.list(Account)
            gathered = crm.build.dispatcher.gather_overview(session, [acme.id])
            assert gathered.failed == ()


def test_they_import_nothing_but_what_any_partner_has():
    for folder in FOREIGN:
        for module in (DISTS / folder).glob("crm_*/**/*.py"):
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    top = node.module.partition(".")[0]
                    assert not top.startswith("crm_") or top in (
                        "crm_core",
                        "crm_partner_credit",
                        "crm_partner_dunning",
                    )

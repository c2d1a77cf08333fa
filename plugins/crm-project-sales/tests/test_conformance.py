"""The plugin keeps what every plugin promises."""

from __future__ import annotations

from crm_core.testing import check_plugin


def test_it_conforms(database_url):
    check_plugin("project_sales", database_url=database_url, again=database_url.startswith("postgresql"))

"""The reference of permissions names all of them, as a build with every plugin has them."""

from __future__ import annotations

import pytest
from make_permissions import BEGIN, PAGE, build_of_all, page


@pytest.fixture(scope="module")
def build():
    return build_of_all()


def test_the_reference_names_every_permission(build) -> None:
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2]

    assert [name for name in build.permissions if f"| `{name}` |" not in written] == []


def test_the_tables_are_those_of_the_build(build) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(build), "run: .venv/bin/python tests/docs/make_permissions.py"

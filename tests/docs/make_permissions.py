"""Writes the tables of the reference of permissions, from a build with every plugin of this repository.

Run it after a change of records, roles or permissions: ``.venv/bin/python tests/docs/make_permissions.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crm_core.assembly import Build, assemble, installed
from crm_core.records import Access, Administered, Owned, Private, Public, RecordType, Through, Via

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/permissions.md"
BEGIN = "<!-- The rest is written by tests/docs/make_permissions.py. -->\n"
ROLES = ("sales", "manager", "editor", "reader")


def build_of_all() -> Build:
    """The kernel with every plugin that lies under ``plugins/``."""
    ours = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    return assemble({"crm": {"plugins": [found.name for found in installed() if found.distribution in ours]}})


def tables(build: Build) -> str:
    """The generated part of the page."""
    return "\n".join(line for name in _plugins(build) for line in _section(build, name))


def _plugins(build: Build) -> list[str]:
    return ["crm", *sorted({each.plugin for each in build.types.values()} - {"crm"})]


def _section(build: Build, plugin: str) -> Iterator[str]:
    types = [each for _, each in sorted(build.types.items()) if each.plugin == plugin]
    yield f"## {'The kernel' if plugin == 'crm' else f'`{plugin}`'}"
    yield ""
    yield "| record | label | who sees it |"
    yield "| --- | --- | --- |"
    for each in types:
        yield f"| `{each.name}` | {each.label} | {words(each, each.access)} |"
    yield ""
    yield f"| permission | allows to | {' | '.join(ROLES)} |"
    yield f"| --- | --- |{' --- |' * len(ROLES)}"
    for name in sorted(build.permissions):
        if _plugin_of(build, name) == plugin:
            yield f"| `{name}` | {build.permissions[name]} | {' | '.join(_scopes(build, name))} |"
    yield ""


def _plugin_of(build: Build, permission: str) -> str:
    first = permission.partition(".")[0]
    return first if first in {each.plugin for each in build.types.values()} else "crm"


def _scopes(build: Build, permission: str) -> list[str]:
    found = [build.policy.roles[role].scope(permission) for role in ROLES]
    return ["" if scope is None else scope.name.lower() for scope in found]


def words(record_type: RecordType, access: Access) -> str:
    """Who sees records of a type, in words."""
    match access:
        case Owned():
            return "owners, their units, receivers of shares"
        case Via(fields=("id",)):
            return f"whoever sees the `{record_type.extends}`"
        case Via(fields=fields, own=own, every=every):
            join = " and " if every else ", or else "
            text = "through " + join.join(f"`{name}`" for name in fields)
            return text + (f"; where these are empty, `{own}` and its creator" if own else "")
        case Through(record=name):
            return f"whoever sees one of its `{name}` records, and its creator"
        case Public():
            return "everybody"
        case Private(own=own):
            return f"`{own}`, and scope all"
        case Administered():
            return "scope all"
    raise NotImplementedError(access)


def page(build: Build) -> str:
    """The whole page as it should be."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + "\n" + tables(build).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(build_of_all()), encoding="utf-8")

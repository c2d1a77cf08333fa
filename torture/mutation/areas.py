"""Which modules are changed, and the tests that ought to notice.

The tests are those that come to an end in seconds: each change that nobody notices costs all of them that run through
the changed function. The long ones (random organisations, races, whole companies) look for what nobody thought of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

__all__ = ["AREAS", "Area", "chosen", "module_of"]

ROOT = Path(__file__).parents[2]


@attrs.frozen
class Area:
    """Modules that belong together, as patterns of paths, and the tests that run for a change of one of them."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def files(self) -> Iterator[str]:
        """The modules of the area, as paths below the repository."""
        for pattern in self.modules:
            yield from sorted(each.relative_to(ROOT).as_posix() for each in ROOT.glob(pattern))


def _store(*names: str) -> tuple[str, ...]:
    return tuple(f"crm_core/store/{name}.py" for name in names)


def _tests(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


AREAS = (
    Area("expressions", ("crm_core/expressions/*.py",), ("tests/expressions",)),
    Area(
        "access",
        _store("actor", "criteria", "froms", "gathered", "guard", "once", "options", "permits", "policy",
               "reading", "ready", "restricted", "shapes", "visibility", "walking"),
        _tests("store", "access_cost", "busy", "elevated", "guard", "lending", "loading", "no_hints", "ready",
               "required_custom_fields", "restricted_fields", "rights", "rights_meet", "role_names", "shapes",
               "shares_grant_no_creation", "walking")
        + _tests("domain", "own_rights", "users")
        + _tests("handovers", "rights"),
    ),
    Area(
        "ownership",
        ("crm_core/domain/dated.py", "crm_core/domain/ownership.py", "crm_core/domain/shares.py",
         *_store("giving", "responsible", "rules", "pools/assigning", "pools/claiming", "pools/free", "pools/members",
                 "pools/recycling")),
        _tests("domain", "account_verbs", "dated_edges", "ownership_verbs", "own_rights", "users")
        + _tests("pools", "assigning", "claiming", "recycling", "who_and_what")
        + _tests("handovers", "leaving", "rights")
        + _tests("store", "dated_hidden", "lending", "required_custom_fields", "rights_meet", "rules_of_writing"),
    ),
    Area(
        "journal",
        _store("changes", "differences", "held", "history", "journal", "noting", "past", "touching", "undo",
               "undo_raw", "unseen"),
        _tests("store", "change_batches", "dependants", "erasure", "journal", "journal_hooks", "optimistic",
               "partial_undo", "past", "restricted_fields", "round_trip", "session_history", "undo", "undo_hidden",
               "undo_without_plugin")
        + _tests("domain", "account_verbs")
        + _tests("duplicates", "creation")
        + _tests("duties", "compliance")
        + _tests("leaving", "inactive", "restricted_rows"),
    ),
)  # fmt: skip


def chosen(only: Iterable[str]) -> list[tuple[Area, list[str]]]:
    """The areas with the modules that are meant: by an area's name, a path or a pattern of paths; all without any."""
    wanted = tuple(only)
    found = []
    for area in AREAS:
        files = [
            file
            for file in area.files()
            if not wanted or area.name in wanted or any(fnmatchcase(file, pattern) for pattern in wanted)
        ]
        if files:
            found.append((area, files))
    return found


def module_of(file: str) -> str:
    """``crm_core/store/guard.py`` as it is imported."""
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

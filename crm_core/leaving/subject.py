"""A plugin as far as it can be known without importing it: which distribution brings it, where its revisions are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

import attrs

from crm_core.assembly.discovery import GROUP

__all__ = ["Subject", "requires", "subject"]


@attrs.frozen(kw_only=True)
class Subject:
    """What the files of an installed plugin say. ``migrations`` is the folder with its revisions, if it has one."""

    name: str
    distribution: str | None = None
    version: str | None = None
    migrations: Path | None = None
    requires: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def installed(self) -> bool:
        """Whether any distribution brings it."""
        return self.distribution is not None

    @property
    def origin(self) -> str:
        """The distribution with its version, as people write it."""
        return f"{self.distribution} {self.version}" if self.distribution else ""


def subject(name: str) -> Subject:
    """The plugin ``name`` by the files of its distribution; nothing but a name where none is installed."""
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            return _read(entry)
    return Subject(name=name)


def requires(name: str) -> Mapping[str, str]:
    """What a plugin that is on requires: its manifest is asked, and where that fails, its text."""
    from crm_core.assembly.manifest import Manifest

    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                manifest = entry.load()
            except Exception:  # told by the assembly report
                manifest = None
            return manifest.requires if isinstance(manifest, Manifest) else _read(entry).requires
    return {}


def _read(entry: EntryPoint) -> Subject:
    source = _source(entry.module)
    said = _manifest(source) if source is not None else {}
    module = said.get("module")
    folder = said.get("migrations", "migrations")
    migrations = None
    if isinstance(folder, str):
        package = (module if isinstance(module, str) else entry.module).rpartition(".")[0] or entry.module
        place = _folder(package)
        migrations = place / folder if place is not None and (place / folder).is_dir() else None
    requires = said.get("requires")
    return Subject(
        name=entry.name,
        distribution=entry.dist.name if entry.dist else None,
        version=entry.dist.version if entry.dist else None,
        migrations=migrations,
        requires=requires if isinstance(requires, dict) else {},
    )


def _folder(package: str) -> Path | None:
    """The folder of a package. Only the topmost is asked for: for those below Python would import those above."""
    top, *below = package.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]).joinpath(*below) if places else None


def _source(module: str) -> Path | None:
    package, _, last = module.rpartition(".")
    place = _folder(package) if package else None
    found = [] if place is None else [place / f"{last}.py", place / last / "__init__.py"]
    return next((each for each in found if each.is_file()), None)


def _manifest(source: Path) -> dict[str, object]:
    """What a call of ``Manifest`` is given, as far as it stands there word for word."""
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Manifest":
            return dict(_literals(node))
    return {}


def _literals(call: ast.Call) -> Iterator[tuple[str, object]]:
    for keyword in call.keywords:
        try:
            value = ast.literal_eval(keyword.value)
        except ValueError:
            continue
        if keyword.arg is not None:
            yield keyword.arg, value
        elif isinstance(value, dict):
            yield from value.items()

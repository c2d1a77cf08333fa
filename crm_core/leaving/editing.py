"""Editing a build file so that its comments and its order stay: by tomlkit, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.items import Array, InlineTable, Table
from tomlkit.toml_document import TOMLDocument

from crm_core.assembly.switched_off import lines_of
from crm_core.assembly.texts import quoted
from crm_core.errors import BuildError, nearest
from crm_core.leaving.mentions import OF_RECORDS, OWN_TABLES, speaks_of

__all__ = ["disable", "enable", "listed_in", "merge_in", "said_in", "take_out", "unlocked", "write"]


def listed_in(file: Path, key: str, plugin: str) -> list[Path]:
    """Which of a build file and those that it extends name the plugin in ``[crm]`` under ``key``."""
    found = []
    for path, content in lines_of(file):
        section = content.get("crm")
        names = section.get(key, ()) if isinstance(section, Mapping) else ()
        if isinstance(names, list) and plugin in names:
            found.append(path)
    return found


def said_in(file: Path, paths: Collection[str]) -> list[tuple[Path, str]]:
    """Which of these places, such as ``roles.clerk.permissions."a.read"``, the files have that a build file extends."""
    return [
        (path, place)
        for path, content in lines_of(file)
        if path != file
        for place in _places(content)
        if place in paths
    ]


def disable(file: Path, plugin: str) -> str | None:
    """The text of the build file with the plugin switched off; ``None`` where it is already.

    Raises :class:`~crm_core.errors.BuildError` where the build does not list it.
    """
    _require_listed(file, plugin)
    if listed_in(file, "disabled", plugin):
        return None
    document = _read(file)
    _array(document, "disabled").append(plugin)
    return tomlkit.dumps(document)


def enable(file: Path, plugin: str) -> str | None:
    """The text of the build file with the plugin switched on; ``None`` where it is already.

    Raises :class:`~crm_core.errors.BuildError` where the build does not list it, or a base file switches it off.
    """
    _require_listed(file, plugin)
    places = listed_in(file, "disabled", plugin)
    elsewhere = [place for place in places if place != file]
    if elsewhere:
        raise BuildError(
            "{plugin} is switched off by {base}, which {file} extends.",
            mend="Switch it on there: 'crm --build {base} plugins enable {plugin}'.",
            plugin=plugin,
            base=str(elsewhere[0]),
            file=str(file),
        )
    if not places:
        return None
    document = _read(file)
    _drop(document, "disabled", plugin)
    return tomlkit.dumps(document)


def take_out(file: Path, plugin: str) -> tuple[str, str]:
    """The text of the build file without the plugin and what is its own, and what was taken out, as TOML."""
    document, taken = _read(file), tomlkit.document()
    for name in ("plugins", "disabled"):
        _drop(document, name, plugin)
    for section, name in [("plugins", plugin), *_own(document, plugin)]:
        _move(document, taken, (section,), name)
    for role, table in _tables(document, "roles"):
        grants = table.get("permissions")
        if isinstance(grants, MutableMapping):
            for pattern in [each for each in grants if speaks_of(plugin, each)]:
                _move(document, taken, ("roles", role, "permissions"), pattern)
    return tomlkit.dumps(document), tomlkit.dumps(taken)


def merge_in(file: Path, plugin: str, taken: str) -> str:
    """The text of the build file with the plugin listed and switched on, and what was taken out of it put back.

    What the file says by now stays.
    """
    document = _read(file)
    _drop(document, "disabled", plugin)
    if not listed_in(file, "plugins", plugin):
        _array(document, "plugins").append(plugin)
    _fill(document, tomlkit.parse(taken))
    return tomlkit.dumps(document)


def unlocked(text: str) -> str:
    """The text of a build file to try things with: its lock names the plugins of before."""
    document = tomlkit.parse(text)
    section: Any = document.get("crm")
    if isinstance(section, MutableMapping) and section.pop("locked", None) is None:
        return text
    return tomlkit.dumps(document)


def write(file: Path, text: str) -> None:
    """Replace a file as a whole: whoever reads it meanwhile, or is killed, sees the old one or the new one."""
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(file.stat().st_mode & 0o7777)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _require_listed(file: Path, plugin: str) -> None:
    if listed_in(file, "plugins", plugin):
        return
    known: set[str] = set()
    for _, content in lines_of(file):
        section = content.get("crm")
        known |= set(section.get("plugins", ())) if isinstance(section, Mapping) else set()
    raise BuildError(
        "{file} does not list the plugin {plugin!r}.",
        mend="Did you mean {near}?" if known else "Add it to plugins in [crm] first.",
        file=str(file),
        plugin=plugin,
        near=nearest(plugin, known),
    )


def _read(file: Path) -> TOMLDocument:
    try:
        # With the line ends that it has.
        with file.open(encoding="utf-8-sig", newline="") as source:
            return tomlkit.parse(source.read())
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(
            "{file} cannot be edited: {reason}.",
            mend="Correct it first; 'crm plugins' says what is wrong.",
            file=str(file),
            reason=" ".join(str(error).split()).rstrip("."),
        ) from error


def _array(document: TOMLDocument, name: str) -> Array:
    """A list of ``[crm]``, made where there is none."""
    section = document.get("crm")
    if section is None:
        section = tomlkit.table()
        document.add("crm", section)
    if name not in section:
        section.add(name, tomlkit.array())
    array = section[name]
    assert isinstance(array, Array)
    return array


def _drop(document: TOMLDocument, name: str, plugin: str) -> None:
    section: Any = document.get("crm")
    array = section.get(name) if isinstance(section, Mapping) else None
    if isinstance(array, Array):
        while plugin in array:
            array.remove(plugin)
        if name == "disabled" and not array:
            del section[name]


def _tables(document: TOMLDocument, section: str) -> Iterator[tuple[str, Any]]:
    found = document.get(section)
    if isinstance(found, Mapping):
        yield from ((name, table) for name, table in list(found.items()) if isinstance(table, Mapping))


def _own(document: TOMLDocument, plugin: str) -> list[tuple[str, str]]:
    """Tables of the file that go with the plugin."""
    found = [
        (section, name)
        for section in OWN_TABLES
        for name in (document.get(section) or {})
        if speaks_of(plugin, name)
    ]  # fmt: skip
    found += [
        (section, name)
        for section in OF_RECORDS
        for name, table in _tables(document, section)
        if speaks_of(plugin, str(table.get("record", "")))
    ]
    return found


def _move(document: TOMLDocument, taken: TOMLDocument, path: tuple[str, ...], name: str) -> None:
    """Take one key out of a table, and put it into the same place of another document."""
    tables: list[Any] = [document]
    for part in path:
        following = tables[-1].get(part)
        if not isinstance(following, MutableMapping):
            return
        tables.append(following)
    if name not in tables[-1]:
        return
    place: Any = taken
    for part in path:
        if part not in place:
            place.add(part, tomlkit.table(is_super_table=True))
        place = place[part]
    place.add(name, _plain(tables[-1][name]))
    del tables[-1][name]
    # Tables that are empty now would stand there for nothing.
    for depth in range(len(path) - 1, -1, -1):
        if not tables[depth + 1] and path[depth] != "permissions":
            del tables[depth][path[depth]]


def _plain(value: Any) -> Any:
    return value.unwrap() if hasattr(value, "unwrap") else value


def _fill(document: Any, taken: Mapping[str, Any], on_a_line: bool = False) -> None:
    """Put in what is missing, table by table: ``on_a_line`` where a headline would part what stands around it."""
    for name, value in taken.items():
        if name not in document:
            table = _inline if on_a_line else _table
            document.add(name, table(value) if isinstance(value, Mapping) else value)
        elif isinstance(value, Mapping) and isinstance(document[name], MutableMapping):
            _fill(document[name], value, on_a_line or not _has_headline(document, name))


def _has_headline(document: Any, name: str) -> bool:
    """Whether a table stands under a headline, and is not written on one line, as ``name.key = value``, or in parts."""
    if not isinstance(document[name], Table):
        return False
    body = document.body if isinstance(document, Container) else document.value.body
    return not any(key is not None and key.key == name and key.is_dotted() for key, _ in body)


def _inline(value: Mapping[str, Any]) -> InlineTable:
    """A table on one line."""
    table = tomlkit.inline_table()
    for name, each in value.items():
        table.add(name, _inline(each) if isinstance(each, Mapping) else _plain(each))
    return table


def _table(value: Mapping[str, Any]) -> Any:
    """A table of a new document, with a headline of its own only where it holds more than tables."""
    only_tables = bool(value) and all(isinstance(each, Mapping) for each in value.values())
    table = tomlkit.table(is_super_table=only_tables)
    for name, each in value.items():
        table.add(name, _table(each) if isinstance(each, Mapping) else _plain(each))
    return table


def _places(table: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in table.items():
        place = f"{above}{quoted(key)}"
        yield place
        if isinstance(value, Mapping):
            yield from _places(value, f"{place}.")

"""A picture of a build: its plugins in the order of what they require, their record types, and who is called when.

Plugins stand in columns, each right of those that it requires. A line leads from a record to the record of another
plugin that it refers to or extends. Below, each hook has a line, and the numbers say in which order plugins are called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from crm_core.assembly import Build, LoadedPlugin
from crm_core.records import KERNEL, RecordType

__all__ = ["Drawing", "draw", "svg"]

_CARD, _GAP, _MARGIN, _ROW, _HEAD, _SPACE = 250, 110, 36, 20, 58, 26
_HOOK_NAME, _HOOK_ROW, _HOOK_CELL = 250, 22, 92
_HUES = (212, 152, 28, 282, 340, 188, 60, 120, 250, 0)
_TEMPLATES = Path(__file__).parent / "templates"


@attrs.frozen
class Row:
    """A record type in a card; ``mark`` says that it extends another, is dated, or both."""

    name: str
    label: str
    mark: str
    y: int


@attrs.frozen
class Card:
    """A plugin with its place; ``hue`` is its colour wherever it appears."""

    name: str
    title: str
    version: str
    x: int
    y: int
    height: int
    hue: int
    rows: tuple[Row, ...]
    width: int = _CARD


@attrs.frozen
class Line:
    """A curve; ``kind`` is ``requires``, ``extends`` or ``refers``, ``words`` are shown when one points at it."""

    path: str
    kind: str
    hue: int
    words: str


@attrs.frozen
class HookLine:
    """A hook with the places of its calls: x, number, hue and name of the plugin."""

    name: str
    y: int
    veto: bool
    calls: tuple[tuple[int, int, int, str], ...]


@attrs.frozen
class Drawing:
    """Everything with its place, in pixels."""

    title: str
    width: int
    height: int
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]
    hooks: tuple[HookLine, ...]
    hooks_y: int


def svg(build: Build, translate: Callable[..., str] = lambda text, plugin=None: text) -> str:
    """The picture as a text of SVG that stands by itself; ``translate`` is that of a translator."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("build.svg").render(drawing=draw(build, translate), _=translate, cell=_HOOK_CELL)


def draw(build: Build, translate: Callable[..., str] = lambda text, plugin=None: text) -> Drawing:
    """Where everything stands."""
    cards = _cards(build, translate)
    below = max(card.y + card.height for card in cards.values()) + 2 * _SPACE
    hooks = _hooks(build, cards, below + 58)
    columns = max(card.x for card in cards.values()) + _CARD + _MARGIN
    table = _MARGIN * 2 + _HOOK_NAME + _HOOK_CELL * len(cards)
    return Drawing(
        title=build.file.crm.name,
        width=max(columns, table if hooks else 0, 640),
        height=(hooks[-1].y + _HOOK_ROW if hooks else below) + _MARGIN,
        cards=tuple(cards.values()),
        lines=tuple(_lines(build, cards)),
        hooks=hooks,
        hooks_y=below,
    )


def _depths(plugins: Sequence[LoadedPlugin]) -> dict[str, int]:
    """How many others stand left of a plugin: one more than the farthest of those that it requires."""
    depths: dict[str, int] = {}
    for plugin in plugins:  # in load order, so those that are required are known
        needed = [depths[name] for name in plugin.manifest.requires if name in depths]
        depths[plugin.name] = 0 if plugin.name == KERNEL else 1 + max(needed, default=0)
    return depths


def _cards(build: Build, translate: Callable[..., str]) -> dict[str, Card]:
    cards: dict[str, Card] = {}
    depths, bottoms = _depths(build.plugins), dict[int, int]()
    for number, plugin in enumerate(build.plugins):
        column = depths[plugin.name]
        y = bottoms.get(column, _MARGIN + 64)
        shown = plugin.types
        rows = tuple(
            Row(each.name, translate(each.label or each.name, plugin.name), _mark(each), y + _HEAD + at * _ROW)
            for at, each in enumerate(shown)
        )
        height = _HEAD + max(len(rows), 1) * _ROW
        cards[plugin.name] = Card(
            plugin.name, translate(plugin.manifest.label or plugin.name, plugin.name), _version(plugin),
            _MARGIN + column * (_CARD + _GAP), y, height, _HUES[number % len(_HUES)], rows,
        )  # fmt: skip
        bottoms[column] = y + height + _SPACE
    return cards


def _version(plugin: LoadedPlugin) -> str:
    from crm_core import __version__

    return __version__ if plugin.name == KERNEL else plugin.manifest.version


def _mark(record_type: RecordType) -> str:
    return ("+" if record_type.extends else "") + ("◷" if record_type.dated else "")


def _lines(build: Build, cards: Mapping[str, Card]) -> list[Line]:
    """Requirements behind references, so that the finer lines stay visible."""
    found: list[Line] = []
    for plugin in build.plugins:
        card = cards[plugin.name]
        needed = [name for name in plugin.manifest.requires if name in cards]
        if not needed and plugin.name != KERNEL:
            needed = [KERNEL]
        for name in needed:
            other = cards[name]
            path = _curve(other.x + _CARD, other.y + 26, card.x, card.y + 26)
            found.append(Line(path, "requires", other.hue, f"{card.title} → {other.title}"))
    places = {row.name: (card, row) for card in cards.values() for row in card.rows}
    for name, record_type in build.types.items():
        card, row = places[name]
        for kind, target, words in _targets(record_type):
            other, there = places[target]
            if other is card or (kind == "refers" and other.name == KERNEL):
                continue  # within a plugin, and to accounts and people, everything refers
            path = _curve(other.x + _CARD, there.y + 10, card.x, row.y + 10)
            found.append(Line(path, kind, card.hue, words))
    return found


def _targets(record_type: RecordType) -> list[tuple[str, str, str]]:
    found = [("refers", str(field.target), f"{record_type.name}.{field.name} → {field.target}")
             for field in record_type.refs]  # fmt: skip
    if record_type.extends:
        found.append(("extends", record_type.extends, f"{record_type.name} + {record_type.extends}"))
    return found


def _curve(x1: int, y1: int, x2: int, y2: int) -> str:
    bend = max((x2 - x1) // 2, 40)
    return f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _hooks(build: Build, cards: Mapping[str, Card], top: int) -> tuple[HookLine, ...]:
    """Those that are called while people work; every plugin answers at assembly, which tells nothing."""
    columns = {name: _MARGIN + _HOOK_NAME + at * _HOOK_CELL for at, name in enumerate(cards)}
    shown: list[tuple[str, Any]] = [
        (hook, plugins) for hook, plugins in build.report.hooks.items() if not hook.startswith("crm_register_")
    ]
    return tuple(
        HookLine(
            hook, top + at * _HOOK_ROW, hook in build.report.vetoers,
            tuple((columns[name], at_call, cards[name].hue, cards[name].title)
                  for at_call, name in enumerate(plugins, 1)),
        )
        for at, (hook, plugins) in enumerate(shown)
    )  # fmt: skip

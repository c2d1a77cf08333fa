"""The assembly report: what was loaded, who is called when, who may object, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crm_core.assembly.switched_off import SwitchedOff
from crm_core.assembly.verdicts import LeftOut
from crm_core.errors import Problem

__all__ = ["AssemblyReport", "PluginEntry", "Section"]


@attrs.frozen(kw_only=True)
class PluginEntry:
    """A loaded plugin in the report."""

    name: str
    version: str
    label: str = ""
    description: str = ""
    distribution: str | None = None
    distribution_version: str | None = None
    requires: Mapping[str, str] = attrs.field(factory=dict)
    records: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The distribution with its version, or that there is none."""
        return f"{self.distribution} {self.distribution_version}" if self.distribution else "the application"


@attrs.frozen
class Section:
    """A table for a terminal: title, header, rows of texts."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@attrs.frozen(kw_only=True)
class AssemblyReport:
    """What assembly decided.

    ``hooks`` names, for each hook that anybody implements, the plugins in call order. ``drivers`` are those
    that the build file chose, by kind. ``off`` are plugins that somebody switched off. ``not_as_locked`` are those of
    the warnings that tell what is different from the lock of a build that is to be locked.
    """

    name: str
    contract: str
    source: str | None = None
    strict: bool = True
    loaded: tuple[PluginEntry, ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    drivers: Mapping[str, str] = attrs.field(factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    off: tuple[SwitchedOff, ...] = ()
    warnings: tuple[Problem, ...] = ()
    not_as_locked: tuple[Problem, ...] = ()

    @property
    def vetoers(self) -> Mapping[str, tuple[str, ...]]:
        """Who may object: the plugins behind each ``crm_check_`` hook."""
        return {hook: plugins for hook, plugins in self.hooks.items() if hook.startswith("crm_check_")}

    def as_json(self) -> dict[str, Any]:
        """The report as plain lists, tables and texts."""
        return {
            "name": self.name,
            "contract": self.contract,
            "source": self.source,
            "strict": self.strict,
            "loaded": [
                {
                    "name": entry.name,
                    "version": entry.version,
                    "label": entry.label,
                    "description": entry.description,
                    "distribution": entry.distribution,
                    "distribution_version": entry.distribution_version,
                    "requires": dict(entry.requires),
                    "records": list(entry.records),
                }
                for entry in self.loaded
            ],
            "hooks": {hook: list(plugins) for hook, plugins in self.hooks.items()},
            "vetoers": {hook: list(plugins) for hook, plugins in self.vetoers.items()},
            "drivers": dict(self.drivers),
            "left_out": [
                {"plugin": left.plugin, "because": left.because, "reasons": [str(each) for each in left.reasons]}
                for left in self.left_out
            ],
            "switched_off": [{"plugin": each.plugin, "how": each.how, "because": each.because} for each in self.off],
            "warnings": [str(each) for each in self.warnings],
        }

    def sections(self) -> tuple[Section, ...]:
        """The report as tables to draw; those with nothing to tell are left away."""
        sections = (
            Section(
                "Plugins, in load order",
                ("plugin", "version", "from", "requires", "records"),
                tuple(
                    (
                        entry.name,
                        entry.version,
                        entry.origin,
                        ", ".join(sorted(entry.requires)),
                        ", ".join(entry.records),
                    )
                    for entry in self.loaded
                ),
            ),
            Section(
                "Hooks, in call order",
                ("hook", "plugins", "may veto"),
                tuple(
                    (hook, ", ".join(plugins), "yes" if hook in self.vetoers else "")
                    for hook, plugins in self.hooks.items()
                ),
            ),
            Section("Drivers", ("kind", "driver"), tuple(sorted(self.drivers.items()))),
            Section(
                "Left out",
                ("plugin", "why"),
                tuple((left.plugin, "\n".join(str(each) for each in left.reasons)) for left in self.left_out),
            ),
            Section(
                "Switched off",
                ("plugin", "how"),
                tuple((each.plugin, each.because or each.how) for each in self.off),
            ),
            Section("Warnings", ("what",), tuple((str(each),) for each in self.warnings)),
        )
        return tuple(section for section in sections if section.rows)

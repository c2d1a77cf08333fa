"""What assembly finds wrong, kept apart by who has to mend it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from crm_core.assembly.switched_off import SwitchedOff
from crm_core.errors import Problem

__all__ = ["LeftOut", "Verdicts"]


@attrs.frozen
class LeftOut:
    """A plugin that does not load, and why.

    ``because`` names the plugin it needs, when only that one is at fault.
    """

    plugin: str
    reasons: tuple[Problem, ...]
    because: str | None = None


@attrs.define
class Verdicts:
    """Collects verdicts: on plugins, on the build file itself, and what merely deserves a look."""

    plugins: dict[str, LeftOut] = attrs.field(factory=dict)
    file: list[Problem] = attrs.field(factory=list)
    warnings: list[Problem] = attrs.field(factory=list)
    off: dict[str, SwitchedOff] = attrs.field(factory=dict)

    def switch_off(self, off: SwitchedOff) -> None:
        """Load ``off.plugin`` not, without anything being wrong with it."""
        self.off.setdefault(off.plugin, off)

    def reject(self, plugin: str, *reasons: Problem, because: str | None = None) -> None:
        """Leave ``plugin`` out; further reasons are added to those it has."""
        former = self.plugins.get(plugin)
        self.plugins[plugin] = LeftOut(plugin, (*(former.reasons if former else ()), *reasons), because)

    def reject_for(self, plugin: str, required: Iterable[str]) -> None:
        """Leave ``plugin`` out when one of those it requires is left out."""
        for name in sorted(required):
            if name in self.plugins:
                reason = Problem(plugin, "It requires {required}, which is left out.", values={"required": name})
                self.reject(plugin, reason, because=name)
                return

    def doubt(self, problem: Problem, name: str | None = None) -> None:
        """A mistake of the file, unless a plugin that is left out or switched off could explain it.

        ``name`` is the record type or job that is named; its first part tells whose it is, so that a misspelt name is
        a mistake whatever is switched off.
        """
        plugin = "" if name is None else name.partition(".")[0] if "." in name else "crm"
        if plugin in self.off:
            self.ignore(problem.path, plugin)
        elif self.plugins or (name is None and self.off):
            self.warnings.append(problem)
        else:
            self.file.append(problem)

    def ignore(self, path: str, plugin: str) -> None:
        """Say that what stands at ``path`` is kept for a plugin that is switched off, and does nothing meanwhile."""
        self.warnings.append(
            Problem(path, "It is kept for the plugin {plugin}, which is switched off, and ignored meanwhile.", "",
                    {"plugin": plugin})
        )  # fmt: skip

    def causes(self) -> list[Problem]:
        """Everything to mend, each once: what follows from another plugin's fault is not repeated."""
        return self.file + [reason for left in self.plugins.values() if left.because is None for reason in left.reasons]

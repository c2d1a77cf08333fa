"""What assembly finds wrong, kept apart by who has to mend it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

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

    def doubt(self, problem: Problem) -> None:
        """A mistake of the file, unless a plugin that is left out could explain it."""
        (self.warnings if self.plugins else self.file).append(problem)

    def causes(self) -> list[Problem]:
        """Everything to mend, each once: what follows from another plugin's fault is not repeated."""
        return self.file + [reason for left in self.plugins.values() if left.because is None for reason in left.reasons]

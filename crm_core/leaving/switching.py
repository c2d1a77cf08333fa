"""Switching a plugin off and on in the build file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import attrs

from crm_core.assembly.build_file import read
from crm_core.assembly.load import assemble
from crm_core.errors import BuildError, Problem
from crm_core.leaving import editing
from crm_core.leaving.mentions import Mention, mentions
from crm_core.leaving.subject import requires

__all__ = ["Switch", "beside", "switch_off", "switch_on"]


@attrs.frozen
class Switch:
    """A change of the build file: its new ``text`` (``None``: it says so already).

    ``ignored`` are places in it that do nothing as long as the plugin is off.
    """

    file: Path
    plugin: str
    text: str | None
    ignored: tuple[Mention, ...] = ()

    def carry_out(self) -> None:
        """Write the file."""
        if self.text is not None:
            editing.write(self.file, self.text)


def switch_off(file: Path, plugin: str) -> Switch:
    """Plan to switch a plugin off; nothing of it is imported.

    Raises :class:`~crm_core.errors.BuildError` where plugins that are on require it, or the file does not list it.
    """
    text = editing.disable(file, plugin)
    build, _ = read(file)
    on = [name for name in build.crm.plugins if name not in build.crm.disabled and name != plugin]
    needing = {name: wanted for name in on if (wanted := requires(name).get(plugin)) is not None}
    if needing:
        raise BuildError(
            "The plugin {plugin} cannot be switched off:",
            [
                Problem(name, "It requires {plugin} {wanted}.", "Switch it off first: 'crm plugins disable {name}'.",
                        {"plugin": plugin, "wanted": wanted, "name": name})
                for name, wanted in sorted(needing.items())
            ],
            plugin=plugin,
        )  # fmt: skip
    return Switch(file, plugin, text, mentions(build, plugin))


def switch_on(file: Path, plugin: str, without: Collection[str] = ()) -> Switch:
    """Plan to switch a plugin on; it is loaded to see that it fits.

    Raises :class:`~crm_core.errors.BuildError` with what keeps it from being loaded.
    """
    text = editing.enable(file, plugin)
    if text is not None:
        part = beside(file)
        try:
            part.write_text(text, encoding="utf-8")
            # A lock names the plugins of before: it is written anew when the build is as it shall be.
            assemble(part, strict=True, without=without, locked=False)
        except BuildError as error:
            raise BuildError(
                "The plugin {plugin} cannot be switched on:", error.problems, mend="", plugin=plugin
            ) from error
        finally:
            part.unlink(missing_ok=True)
    return Switch(file, plugin, text)


def beside(file: Path) -> Path:
    """A file next to the build file, where its addresses lead to the same places, to try a text of it."""
    return file.with_name(f".{file.name}.trial")

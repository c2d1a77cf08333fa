"""Removing a plugin with all that it has: the plan first, then everything exported, and only then taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import BuildError, Problem
from crm_core.leaving import editing
from crm_core.leaving.footprint import Footprint, footprint
from crm_core.leaving.records import write_records
from crm_core.store.leaving.removal import Origin, Stage, export_only, remove_data
from crm_core.store.leaving.taking import can_go_down
from crm_core.store.migrations import MigrationSource

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.store.leaving.exported import Exported

__all__ = ["BUILD", "RemovalPlan", "export", "plan_removal", "remove"]

BUILD = "build.toml"
"""What was taken out of the build file, beside the rows."""


@attrs.frozen(kw_only=True)
class RemovalPlan:
    """What a removal would do. ``obstacles`` must be mended first; without any it may be carried out.

    ``by`` says how the tables go: by the plugin's ``revisions``, or, where they cannot be found, by the names of its
    ``tables``. ``build_file`` is the new text of the build file, ``taken`` what is taken out of it, as TOML.
    """

    footprint: Footprint
    folder: Path
    by: str
    file: Path | None
    build_file: str | None
    taken: str
    obstacles: tuple[Problem, ...]

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.footprint.plugin

    def steps(self) -> Iterator[Problem]:
        """What would be done, in order; each a sentence with its values."""
        kept = self.footprint.held
        if self.file is not None and self.build_file is not None:
            yield Problem("", "Switch the plugin off in {file}, so that nobody loads it meanwhile.", "",
                          {"file": str(self.file)})  # fmt: skip
        for table in kept.tables:
            yield Problem("", "Export {table} ({rows} rows) to {folder}, and read it back.", "",
                          {"table": table.name, "rows": table.rows, "folder": str(self.folder)})  # fmt: skip
        if kept.tables or kept.revision:
            if self.by == "revisions":
                yield Problem("", "Migrate down from revision {revision}, which drops its tables.", "",
                              {"revision": kept.revision})  # fmt: skip
            else:
                yield Problem("", "Drop its tables by their names: its revisions are not there.")
        for (name, state), count in kept.jobs.items():
            yield Problem("", "Take {count} jobs {job} ({state}) out of the queue; those that wait are exported.", "",
                          {"count": count, "job": name, "state": state})  # fmt: skip
        if kept.documents or kept.match_keys:
            yield Problem("", "Take {count} documents out of the search index.", "",
                          {"count": sum(kept.documents.values())})  # fmt: skip
        if kept.consumer is not None:
            yield Problem("", "Forget where it stands in the feed of changes; the export keeps it.")
        if self.file is not None and self.build_file is not None:
            yield Problem("", "Take it out of {file}, with: {sections}.", "",
                          {"file": str(self.file),
                           "sections": ", ".join(["[crm] plugins", *(each.path for each in self.footprint.mentions
                                                                    if each.own)])})  # fmt: skip
        if kept.changes:
            yield Problem("", "Leave {count} changes in the journal; histories show them as inactive.", "",
                          {"count": sum(kept.changes.values())})  # fmt: skip
        for (name, _), count in kept.soft.items():
            yield Problem("", "Leave {count} rows of {table} that name its records; they lead to nothing until it is "
                              "back.", "", {"count": count, "table": name})  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The plan as plain lists and texts."""
        return {
            "plugin": self.plugin,
            "folder": str(self.folder),
            "by": self.by,
            "steps": [str(each) for each in self.steps()],
            "taken_out_of_the_build_file": self.taken,
            "obstacles": [str(each) for each in self.obstacles],
            "footprint": self.footprint.as_json(),
        }


def plan_removal(crm: Crm, name: str, folder: Path | None = None, *, file: Path | None = None) -> RemovalPlan:
    """What :func:`remove` would do; nothing is changed.

    ``folder`` is for the export (by default a new one in ``removed`` beside the build file); ``file`` is the build
    file to edit (by default that of ``crm``; a build that was given as a mapping has none).
    """
    found = footprint(crm, name)
    file = file or crm.build.file.source
    text, taken, obstacles = None, "", found.dependants()
    if file is not None:
        places = editing.listed_in(file, "plugins", name)
        text, taken = editing.take_out(file, name)
        if text == file.read_text(encoding="utf-8-sig"):
            text = None
        obstacles += [
            Problem(str(place), "It lists the plugin, and {file} extends it.",
                    "Take the plugin out of that file first, or only switch it off: 'crm plugins disable {plugin}'.",
                    {"file": str(file), "plugin": name})
            for place in places if place != file
        ]  # fmt: skip
        own = {each.path for each in found.mentions if each.own}
        obstacles += [
            Problem(f"{place}: {path}", "It speaks of the plugin, and {file} extends it.",
                    "Take it out of that file first, or only switch the plugin off: 'crm plugins disable {plugin}'.",
                    {"file": str(file), "plugin": name})
            for place, path in editing.said_in(file, own)
        ]  # fmt: skip
    beside = file.parent if file is not None else Path()
    return RemovalPlan(
        footprint=found,
        folder=folder or beside / "removed" / f"{name}-{crm.store.clock():%Y%m%dT%H%M%SZ}",
        by="revisions" if can_go_down(_source(found), found.held.revision) else "tables",
        file=file,
        build_file=text,
        taken=taken,
        obstacles=tuple(obstacles),
    )


def remove(crm: Crm, plan: RemovalPlan, tell: Stage = lambda what, name, rows: None) -> Exported | None:
    """Carry out a plan; returns what was exported, or ``None`` where the database holds nothing of the plugin.

    Everything is written to files and read back before anything goes, and all that goes from the database goes in one
    transaction: whenever it is interrupted, the data are in the database, or in a complete export, or both. The plugin
    is switched off in the build file first and taken out last, so that the build opens in between; run again, it goes
    on from there. Raises :class:`~crm_core.errors.BuildError` with all obstacles.
    """
    _require_clear(plan)
    found = plan.footprint
    if plan.file is not None:
        off = editing.disable(plan.file, plan.plugin) if editing.listed_in(plan.file, "plugins", plan.plugin) else None
        if off is not None:
            editing.write(plan.file, off)
            tell("disabled", plan.plugin, 0)
    done = None
    if found.held.present:
        done = remove_data(
            crm.store,
            plan.plugin,
            _source(found),
            plan.folder,
            origin=Origin(found.subject.distribution, found.subject.version),
            records=_files(crm, plan),
            tell=tell,
        )
    if plan.file is not None:
        text, _ = editing.take_out(plan.file, plan.plugin)
        editing.write(plan.file, text)
    return done


def export(crm: Crm, name: str, folder: Path, tell: Stage = lambda what, name, rows: None) -> Exported:
    """Write all that a plugin has to a folder, as a removal would, and take nothing away."""
    plan = plan_removal(crm, name, folder)
    origin = Origin(plan.footprint.subject.distribution, plan.footprint.subject.version)
    return export_only(crm.store, name, folder, origin=origin, records=_files(crm, plan), tell=tell)


def _require_clear(plan: RemovalPlan) -> None:
    if plan.obstacles:
        raise BuildError(
            "The plugin {plugin} cannot be removed yet:", plan.obstacles, plugin=plan.plugin
        )  # fmt: skip


def _files(crm: Crm, plan: RemovalPlan) -> Any:
    """Writes what stands beside the rows: the sections of the build file, and records as an import reads them."""

    def write(folder: Path) -> tuple[dict[str, str], str | None]:
        (folder / BUILD).write_text(plan.taken, encoding="utf-8")
        if plan.footprint.state != "loaded":
            return {}, None
        return write_records(crm, plan.plugin, folder)

    return write


def _source(found: Footprint) -> MigrationSource | None:
    folder = found.subject.migrations
    return MigrationSource(found.plugin, folder) if folder is not None else None

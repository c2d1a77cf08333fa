"""What became of the tables, in words."""

from __future__ import annotations

from collections.abc import Iterator

from crm_core.assembly import Build
from crm_core.builds.rehearsing.copying import Copied
from crm_core.builds.rehearsing.report import Noticed
from crm_core.errors import Problem
from crm_core.records import KERNEL
from crm_core.store.copies import Contents, Source, Tell
from crm_core.store.copies.comparing import TableChange, changed_tables

__all__ = ["table_findings"]


def table_findings(copy: Copied, after: Source, holding: Contents, build: Build, tell: Tell) -> Iterator[Noticed]:
    """Tables, columns, rows and values that are gone or different, and data of plugins that the build has not."""
    for change in changed_tables(copy.original, copy.held, after, holding, tell):
        yield from _told(change)
    names = {plugin.name for plugin in build.plugins} | {off.plugin for off in build.report.off}
    for plugin in sorted(copy.original.revisions().keys() - names - {KERNEL}):
        rows = sum(content.rows for name, content in copy.held.items() if name.startswith(f"{plugin}__"))
        if rows:
            words = "The plugin is not in the new build: its {rows} rows are kept, and nobody sees them."
            mend = "Add it to plugins in [crm], or remove it by 'crm plugins remove'."
            yield Noticed("loses", Problem(plugin, words, mend, {"rows": rows}))


def _told(change: TableChange) -> Iterator[Noticed]:
    name = change.name
    if change.gone:
        if change.lost:
            yield Noticed("loses", Problem(name, "The table is gone, with {rows} rows.", "", {"rows": change.lost}))
        return
    if change.lost:
        values = {"rows": change.lost, "before": change.rows_before, "ids": ", ".join(map(str, change.ids)) or "-"}
        yield Noticed("loses", Problem(name, "{rows} of {before} rows are gone (such as {ids}).", "", values))
    if change.unlike:
        words = "Its rows are as many as before, and hold something else; as it has no key, nobody can say what."
        yield Noticed("changes", Problem(name, words))
    for column, count in change.dropped:
        words = "The column is gone, with {count} values. Or was it renamed?"
        yield Noticed("loses", Problem(f"{name}.{column}", words, "", {"count": count}))
    for each in change.columns:
        path = f"{name}.{each.name}"
        if each.emptied:
            yield Noticed("loses", Problem(path, "{count} values are gone.", "", {"count": each.emptied}))
        if each.shortened:
            yield Noticed("loses", Problem(path, "{count} values are cut short.", "", {"count": each.shortened}))
        if each.changed:
            yield Noticed("changes", Problem(path, "{count} values are different.", "", {"count": each.changed}))

"""``crm migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.store.migrations import Plan, Revision

__all__ = ["command", "migrate"]


@command("migrate")
@option("--plan", "only_plan", is_flag=True, help="Only tell what would be done.")
@as_json
@pass_application
def command_migrate(application: Application, only_plan: bool, as_json: bool) -> None:
    """Bring the database up to date with the build.

    Each plugin's revisions are run in load order, each of them whole or not at all. Make a backup first.
    """
    application.as_no_user()
    crm = application.open(check=False)
    done = crm.plan() if only_plan else migrate(application, crm)
    unready = [] if only_plan else crm.unindexed()
    if as_json:
        application.output.json({"done": not only_plan, "plugins": _json(done), "unindexed": unready})
    elif only_plan and not done.empty:
        application.output.line(str(done))
        application.output.say("Nothing was changed. 'crm migrate' does it.")
    elif done.empty:
        application.output.say("The database is up to date.")
    else:
        count = sum(len(part.pending) for part in done)
        application.output.say("The database is up to date; revisions run: {count}.", count=count)
    if unready and not as_json:
        application.output.note(
            "Records of type {records} are not in the search index yet. 'crm search reindex' takes them in; until then "
            "a search says so instead of finding a part.",
            records=", ".join(unready),
        )


command = command_migrate


def migrate(application: Application, crm: Crm) -> Plan:
    """Migrate with a bar; returns what was done."""
    total = sum(len(part.pending) for part in crm.plan())
    with application.output.progress() as bar:
        task = bar.add_task("", total=total)

        def tell(plugin: str, revision: Revision) -> None:
            bar.update(task, description=f"{plugin} {revision.id}", advance=1)

        return crm.migrate(tell)


def _json(plan: Plan) -> list[dict[str, object]]:
    return [
        {
            "plugin": part.plugin,
            "current": part.current,
            "head": part.head,
            "pending": [{"revision": each.id, "doc": each.doc} for each in part.pending],
        }
        for part in plan
    ]

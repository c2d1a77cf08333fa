"""``crm search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import Group, group, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import ConflictingOptions, Number
from crm_core.errors import Conflict, PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from crm_core.store.search.hits import Hit
    from crm_core.store.search.reindex import Checked
    from crm_core.store.session import CrmSession

__all__ = ["command"]


class _Search(Group):
    """A group whose first word is a query unless it is one of the commands: ``crm search reindex``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Words and options of a query come in any order."""
        if not args or args[0] in self.commands:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        return click.Command.parse_args(self, ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What may stand where."""
        return ["[OPTIONS]", "TEXT... | reindex"]


@group("search", cls=_Search, invoke_without_command=True, no_args_is_help=True)
@option("--type", "types", multiple=True, metavar="TYPE", help="Only records of this type; repeatable.")
@option("--limit", type=Number(1, 1000), default=20, metavar="N", help="How many at most. Else 20.")
@option("--at", type=MOMENT, metavar="DATE", help="As it was in the business on this day or at this moment.")
@option("--as", "login", metavar="USER", help="As this user sees it; needs the permission system.impersonate.")
@as_json
@click.pass_context
def command(
    ctx: click.Context, types: tuple[str, ...], limit: int, at: When | None, login: str | None, as_json: bool
) -> None:
    """Find records that hold every word of TEXT: any part of two characters or more, pinyin, initials, digits.

    A word may stand in the record's account instead, as long as one stands in the record: "海尔 采购" finds the
    purchasing manager at 海尔.
    """
    if ctx.invoked_subcommand is not None:
        return
    application = ctx.find_object(Application)
    assert application is not None
    query = " ".join(ctx.args)
    if not query.strip():
        raise ConflictingOptions("Say what to search for: crm search TEXT.")
    with application.looking(at=moment_of(application, at), login=login) as session:
        hits = session.search(query, types or None, limit)
        if as_json:
            application.output.json({"query": query, "hits": [_hit_json(hit) for hit in hits]})
        elif not hits:
            application.output.say("Nothing was found.")
        else:
            _print(application, session, hits)


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "type": hit.record_type,
        "id": hit.record_id,
        "title": hit.title,
        "account_id": hit.account_id,
        "text": hit.text,
        "field": hit.field,
        "rank": hit.rank,
    }


def _print(application: Application, session: CrmSession, hits: list[Hit]) -> None:
    from crm_core.cli.records import Shower

    translator = application.translator
    shower = Shower(session, translator)
    above = {hit.account_id for hit in hits if hit.account_id is not None and hit.account_id != hit.record_id}
    shower.prepare("account", above)

    def row(hit: Hit) -> tuple[str, ...]:
        record_type = session.types[hit.record_type]
        account = shower.reference("account", hit.account_id) if hit.account_id in above and hit.account_id else ""
        # The title need not be said twice.
        text = "" if hit.text == hit.title else hit.text
        return translator.text(record_type.label, record_type.plugin), str(hit.record_id), hit.title, text, account

    application.output.table(("record", "id", "name", "found", "account"), map(row, hits))


@command.command("reindex")
@option("--check", "only_check", is_flag=True, help="Only compare the index with the records, and say what differs.")
@option(
    "--whole", is_flag=True, help="Throw the old index away first; searches are refused until the new one is built."
)
@as_json
@pass_application
def reindex(application: Application, only_check: bool, whole: bool, as_json: bool) -> None:
    """Build the search index anew from the records, while others go on working.

    Needed once for a database that is older than the index, and when a plugin with searchable fields joins or changes
    them. It may be interrupted; until it is through, what is not indexed cannot be searched.
    """
    crm = application.crm
    _require_all(application)
    output = application.output
    if only_check and whole:
        raise ConflictingOptions("Give either --check or --whole.")
    if only_check:
        with output.progress() as bar:
            found = crm.check_index(_teller(bar))
        _print_check(application, found, as_json)
        return
    with output.progress() as bar:
        done = crm.reindex(_teller(bar), whole=whole)
    if as_json:
        output.json({"records": done.records, "removed": done.removed})
        return
    rows = ((output.translator.named(name), str(count)) for name, count in done.records.items())
    output.table(("record", "count"), rows)
    if done.removed:
        output.say("Documents of records that are not in this build, now removed: {count}.", count=done.removed)
    output.say("The search index is built.")


def _require_all(application: Application) -> None:
    """The outcome tells of all records; so it is for those who see all."""
    with application.session(read_only=True) as session:
        if not session.visibility.reach("system.reindex").all:
            raise PermissionDenied(
                "{principal} may not build or check the search index.",
                mend="A role with the permission {permission} at scope all is needed.",
                principal=session.actor.principal,
                permission="system.reindex",
            )


def _teller(bar: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def tell(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=total)
        bar.update(tasks[name], completed=done, total=total)

    return tell


def _print_check(application: Application, found: Checked, as_json: bool) -> None:
    output = application.output
    if as_json:
        output.json({
            "right": found.right, "documents": found.documents, "missing": found.missing, "stale": found.stale,
            "superfluous": found.superfluous, "unready": list(found.unready), "tokens": found.tokens,
            "examples": list(found.examples),
        })  # fmt: skip
    else:
        output.say("Documents in the search index: {count}.", count=found.documents)
        for example in found.examples:
            output.line(example)
        if found.unready:
            output.say("Not indexed: {records}.", records=", ".join(map(output.translator.named, found.unready)))
    if found.missing or found.stale or found.superfluous or found.unready:
        raise Conflict("The search index is not what the records say.", mend="Run 'crm search reindex'.")
    if not found.tokens:
        raise Conflict(
            "The words of the search index are not those of its documents.", mend="Run 'crm search reindex --whole'."
        )
    if not as_json:
        output.say("The search index is what the records say.")

"""``crm duplicates``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import Group, group, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions, Number
from crm_core.errors import Conflict
from crm_core.store import duplicates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_core.records import RecordType
    from crm_core.store.duplicates import Candidate
    from crm_core.store.session import CrmSession

__all__ = ["command", "print_candidates"]


_KEY_LABELS = ("registration", "wechat", "email", "birthday", "phone", "name", "domain")
"""Kinds of match keys."""


class _Duplicates(Group):
    """A group whose first word is a record type unless it is one of the commands: ``crm duplicates reindex``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Type and options come in any order."""
        if args and args[0] in self.commands:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        return click.Command.parse_args(self, ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What may stand where."""
        return ["[OPTIONS]", "[TYPE | reindex]"]


@group("duplicates", cls=_Duplicates, invoke_without_command=True)
@option("--where", metavar="EXPR", help="Only pairs of which at least one matches this filter.")
@option("--least", type=click.FloatRange(0, 1), default=0.0, metavar="SCORE", help="Only from this score on, 0 to 1.")
@option("--limit", type=Number(1, 100_000), default=50, metavar="N", help="How many pairs at most. Else 50.")
@as_json
@click.pass_context
def command(ctx: click.Context, where: str | None, least: float, limit: int, as_json: bool) -> None:
    """List pairs of accounts (or of another TYPE) that might be the same, the likeliest first.

    What they have in common stands beside them: registration number, domain, telephone, name ...
    """
    if ctx.invoked_subcommand is not None:
        return
    application = ctx.find_object(Application)
    assert application is not None
    if len(ctx.args) > 1:
        raise ConflictingOptions("Give one record type.")
    record_type = application.crm.store.find_type(ctx.args[0] if ctx.args else "account")
    with application.looking() as session:
        found = duplicates.candidates(session, record_type, where=where, least=least)
        shown = found[:limit]
        names = _names(session, record_type, shown)
        if as_json:
            application.output.json({
                "type": record_type.name, "count": len(found),
                "candidates": [candidate_json(each, names) for each in shown],
            })  # fmt: skip
            return
        if not found:
            application.output.say("No duplicates were found.")
            return
        print_candidates(application, shown, names)
        if len(found) > limit:
            application.output.note("{count} more; '--limit N' shows them.", count=len(found) - limit)
        application.output.note("'crm merge TYPE TARGET SOURCE --dry-run' tells what a merge would do.")


def _names(session: CrmSession, record_type: RecordType, found: Sequence[Candidate]) -> dict[int, str]:
    """The titles of the records, which the actor sees."""
    from sqlalchemy import select

    ids = sorted({id_ for each in found for id_ in (each.id, each.other_id)})
    cls: Any = record_type.cls
    if record_type.title is None or not ids:
        return {}
    names: dict[int, str] = {}
    for start in range(0, len(ids), 1000):
        query = select(cls.id, getattr(cls, record_type.title)).where(cls.id.in_(ids[start : start + 1000]))
        names.update({row[0]: str(row[1]) for row in session.execute(query)})
    return names


def candidate_json(each: Candidate, names: dict[int, str]) -> dict[str, Any]:
    """A pair as JSON."""
    return {
        "id": each.id, "name": names.get(each.id), "other_id": each.other_id, "other_name": names.get(each.other_id),
        "score": each.score, "keys": [attrs.asdict(key) for key in each.keys],
    }  # fmt: skip


def print_candidates(application: Application, found: Sequence[Candidate], names: dict[int, str]) -> None:
    """Pairs as a table."""
    text = application.translator.text
    application.output.table(
        ("score", "id", "name", "other id", "other name", "in common"),
        (
            (
                f"{each.score:.2f}", str(each.id), names.get(each.id, ""), str(each.other_id),
                names.get(each.other_id, ""), ", ".join(f"{text(key.kind)}: {key.key}" for key in each.keys),
            )
            for each in found
        ),
    )  # fmt: skip


@command.command("reindex")
@option("--check", "only_check", is_flag=True, help="Only compare the keys with the records, and say what differs.")
@as_json
@pass_application
def reindex(application: Application, only_check: bool, as_json: bool) -> None:
    """Work out the match keys of all records anew.

    Needed after a change of [duplicates] in the build file.
    """
    work = duplicates.check_index if only_check else duplicates.reindex
    with application.session(reason=None if only_check else "reindex") as session:
        found = work(session)
    if as_json:
        application.output.json({**attrs.asdict(found), "right": found.right})
    else:
        application.output.say("Match keys: {keys}. Missing: {missing}. Too many: {surplus}.", **attrs.asdict(found))
    if only_check and not found.right:
        raise Conflict("The match keys are not those of the records.", mend="Run 'crm duplicates reindex'.")

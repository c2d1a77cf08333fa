"""``crm build fields``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm_core.inspection import FieldReport, FieldUse
    from crm_core.translation import Translator

__all__ = ["command"]

_SHOWN = 3
_LINE_LABELS = ("# {where}: remove {what}", "# remove {what}")
_KIND_LABELS = ("Required", "Custom", "Duty", "Completeness")


@command("fields")
@option("--mapping", "mappings", multiple=True, metavar="FILE", help="A mapping of an import, which may use fields.")
@option("--role", metavar="ROLE", help="Only what people with this role must fill.")
@option("--all", "everything", is_flag=True, help="Fields that nobody must fill, too, and those that are used.")
@option("--no-data", is_flag=True, help="Do not count in the database how often fields are filled.")
@option("--html", metavar="FILE", type=Written(), help="Write a page that stands by itself.")
@as_json
@pass_application
def command_fields(
    application: Application,
    mappings: tuple[str, ...],
    role: str | None,
    everything: bool,
    no_data: bool,
    html: str | None,
    as_json: bool,
) -> None:
    """Show fields that people must fill although no filter, rule, report or plugin uses them, by role.

    With the proposal how to be rid of each. The source of kernel and plugins is read; what that cannot see is said.
    """
    from contextlib import nullcontext

    from crm_core.inspection import field_report

    crm = application.crm
    if role is not None and role not in crm.build.policy.roles:
        raise _no_role(role, crm.build.policy.roles)
    with nullcontext() if no_data else application.looking() as session:
        report = field_report(crm.build, session, mappings=mappings, everything=everything)
    chosen = [each for each in report.fields if role is None or role in each.roles]
    report = attrs.evolve(report, fields=tuple(chosen))
    shown = report.fields if everything else report.useless
    if html is not None:
        from crm_core.cli.pages import write_page

        title = application.translator.text("Fields that nobody uses")
        write_page(
            application, html, "fields.html", title, report=report, fields=shown, name=crm.build.file.crm.name,
            role_name=_role_name(application), said=lambda line: _said(line, application.translator),
        )  # fmt: skip
    elif as_json:
        application.output.json(_json(report, shown))
    else:
        _print(application, report, shown, role)


command = command_fields


def _no_role(role: str, known: Any) -> Exception:
    from crm_core.errors import NotFound, nearest

    return NotFound("There is no role {role!r}.", mend="Did you mean {near}?", role=role, near=nearest(role, known))


def _json(report: FieldReport, shown: tuple[FieldUse, ...]) -> dict[str, Any]:
    return {
        "looked_at": len(report.fields),
        "fields": [_field_json(each) for each in shown],
        "by_role": {
            role: [f"{each.record}.{each.field}" for each in fields] for role, fields in report.by_role.items()
        },
        "limits": list(report.limits),
    }


def _field_json(each: FieldUse) -> dict[str, Any]:
    proposal = each.proposal
    return {
        "record": each.record, "field": each.field, "label": each.label, "custom": each.custom, "plugin": each.plugin,
        "verdict": each.verdict, "roles": list(each.roles),
        "demands": [attrs.asdict(demand) for demand in each.demands],
        "uses": [attrs.asdict(use) for use in each.uses], "imported": list(each.imported),
        "filling": None if each.filling is None else {**attrs.asdict(each.filling), "share": each.filling.share},
        "proposal": None if proposal is None else str(proposal), "lines": list(each.lines),
    }  # fmt: skip


def _print(application: Application, report: FieldReport, shown: tuple[FieldUse, ...], role: str | None) -> None:
    output, translator = application.output, application.translator
    role_name = _role_name(application)
    if not shown:
        output.say("Every field that people must fill is used ({count} were looked at).", count=len(report.fields))
    else:
        output.table(
            ("field", "demanded by", "of", "filled in", "different", "used by"),
            (
                (
                    f"{each.record}.{each.field}",
                    "\n".join(f"{translator.choice(demand.kind)}: {demand.where}" for demand in each.demands),
                    ", ".join(map(role_name, each.roles)), _share(each),
                    str(each.filling.distinct) if each.filling else "",
                    _users(each, translator.text("nobody")) if not each.uses else _users(each, ""),
                )
                for each in shown
            ),
        )  # fmt: skip
    for each in shown:
        if each.proposal is not None:
            output.line(f"  - {translator.error(each.proposal)}")
            for line in each.lines:
                output.line(f"      {_said(line, translator)}")
    roles = {name: found for name, found in report.by_role.items() if found and role in (None, name)}
    if roles:
        output.table(
            ("role", "must fill although nothing uses it"),
            (
                (role_name(name), ", ".join(f"{each.record}.{each.field}" for each in found))
                for name, found in roles.items()
            ),
            title="By role",
        )
    for limit in report.limits:
        output.note(limit)


def _role_name(application: Application) -> Callable[[str], str]:
    labels = application.crm.build.policy.vocabularies.get("role", {})
    return lambda name: application.translator.word(name, labels.get(name))


def _said(line: str, translator: Translator) -> str:
    """A line for the build file; what is to be removed is a remark in the reader's language."""
    where, remove, what = line.removeprefix("# ").rpartition("remove ")
    if not line.startswith("# ") or not remove:
        return line
    if where:
        return translator.format("# {where}: remove {what}", where=where.rstrip(": "), what=what)
    return translator.format("# remove {what}", what=what)


def _share(each: FieldUse) -> str:
    share = None if each.filling is None else each.filling.share
    return "" if share is None else f"{share:.0%}"


def _users(each: FieldUse, nobody: str) -> str:
    """The first few uses; those of which only the name is known with a question mark."""
    shown = [f"{use.by}: {use.where}" + ("" if use.certain else " ?") for use in each.uses[:_SHOWN]]
    more = len(each.uses) - _SHOWN
    return "\n".join([*shown, *([f"+ {more}"] if more > 0 else [])]) or nobody

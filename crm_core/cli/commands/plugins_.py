"""``crm plugins``: the plugins of the build. Each subcommand has a module of its own, imported when it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import group
from crm_core.cli.lazy import lazy
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.assembly import AssemblyReport
    from crm_core.cli.output import Output

__all__ = ["SUBCOMMANDS", "command", "print_report"]

SUBCOMMANDS: Mapping[str, str] = {
    "footprint": "Show what a plugin has: tables, rows, rules, jobs, history, and who depends on it.",
    "disable": "Switch a plugin off; its data are kept.",
    "enable": "Switch a plugin on again.",
    "remove": "Remove a plugin with all that it has; everything is exported first.",
    "restore": "Bring back a plugin that was removed.",
}
"""The subcommands, each with its line of help."""

_HOW_LABELS = {
    "disabled": "by the build file ([crm] disabled)",
    "without": "for this run (--without, --no-plugins)",
    "requires": "for this run, as it requires {because}",
}


@group("plugins", cls=lazy(SUBCOMMANDS), invoke_without_command=True)
@as_json
@click.pass_context
def command_plugins(ctx: click.Context, as_json: bool) -> None:
    """Show what assembly decided, or look after one plugin.

    Without a subcommand: what was loaded from which distribution, who is called when, who may veto, and what was left
    out and why. The database is not touched.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(_report, as_json=as_json)


@pass_application
def _report(application: Application, as_json: bool) -> None:
    build = application.assemble()
    if as_json:
        application.output.json(build.report.as_json())
        return
    application.translator = application.translator.also(
        (plugin.name, plugin.locale) for plugin in build.plugins if plugin.locale is not None
    )
    application.forget_output()
    print_report(application.output, build.report)


command = command_plugins


def print_report(output: Output, report: AssemblyReport, *, short: bool = False) -> None:
    """The assembly report; ``short`` leaves out the hooks."""
    translator = output.translator
    output.say("{name}: contract {contract}, {mode}.", name=report.name, contract=report.contract,
               mode=translator.text("strict" if report.strict else "tolerant"))  # fmt: skip
    output.table(
        ("plugin", "version", "label", "from", "requires", "records"),
        (
            (
                entry.name,
                entry.version,
                translator.text(entry.label, entry.name),
                entry.origin if entry.distribution else translator.text("the application"),
                ", ".join(sorted(entry.requires)),
                str(len(entry.records)) if short else ", ".join(entry.records),
            )
            for entry in report.loaded
        ),
        title="Plugins, in load order",
    )
    if report.hooks and not short:
        output.table(
            ("hook", "plugins", "may veto"),
            (
                (hook, ", ".join(plugins), translator.text("yes") if hook in report.vetoers else "")
                for hook, plugins in report.hooks.items()
            ),
            title="Hooks, in call order",
        )
    if report.drivers:
        output.table(("kind", "driver"), sorted(report.drivers.items()), title="Drivers")
    if report.left_out:
        output.table(
            ("plugin", "why"),
            ((left.plugin, "\n".join(translator.error(each) for each in left.reasons)) for left in report.left_out),
            title="Left out",
        )
    if report.off:
        output.table(
            ("plugin", "why"), ((each.plugin, translator.format(_HOW_LABELS[each.how], because=each.because or ""))
                                for each in report.off), title="Switched off",
        )  # fmt: skip
    if report.warnings:
        output.table(("what",), ((translator.error(each),) for each in report.warnings), title="Warnings")

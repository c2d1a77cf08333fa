"""``python -m torture``: one program of this package, or all of them."""

from __future__ import annotations

import sys

import click

from torture.programs import APART, PROGRAMS, Programs
from torture.reporting import seed_option

__all__ = ["main"]


@click.group(cls=Programs)
def main() -> None:
    """Do the worst to a CRM, and count what was lost, doubled, leaked or left half done."""


@main.command("all")
@seed_option
@click.option("--markdown", is_flag=True, help="Write the tables into docs/explanation/reliability.md.")
@click.pass_context
def run_all(ctx: click.Context, seed: int | None, markdown: bool) -> None:
    """Run every program at its full size, but for mutation, which has a target of its own in the Makefile."""
    found = []
    for name in PROGRAMS:
        if name in APART:
            continue
        click.echo(f"== {name}", err=True)
        arguments = ["--markdown"] if markdown else []
        arguments += [] if seed is None else ["--seed", str(seed)]
        program = main.get_command(ctx, name)
        assert program is not None
        # Each program ends the process in its own way; the next one must run nevertheless.
        try:
            program.main(arguments, prog_name=f"torture {name}", standalone_mode=True)
        except SystemExit as ended:
            if ended.code:
                found.append(name)
    if found:
        click.echo(f"Something was found by: {', '.join(found)}.", err=True)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

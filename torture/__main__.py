"""``python -m torture``: one program of this package, or all of them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from torture.programs import APART, PROGRAMS, Programs
from torture.reporting import FAILED, FOUND, INTERRUPTED, seed_option

__all__ = ["main"]


@click.group(cls=Programs)
def main() -> None:
    """Do the worst to a CRM, and count what was lost, doubled, leaked or left half done."""


@main.command("all")
@seed_option
@click.option(
    "--json",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write what each program found into this folder, as PROGRAM.json.",
)
@click.option("--markdown", is_flag=True, help="Write the tables into docs/explanation/reliability.md.")
@click.pass_context
def run_all(ctx: click.Context, seed: int | None, folder: Path | None, markdown: bool) -> None:
    """Run every program at its full size, but for mutation, which has a target of its own in the Makefile."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    ended: dict[str, int] = {}
    for name in PROGRAMS:
        if name in APART:
            continue
        click.echo(f"== {name}", err=True)
        arguments = ["--markdown"] if markdown else []
        arguments += [] if folder is None else ["--json", str(folder / f"{name}.json")]
        arguments += [] if seed is None else ["--seed", str(seed)]
        program = main.get_command(ctx, name)
        assert program is not None
        # Each program ends the process; the next one must run nevertheless, unless nobody wants to wait for it.
        try:
            program.main(arguments, prog_name=f"torture {name}", standalone_mode=True)
        except SystemExit as end:
            ended[name] = int(end.code or 0)
        if ended.get(name) == INTERRUPTED:
            sys.exit(INTERRUPTED)
    for code, what in ((FOUND, "Something was found by"), (FAILED, "Could not go on")):
        if names := [name for name, each in ended.items() if each == code]:
            click.echo(f"{what}: {', '.join(names)}.", err=True)
    sys.exit(max(ended.values(), default=0))


if __name__ == "__main__":
    main()

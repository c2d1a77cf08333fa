"""``python -m torture mutation``: change the kernel in small ways, and see whether its tests notice."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import click

from torture.databases import scratch
from torture.machine import machine
from torture.mutation.areas import chosen
from torture.mutation.changes import Survivor, known, outcome, survivor_of
from torture.mutation.ground import Ground, alone
from torture.reporting import Report, Table, reporting, telling

__all__ = ["command"]

_SAMPLE = 40
_AGAIN = ("not tried", "survived", "not reached", "timed out")
_COLUMNS = ("area", "module", "changes", "tried", "noticed", "of these by time", "left, with reason", "left")


@click.command("mutation")
@click.option("--only", multiple=True, metavar="AREA|PATH", help="An area, a module or a pattern of paths; repeatable.")
@click.option("--sample", default=_SAMPLE, show_default=True, help="Try so many changes of each module; 0 tries all.")
@click.option("--processes", default=1, show_default=True, help="Run so many changes at once.")
@click.option(
    "--work", type=click.Path(path_type=Path, file_okay=False),
    help="Keep what was found in this folder; another run with it tries only what was not noticed.",
)  # fmt: skip
@reporting
def command(
    only: tuple[str, ...],
    sample: int,
    processes: int,
    work: Path | None,
    seed: int | None,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    """Change the code that decides about sight, ownership and history in small ways; tests must notice each change.

    What is found is a change that no test notices, and for which torture/mutation/survivors.toml gives no reason.
    """
    if find_spec("mutmut") is None:
        raise click.ClickException("mutmut is not installed. Run `make mutation`, which installs it.")
    areas = chosen(only)
    if not areas:
        raise click.ClickException(f"No module that is tried is named {', '.join(only)}.")
    seed = random.randrange(10**6) if seed is None else seed
    report = Report("mutation", seed, facts=machine("mutmut"))
    report.tables += [Table("Changes", _COLUMNS), Table("Left, with reason", ("module", "function", "changes", "why"))]
    reasons: Counter[tuple[str, str, str]] = Counter()
    kept: list[int] = []
    most = f"at most {sample} of each module, drawn by the seed" if sample else "all"
    report.remarks.append(f"Tried are {most}. Functions with decorators and texts of errors are not changed.")
    report.going_on = f"What was noticed is kept; `{report.repeated_by}` tries the rest."
    if work is None:
        report.going_on = "A run with --work FOLDER would keep what was noticed, and the next one would try the rest."
    with (
        nullcontext(work) if work is not None else scratch() as folder,
        alone(folder),
        telling(report, json_file, markdown, lambda: _sum_up(report, reasons, sum(kept))),
    ):
        for area, files in areas:
            ground = Ground(folder.resolve() / area.name, area, files)
            _try(ground, sample, processes, seed, report, reasons, kept)


def _try(
    ground: Ground, sample: int, processes: int, seed: int, report: Report, reasons: Counter[tuple[str, str, str]],
    kept: list[int],
) -> None:  # fmt: skip
    """One area: draw its changes, run the tests, and note what became of each; and how many were noticed before."""
    ground.prepare()
    drawn: dict[str, list[str]] = {}
    for file in ground.files:
        names = [*ground.results(file)]
        # Each module has a draw of its own, so that --only repeats it.
        drawn[file] = random.Random(f"{seed} {file}").sample(names, min(sample or len(names), len(names)))
    again = [name for file, names in drawn.items() for name in names
             if outcome(ground.results(file)[name]) in _AGAIN]  # fmt: skip
    kept.append(sum(map(len, drawn.values())) - len(again))
    click.echo(f"{ground.area.name}: {len(again)} changes", err=True)
    whole = False
    try:
        ground.run(again, processes)
        whole = True
    finally:
        for file, names in drawn.items():
            results = ground.results(file)
            # What a run that was cut short did not come to says nothing of the tests.
            come_to = [name for name in names if whole or outcome(results[name]) != "not tried"]
            _note(ground, file, come_to, report, reasons)


def _note(ground: Ground, file: str, names: list[str], report: Report, reasons: Counter[tuple[str, str, str]]) -> None:
    results = ground.results(file)
    outcomes = Counter(outcome(results[name]) for name in names)
    left: list[Survivor] = []
    explained = 0
    for name in names:
        if outcome(results[name]) in ("killed", "timed out"):
            continue
        survivor = survivor_of(ground.mutants, file, name)
        why = next((each for each in known() if each.covers(survivor)), None)
        if why is None:
            left.append(survivor)
        else:
            explained += 1
            reasons[survivor.module, survivor.function, why.reason] += 1
    noticed = outcomes["killed"] + outcomes["timed out"]
    report.tables[0].rows.append(
        (ground.area.name, file, len(results), len(names), noticed, outcomes["timed out"], explained, len(left))
    )
    report.findings += [f"{outcome(results[f'{each.module}.{each.name}'])}: {each}" for each in left]


def _sum_up(report: Report, reasons: Counter[tuple[str, str, str]], kept: int) -> None:
    """What was left with reason, a last row with the whole, and what was not tried again."""
    changes, left = report.tables
    left.rows.extend((module, function, count, why) for (module, function, why), count in sorted(reasons.items()))
    numbers = [sum(int(row[column]) for row in changes.rows) for column in range(2, len(changes.columns))]
    changes.rows.append(("all", "", *numbers))
    if kept:
        report.remarks.append(f"{kept:,} of them were noticed in earlier runs, which took time of their own.")
    report.measured = numbers[_COLUMNS.index("tried") - 2]

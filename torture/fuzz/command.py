"""``python -m torture fuzz``."""

from __future__ import annotations

import base64
import binascii
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import attrs
import click

from torture.databases import DATABASES, chosen, serving
from torture.fuzz.minimising import minimised
from torture.fuzz.target import Verdict
from torture.fuzz.targets import TARGETS, target
from torture.fuzz.watching import Judge, Searched, search_for
from torture.fuzz.worker import Answer, Server
from torture.reporting import Report, Table, reporting, telling

__all__ = ["command", "report_of"]

_MINIMISING = 60.0
"""Seconds for one finding."""
_SHOWN = 1500
_SAID = 20.0
_GROWING = 4 << 20
"""Bytes that a worker may grow by in a thousand inputs, once it has warmed up."""
_LEAST = 2000


@click.command("fuzz")
@click.option("--target", "targets", multiple=True, type=click.Choice([*TARGETS]), help="Only these; repeatable.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--minutes", default=10.0, show_default=True, help="So long for each target, on all databases together.")
@click.option("--repeat", metavar="BASE64", help="Try one input on one --target, and say what becomes of it.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the inputs that show something into this folder.")  # fmt: skip
@reporting
def command(
    targets: Sequence[str],
    database: str,
    minutes: float,
    repeat: str | None,
    keep: Path | None,
    seed: int | None,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    """Make inputs up, mutate them, and give them to whatever reads what people bring.

    A refusal must be one of ours that says what is wrong; nothing may hang, grow, or be lost on the way.
    """
    wanted = [*dict.fromkeys(targets)] or [*TARGETS]
    if repeat is not None:
        _repeat(wanted, chosen(database), repeat)
    seed = random.randrange(1 << 30) if seed is None else seed
    report = Report("fuzz", seed)
    results: list[Searched] = []
    with telling(report, json_file, markdown, lambda: report_of(report, results, keep)):
        for number, kind in enumerate(chosen(database)):
            with _in_memory() as folder, serving(kind, report.remarks) as (there, server):
                # What comes to no database is read once.
                for name in [name for name in wanted if there and (target(name).stores or not number)]:
                    share = len(chosen(database)) if target(name).stores else 1
                    results.append(Searched(name, DATABASES[kind]))
                    _search(results[-1], folder / name, seed, minutes * 60 / share, server)


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A folder for small files, in memory where the system has such a place: whoever waits for a disk tries little."""
    place = Path("/dev/shm")  # folders in it get names of their own  # nosec B108
    with tempfile.TemporaryDirectory(
        prefix="crm-fuzz-", dir=place if os.access(place, os.W_OK) else None, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _search(found: Searched, folder: Path, seed: int, seconds: float, server: Server) -> None:
    """Search on one target, and make what is found as short as it can be."""
    said = 0.0

    def tell_of(found: Searched) -> None:
        nonlocal said
        shown = sys.stderr.isatty()
        if time.monotonic() - said > (0 if shown else _SAID):
            said = time.monotonic()
            click.echo(
                f"\r{found.target}, {found.database}: {found.inputs:,} inputs, {len(found.found)} found ",
                nl=not shown,
                err=True,
            )

    make = target(found.target)
    search_for(seconds, found, make, folder, str(seed), tell_of, server)
    with Judge(make, folder / "judged", server) as judge:
        for key, answer in found.found.items():
            click.echo(f"{found.target}: making an input shorter: {answer.verdict.mark}", err=True)
            found.found[key] = _shortest(answer, judge)


def _shortest(answer: Answer, judge: Judge) -> Answer:
    again = judge.verdict(answer.data)
    if (again.kind, again.mark) != (answer.verdict.kind, answer.verdict.mark):
        return attrs.evolve(answer, note=" It was not seen again with this input alone.")
    data = minimised(answer.data, answer.verdict, judge.verdict, _MINIMISING)
    return Answer(data, judge.verdict(data))


def report_of(report: Report, results: Sequence[Searched], keep: Path | None) -> None:
    """The table, and a finding for each input that shows something and for each process that grew."""
    columns = ("target", "database", "inputs", "taken", "refused", "answers", "tracebacks", "hangs", "memory", "lost",
               "slowest, s", "MB per 1,000 inputs")  # fmt: skip
    table = Table("Fuzz", columns)
    report.measured = sum(each.inputs for each in results)
    for each in results:
        report.findings += [_finding(each, answer, keep) for answer in each.found.values()]
        counts = each.counts
        grows = _growth(each.growth)
        table.rows.append((
            each.target, each.database, each.inputs, counts["accepted"], counts["refused"], each.answers,
            *(len({mark for kind, mark in each.found if kind in kinds})
              for kinds in (("traceback", "died"), ("hang",), ("memory",), ("lost",))),
            each.slowest, grows / (1 << 20),
        ))  # fmt: skip
        if grows > _GROWING:
            who = f"{each.target}, {each.database}"
            report.findings.append(f"{who}: the process grows by {grows / (1 << 20):.1f} MB in 1,000 inputs")
    report.tables.append(table)


def _growth(samples: Sequence[tuple[int, int]]) -> float:
    """Bytes in a thousand inputs, over the second half of what the process that lived longest has tried.

    A single step is no growth: the smallest of three rises counts.
    """
    last = samples[-1][0] if samples else 0
    late = [each for each in samples if each[0] > last / 2]
    size = len(late) // 4
    if last < _LEAST or size < 2:
        return 0.0
    parts = [late[start : start + size] for start in range(0, 4 * size, size)]
    means: list[list[float]] = [[sum(column) / size for column in zip(*part, strict=True)] for part in parts]
    return max(0.0, min((two[1] - one[1]) / (two[0] - one[0]) for one, two in pairwise(means)) * 1000)


def _finding(result: Searched, answer: Answer, keep: Path | None) -> str:
    """In a few lines: what became of an input, and how to try it again."""
    name, data, verdict = result.target, answer.data, answer.verdict
    coded = base64.b64encode(data).decode()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        path = keep / f"{name}-{binascii.crc32(data):08x}"
        path.write_bytes(data)
        how = f"--repeat @{path}"
    else:
        how = f"--repeat {coded}" if len(coded) <= _SHOWN else "and --keep FOLDER, for it is long"
    return (
        f"{name}, {result.database}, {verdict.kind}: {_short(verdict)}{answer.note}\n  input: {data[:300]!r}\n"
        f"  again: python -m torture fuzz --target {name} --database {result.database.lower()} {how}"
    )


def _short(verdict: Verdict) -> str:
    return (verdict.detail or verdict.mark)[:_SHOWN]


def _repeat(wanted: Sequence[str], kinds: Sequence[str], given: str) -> None:
    if len(wanted) != 1:
        raise click.UsageError("Name the one --target that the input is for.")
    try:
        data = Path(given[1:]).read_bytes() if given.startswith("@") else base64.b64decode(given, validate=True)
    except (OSError, binascii.Error) as error:
        raise click.UsageError(f"The input cannot be read: {error}.") from None
    make, wrong = target(wanted[0]), False
    for kind in kinds if make.stores else kinds[:1]:
        remarks: list[str] = []
        with _in_memory() as folder, serving(kind, remarks) as (there, server):
            if there:
                with Judge(make, folder / "judged", server) as judge:
                    verdict = judge.verdict(data)
                wrong = wrong or verdict.wrong
                remarks.append(f"{DATABASES[kind]}, {verdict.kind}: {verdict.detail or verdict.mark}")
        click.echo("\n".join(remarks))
    sys.exit(wrong)

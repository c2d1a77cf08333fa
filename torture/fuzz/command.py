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
from pathlib import Path

import click

from torture.fuzz.minimising import minimised
from torture.fuzz.target import Verdict
from torture.fuzz.targets import TARGETS, target
from torture.fuzz.watching import Judge, Searched, searched
from torture.fuzz.worker import Answer
from torture.reporting import Report, Table, reporting, tell

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
@click.option("--minutes", default=10.0, show_default=True, help="So long for each target.")
@click.option("--repeat", metavar="BASE64", help="Try one input on one --target, and say what becomes of it.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the inputs that show something into this folder.")  # fmt: skip
@reporting
def command(
    targets: Sequence[str],
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
    chosen = [*dict.fromkeys(targets)] or [*TARGETS]
    if repeat is not None:
        _repeat(chosen, repeat)
    seed = random.randrange(1 << 30) if seed is None else seed
    report = Report("fuzz", seed)
    with _in_memory() as folder:
        results = [_searched(name, folder / name, seed, minutes * 60) for name in chosen]
        report_of(report, results)
        for each in results:
            report.findings += _findings(each, folder / f"{each.target}-judged", keep)
    tell(report, json_file, markdown)


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A folder for small files, in memory where the system has such a place: whoever waits for a disk tries little."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="crm-fuzz-", dir=place if os.access(place, os.W_OK) else None, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _searched(name: str, folder: Path, seed: int, seconds: float) -> Searched:
    said = 0.0

    def tell_of(found: Searched) -> None:
        nonlocal said
        shown = sys.stderr.isatty()
        if time.monotonic() - said > (0 if shown else _SAID):
            said = time.monotonic()
            click.echo(f"\r{name}: {found.inputs:,} inputs, {len(found.found)} found ", nl=not shown, err=True)

    return searched(target(name), folder, str(seed), seconds, tell_of)


def report_of(report: Report, results: Sequence[Searched]) -> None:
    """The table, and a finding for each process that grew."""
    columns = ("target", "inputs", "taken", "refused", "answers", "tracebacks", "hangs", "memory", "lost", "slowest, s",
               "MB per 1,000 inputs")  # fmt: skip
    table = Table("Fuzz", columns)
    for each in results:
        counts = each.counts
        grows = _growth(each.growth)
        table.rows.append((
            each.target, each.inputs, counts["accepted"], counts["refused"], each.answers,
            *(len({mark for kind, mark in each.found if kind in kinds})
              for kinds in (("traceback", "died"), ("hang",), ("memory",), ("lost",))),
            each.slowest, grows / (1 << 20),
        ))  # fmt: skip
        if grows > _GROWING:
            report.findings.append(f"{each.target}: the process grows by {grows / (1 << 20):.1f} MB in 1,000 inputs")
    report.tables.append(table)


def _growth(samples: Sequence[tuple[int, int]]) -> float:
    """Bytes in a thousand inputs, over the second half of what the process that lived longest has tried."""
    last = samples[-1][0] if samples else 0
    late = [each for each in samples if each[0] > last / 2]
    if last < _LEAST or len(late) < 4:
        return 0.0
    middle = len(late) // 2
    first, second = late[:middle], late[middle:]
    rise = sum(size for _, size in second) / len(second) - sum(size for _, size in first) / len(first)
    inputs = sum(number for number, _ in second) / len(second) - sum(number for number, _ in first) / len(first)
    return rise / inputs * 1000


def _findings(result: Searched, folder: Path, keep: Path | None) -> list[str]:
    """Each in a few lines: what became of it, the shortest input that shows it, and how to try that again."""
    lines = []
    with Judge(target(result.target), folder) as judge:
        for answer in result.found.values():
            click.echo(f"{result.target}: making an input shorter: {answer.verdict.mark}", err=True)
            lines.append(_finding(result.target, answer, judge, keep))
    return lines


def _finding(name: str, answer: Answer, judge: Judge, keep: Path | None) -> str:
    data, verdict = answer.data, answer.verdict
    again = judge.verdict(data)
    if (again.kind, again.mark) == (verdict.kind, verdict.mark):
        data = minimised(data, verdict, judge.verdict, _MINIMISING)
        verdict = judge.verdict(data)
        note = ""
    else:
        note = " It was not seen again with this input alone."
    coded = base64.b64encode(data).decode()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        path = keep / f"{name}-{binascii.crc32(data):08x}"
        path.write_bytes(data)
        how = f"--repeat @{path}"
    else:
        how = f"--repeat {coded}" if len(coded) <= _SHOWN else "and --keep FOLDER, for it is long"
    return (
        f"{name}, {verdict.kind}: {_short(verdict)}{note}\n  input: {data[:300]!r}\n"
        f"  again: python -m torture fuzz --target {name} {how}"
    )


def _short(verdict: Verdict) -> str:
    return (verdict.detail or verdict.mark)[:_SHOWN]


def _repeat(chosen: Sequence[str], given: str) -> None:
    if len(chosen) != 1:
        raise click.UsageError("Name the one --target that the input is for.")
    try:
        data = Path(given[1:]).read_bytes() if given.startswith("@") else base64.b64decode(given, validate=True)
    except (OSError, binascii.Error) as error:
        raise click.UsageError(f"The input cannot be read: {error}.") from None
    with _in_memory() as folder, Judge(target(chosen[0]), folder / "judged") as judge:
        verdict = judge.verdict(data)
    click.echo(f"{verdict.kind}: {verdict.detail or verdict.mark}")
    sys.exit(verdict.wrong)

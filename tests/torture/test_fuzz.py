"""The fuzzer finds what is planted, in what reads and in what is read, makes it short, and says how to repeat it."""

from __future__ import annotations

import base64
import itertools
import os
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm_core.errors import ExchangeError
from crm_core.exchange import sources
from crm_core.testing.postgresql import PostgreSQLServer
from torture.fuzz import command, targets, watching
from torture.fuzz.minimising import minimised
from torture.fuzz.mutating import mutated
from torture.fuzz.scene import CASE
from torture.fuzz.target import Loss, Refused, Target, Verdict, judged
from torture.fuzz.watching import Judge, Searched, search_for


class Reader(Target):
    """Reads lines, and does what they say; ``good`` is what it is asked most of the time."""

    name = "planted"
    words = (b"good", b"\n")

    def make(self, chance: random.Random) -> bytes:
        faults = (b"key", b"hang", b"lose", b"eat", b"die", b"refuse")
        return b"\n".join(chance.choices((b"good", *faults), (300, 1, 1, 1, 1, 1, 5), k=6))

    def attempt(self, data: bytes) -> str:
        for line in data.split(b"\n"):
            match line:
                case b"key":
                    _crm_reads(line)
                case b"hang":
                    while True:
                        pass
                case b"lose":
                    raise Loss("a line was lost", repr(data))
                case b"eat":
                    _ = b"x" * (300 << 20)
                case b"die":
                    os._exit(3)
                case b"refuse":
                    raise ExchangeError("This is no {what}.", what="line")
        return "read"


def _crm_reads(line: bytes) -> None:
    {}[line]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HANG", 0.4)


@pytest.mark.usefixtures("impatient")
def test_each_kind_of_fault_is_found_by_a_search_that_goes_on(tmp_path: Path) -> None:
    wanted = {"traceback", "hang", "lost", "memory", "died"}
    kinds: set[str] = set()
    for seed in itertools.count():
        found = Searched(Reader.name)
        search_for(3, found, Reader, tmp_path / str(seed), str(seed))
        kinds |= {kind for kind, _ in found.found}
        assert found.counts["accepted"] > 10 and found.workers > 1
        if kinds >= wanted:
            break
        assert seed < 12, kinds
    assert found.counts["refused"] > 0 and not kinds & {"accepted", "refused"}


def test_who_cannot_begin_says_why(tmp_path: Path) -> None:
    class Broken(Reader):
        def __init__(self, folder: Path, server: None = None) -> None:
            raise OSError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        search_for(5, Searched(Broken.name), Broken, tmp_path, "1")


@pytest.mark.parametrize(
    ("word", "kind", "mark"),
    [("key", "traceback", "KeyError in "), ("hang", "hang", "longer than"), ("lose", "lost", "a line was lost"),
     ("die", "died", "ended with 3"), ("eat", "memory", "one input needs much memory")],
)  # fmt: skip
def test_a_finding_is_made_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, kind: str, mark: str
) -> None:
    if word == "hang":  # else a busy machine would take for one what only needs much
        monkeypatch.setattr(watching, "HANG", 0.4)
    data = b"good\n" * 3 + word.encode() + b"\ngood"
    with Judge(Reader, tmp_path) as judge:
        verdict = judge.verdict(data)
        assert (verdict.kind, verdict.mark.startswith(mark)) == (kind, True)
        assert minimised(data, verdict, judge.verdict, 60) == word.encode()
        assert judge.verdict(b"good") == Verdict("accepted", "read")
        assert judge.verdict(b"refuse").kind == "refused"


def test_a_refusal_that_cannot_say_what_is_wrong_is_found(tmp_path: Path) -> None:
    class Mute(Reader):
        def attempt(self, data: bytes) -> str:
            raise ExchangeError("This is no {what}." if data else "")

    assert [judged(Mute(tmp_path), each).kind for each in (b"x", b"")] == ["traceback", "traceback"]


def test_a_process_that_grows_is_found() -> None:
    steady = [(number * 100, 100 << 20) for number in range(50)]
    growing = [(number, size + number * 10_000) for number, size in steady]
    assert command._growth(steady) == 0
    assert command._growth(growing) == pytest.approx(10_000_000, rel=0.01)
    stepping = [(number, size + (number > 3500) * (50 << 20)) for number, size in steady]
    assert command._growth(stepping) == 0
    assert command._growth(growing[:4]) == 0  # too early to tell


def run(*options: str) -> tuple[int, str]:
    ended = CliRunner().invoke(command.command, ["--database", "sqlite", *options], catch_exceptions=False)
    return ended.exit_code, " ".join(ended.output.split())


def test_a_row_that_is_lost_in_the_kernel_is_found_and_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = sources.SourceRows._csv

    def planted(self, header):
        return (row for row in plain(self, header) if "NULL" not in row[1])

    monkeypatch.setattr(sources.SourceRows, "_csv", planted)
    monkeypatch.setattr(command, "_MINIMISING", 5.0)
    for minutes in ("0.04", "0.1", "0.4"):  # a busy machine needs longer
        code, said = run("--target", "csv", "--minutes", minutes, "--seed", "3")
        if code:
            break
    assert code == 1 and "csv, SQLite, lost: rows of the file were not read" in said
    coded = said.partition("rows of the file were not read")[2].partition("--repeat ")[2].partition(" ")[0]
    assert len(base64.b64decode(coded)) < 20
    assert run("--target", "csv", "--repeat", coded)[0] == 1
    monkeypatch.undo()
    assert run("--target", "csv", "--repeat", coded)[0] == 0


def test_whoever_interrupts_it_is_told_what_was_found_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    class Losing(Reader):
        def make(self, chance: random.Random) -> bytes:
            return b"lose"

    monkeypatch.setattr(command, "target", lambda name: Losing)
    monkeypatch.setattr(command, "minimised", interrupted)
    code, said = run("--target", "csv", "--minutes", "0.03", "--seed", "3")
    assert code == 130 and "FOUND: csv, SQLite, lost: a line was lost" in said
    assert "It begins again by `python -m torture fuzz --target csv" in said


@pytest.mark.parametrize("name", targets.TARGETS)
def test_valid_inputs_are_taken_and_what_is_made_up_follows_from_the_seed(tmp_path: Path, name: str) -> None:
    found = targets.target(name)(tmp_path)
    verdicts = [judged(found, each) for each in found.seeds()]
    assert verdicts and {each.kind for each in verdicts} == {"accepted"}, verdicts
    one, other = ([found.make(chance) for _ in range(5)] for chance in (random.Random(7), random.Random(7)))
    assert one == other and len(set(one)) > 1


@pytest.mark.parametrize("name", [each for each in targets.TARGETS if targets.target(each).stores])
def test_valid_inputs_are_taken_on_a_server(tmp_path: Path, postgresql_server: PostgreSQLServer, name: str) -> None:
    found = targets.target(name)(tmp_path, postgresql_server)
    for _ in range(2):
        verdicts = [judged(found, each) for each in found.seeds()]
        assert verdicts and {each.kind for each in verdicts} == {"accepted"}, verdicts


@pytest.mark.parametrize("data", [b"<a>", b"", b"&e;", b"<!DOCTYPE a><a/>"])
def test_a_document_that_is_refused_counts_as_refused(tmp_path: Path, data: bytes) -> None:
    verdict = judged(targets.target("xml")(tmp_path), data)
    assert verdict.kind == "refused" and verdict.detail.strip(), verdict


def test_so_does_a_table_that_says_of_itself_what_cannot_be(tmp_path: Path) -> None:
    assert judged(targets.target("csv")(tmp_path), CASE + b"{}").kind == "refused"


def test_a_refusal_without_a_word_is_found(tmp_path: Path) -> None:
    class Mute(Reader):
        def attempt(self, data: bytes) -> str:
            raise Refused(data.decode())

    assert [judged(Mute(tmp_path), each).kind for each in (b"x", b" ")] == ["refused", "traceback"]


def test_mutations_end_and_stay_within_bounds() -> None:
    chance = random.Random(1)
    data = b"BEGIN:X\r\nA:1\r\nEND:X\r\n"
    seen = {mutated(chance, data, (b"A",), (b"B",), 500) for _ in range(2000)}
    assert len(seen) > 1000 and max(map(len, seen)) <= 500

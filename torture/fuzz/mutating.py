"""Inputs changed at random: bits, bytes, pieces, lines; put in, taken out, doubled, swapped, repeated."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

__all__ = ["mutated"]

_ODD = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\x1a", b"\x85", b"\xa0", b'"',
    b"'", b"\\", b"\\n", b"=", b":", b";", b",", b"\t", b" ", b"{", b"}", b"{}", b"[", b"]", b"(", b")", b"%", b"&",
    b"#", b"-1", b"0", b"1e999", b"9" * 40, b"99999999999999999999", b"NaN", b"inf", b"null", b"None", b"true",
    "\u2028".encode(), "\u0130".encode(), "\u212a".encode(), "\U0001f600".encode(),
    "\ud83d".encode("utf-8", "surrogatepass"), "é".encode(), "é".encode("cp1252"), "e\u0301".encode(),
    "上海".encode("gb18030"), "上海".encode(), "\uffff".encode(), "\u202e".encode(), "１２".encode(),
    "\u0660\u0661".encode(), "²".encode(), "\u3000".encode(), "\ufeff".encode(), b"0001-01-01", b"9999-12-31",
    b"2024-02-30", b"T24:00:00", b"-0", b"+", b"../../", b"__class__", b"%s", b"{0}",
)  # fmt: skip
_MOST_COPIES = 2000

Change = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutated(chance: random.Random, data: bytes, words: Sequence[bytes], others: Sequence[bytes], most: int) -> bytes:
    """The input after one to four changes, or after one that it shares with another input."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        if others and chance.random() < 0.15:
            data = _spliced(chance, data, chance.choice(others))
        else:
            data = chance.choice(_CHANGES)(chance, data, words or _ODD)
    return data[:most]


def _place(chance: random.Random, data: bytes) -> tuple[int, int]:
    """A piece, mostly a short one."""
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((0, 1, 1, 2, 3, 8, 30, 200)))


def _odd_in(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    start, end = _place(chance, data)
    return data[:start] + chance.choice(_ODD) + data[start if chance.random() < 0.6 else end :]


def _word_in(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    start, end = _place(chance, data)
    return data[:start] + chance.choice(words) + data[start if chance.random() < 0.6 else end :]


def _out(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    start, end = _place(chance, data)
    return data[:start] + data[end:]


def _bit(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _again(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    start, end = _place(chance, data)
    copies = chance.choice((2, 2, 3, 10, 100, _MOST_COPIES if end - start < 40 else 20))
    return data[:start] + data[start:end] * copies + data[end:]


def _moved(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    start, end = _place(chance, data)
    rest = data[:start] + data[end:]
    at = chance.randrange(len(rest) + 1)
    return rest[:at] + data[start:end] + rest[at:]


def _line(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return data
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            ends = (b"\n", b"\r\n", b"\r", b"\x0b", b"", b"\n\n", b"\n ", b"=\n")
            lines[one] = lines[one].rstrip(b"\r\n") + chance.choice(ends)
    return b"".join(lines)


def _spliced(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


_CHANGES: tuple[Change, ...] = (_odd_in, _odd_in, _word_in, _word_in, _out, _out, _bit, _again, _moved, _line, _line)

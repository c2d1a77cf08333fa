"""In which encoding a file is written: strict UTF-8 first, then the Chinese ones, then what the letters suggest."""

from __future__ import annotations

import codecs
from pathlib import Path

__all__ = ["detect", "known_encoding"]

_BLOCK = 1 << 20
_SAMPLE = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What old systems of our users write; guessing among all of Python's encodings finds exotic ones in short files.
_OTHERS = (
    "cp850", "cp1252", "cp437", "iso8859_15", "cp1250", "cp852", "cp1251", "cp866", "cp1253", "cp1254", "big5",
    "shift_jis", "euc_jp", "euc_kr",
)  # fmt: skip
# cp850 and cp1252 put letters where the other has signs: the one with the more plausible letters is right.
_LETTERS = frozenset("äöüßéèêëàâáãåçñóòôõúùûíìîïýæøœÄÖÜÉÈÀÂÁÃÅÇÑÓÔÕÚÍÆØ°²³’‘“”–€£§«»¿¡ªº")


def known_encoding(name: str) -> bool:
    """Whether Python can read the encoding."""
    try:
        "".encode(name)
    except LookupError:
        return False
    return True


def detect(path: Path) -> str:
    """The encoding of a text file; reads it once, in blocks."""
    with path.open("rb") as file:
        head = file.read(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if _decodes(path, "utf-8"):
        return "utf-8"
    sample = _telling_lines(path)
    if _looks_chinese(sample) and _decodes(path, "gb18030"):
        return "gb18030"
    return _detected(sample)


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _telling_lines(path: Path) -> bytes:
    """Lines with bytes beyond ASCII, as many as a guess needs."""
    sample = bytearray()
    with path.open("rb") as file:
        while len(sample) < _SAMPLE and (line := file.readline(_SAMPLE)):
            if not line.isascii():
                sample += line
    return bytes(sample)


def _looks_chinese(sample: bytes) -> bool:
    """Nearly every character beyond ASCII is one that GB 2312 has: bytes of other encodings give rare ones."""
    wide = [char for char in sample.decode("gb18030", "ignore") if not char.isascii()]
    common = sum(_in_gb2312(char) for char in wide)
    return bool(wide) and common >= 0.9 * len(wide)


def _in_gb2312(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _detected(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    western = {name: _plausible(sample, name) for name in ("cp850", "cp1252")}
    best = max(western, key=lambda name: western[name])
    if western[best] >= 0.9:
        return best
    found = from_bytes(sample, cp_isolation=list(_OTHERS)).best()
    return found.encoding if found is not None else best


def _plausible(sample: bytes, encoding: str) -> float:
    """The share of letters that western languages use among the characters beyond ASCII."""
    wide = [char for char in sample.decode(encoding, "replace") if not char.isascii()]
    return sum(char in _LETTERS for char in wide) / len(wide)

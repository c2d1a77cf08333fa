"""Texts in which writers and readers could part: of every script, with signs that mean something somewhere."""

from __future__ import annotations

import random

__all__ = ["ENCODINGS", "encoded", "text"]

_PIECES = (
    "Acme", "Bearings", "李", "伟", "上海", "轴承有限公司", "Müller", "Ünal", "İstanbul", "ẞ", "ﬁ", "Ａｃｍｅ", "𠀀",
    "😀", "👩‍👩‍👧", "e\u0301", "\u0301", "\u200b", "\u200f", "\ufeff", "\u00ad", "\u2028", "\x85", "\xa0", "\u3000",
    " ", "  ", "\t", "\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1f", "\x7f", '"', '""', "'", ",", ";", ":", "|",
    "\\", "\\n", "\\\\", "=", "=\n", "=3D", "^n", "^^", "%", "_", "#", "&amp;", "<", ">", "<![CDATA[", "]]>", "{", "}",
    "{{", "/", "//", "+", "-", "@", "=1+1", "'=1", "''", "0", "007", "1e5", "1,5", "NULL", "null", "N/A", "None",
    "true", "-0", "x" * 60, "长" * 80, "mailto:a@b.cn", "a@b.cn", "http://a.cn", "tel:+86-21", "+86 138", "BEGIN:VCARD",
    "END:VEVENT", "\U0010ffff", "\uffff",
)  # fmt: skip
ENCODINGS = (
    *["utf-8"] * 14, "utf-8-sig", "gb18030", "gb18030", "utf-16", "utf-16-le", "utf-32", "cp1252", "big5", "shift_jis",
    "gbk",
)  # fmt: skip


def text(chance: random.Random, most: int = 5) -> str:
    """One to ``most`` pieces."""
    return "".join(chance.choice(_PIECES) for _ in range(chance.randint(1, most)))


def encoded(chance: random.Random, content: str) -> bytes:
    """A file's content in some encoding, mostly one that can hold it, with line ends that need not agree."""
    match chance.randrange(6):
        case 0:
            content = content.replace("\n", "\r\n")
        case 1:
            content = content.replace("\n", "\r")
        case 2:
            content = "".join(chance.choice(("\n", "\r\n", "\r")) if each == "\n" else each for each in content)
    return content.encode(chance.choice(ENCODINGS), "replace")

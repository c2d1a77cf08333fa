"""No regular expression of ours takes for ever over a text that somebody made for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each beginning, then a piece many times over, then an end that does not fit. Every pattern is tried as a whole and
# from the beginning. A bad one takes years, so that the bound is generous.
PROGRAM = r"""
import importlib, pkgutil, re, sys

PACKAGES = ("crm_core", "crm_stakeholders", "crm_consumer_goods", "crm_industrial", "crm_project_sales",
            "crm_key_accounts")
PIECES = ("a", "A", "1", ".", " ", "\t", "\n", "-", "_", "/", "\\", '"', "'", "{", "}", "(", ")", "[", ";", ":", "=",
          "+", "@", "#", "\u6d77", "a.", "1,", " ;", '";"', ";a", "a ", "x1", "\r\n", "a_", "a:", '""', "E+", "a-1",
          "\u00b7", "# \n", "a=", '"a";', "0,000", "=#", "_x", "a/", ";;\"\"")
# Reads a plugin's own source, or is no part of what runs.
TRUSTED = ("migrations", "__main__", ".templates", ".testing", "migrating.revisions",
           "translation.extract", "authoring")
HEADS, TAILS = ("", "A;", '"'), ("", "!\x00")


def patterns():
    for package in PACKAGES:
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, package + "."):
            if any(part in found.name for part in TRUSTED):
                continue
            module = importlib.import_module(found.name)
            for name, value in list(vars(module).items()):
                inside = list(vars(value).values()) if isinstance(value, type) else [value]
                for each in inside:
                    for one in each if isinstance(each, (tuple, list)) else (each,):
                        if isinstance(one, re.Pattern):
                            yield module.__name__ + "." + name, one


def tried(where, pattern, length):
    for piece in PIECES:
        for head in HEADS:
            for tail in TAILS:
                text = head + piece * (length // len(piece)) + tail
                text = text.encode() if isinstance(pattern.pattern, bytes) else text
                pattern.fullmatch(text)
                pattern.match(text)


seen = {(each.pattern, each.flags): (where, each) for where, each in patterns()}
if sys.argv[1:]:
    seen = {"": ("planted", re.compile(sys.argv[1]))}
for where, each in seen.values():
    print(where, repr(each.pattern), flush=True)
    tried(where, each, 4_000)
print("all", len(seen), flush=True)
"""


def run(*arguments: str, patience: float) -> str:
    """What the program told; where it did not come to its end, the last line is the pattern that it is at."""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired as expired:
        return (expired.stdout or b"").decode()
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_one_that_does_is_found() -> None:
    assert run(r"(a+)+b", patience=20).splitlines()[-1].startswith("planted")


@pytest.mark.timeout(280)
def test_every_pattern_comes_to_an_end() -> None:
    last = run(patience=270).splitlines()[-1]
    assert last.startswith("all "), f"it does not come to an end over {last}"
    assert int(last.split()[1]) > 60

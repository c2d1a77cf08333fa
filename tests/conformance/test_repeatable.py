"""A seed means the same, whatever modules are loaded."""

from __future__ import annotations

import importlib
import subprocess
import sys

from hypothesis import strategies as st

from crm_core.testing.conformance.population import drawn

VALUES = st.text(max_size=40) | st.integers()
DRAW = """
from hypothesis import strategies as st
from crm_core.testing.conformance.population import drawn
print(ascii(drawn(st.text(max_size=40) | st.integers(), 300, seed=7)))
"""


def test_a_seed_means_the_same_after_other_sources_were_loaded(tmp_path, monkeypatch):
    first = drawn(VALUES, 300, seed=7)
    assert len(first) == 300
    lines = [f"text_{number} = 'text {number}'\n" for number in range(300)]
    (tmp_path / "full_of_texts.py").write_text("".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("full_of_texts")
    try:
        assert drawn(VALUES, 300, seed=7) == first
    finally:
        del sys.modules["full_of_texts"]


def test_a_seed_means_the_same_in_every_process():
    done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ascii(drawn(VALUES, 300, seed=7))

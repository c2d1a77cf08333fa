"""What the checks about leaving read from the folder of an export, and what they take for a difference."""

from __future__ import annotations

from crm_core.store.values import encode_values
from crm_core.testing.conformance.checks import leaving_removed
from crm_core.testing.conformance.leaving import differing


def test_a_text_may_hold_every_end_of_a_line_that_unicode_knows(tmp_path):
    rows = [{"id": 1, "name": "a\u2028b\x85c\x1cd\ne\rf"}, {"id": 2, "name": "g"}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(encode_values(row) + "\n" for row in rows), encoding="utf-8", newline="\n")
    assert leaving_removed._lines(file) == rows


def test_what_came_went_and_changed_differs():
    assert differing({"b": 1, "c": 2, "d": 3}, {"a": 0, "b": 1, "c": 3}) == ["a", "c", "d"]
    assert differing({("account", 2): {}}, {("account", 2): {}}) == []

"""Values that are made up from declarations: what they may not be."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from crm_core import fields as f
from crm_core.store.marks import ERASED
from crm_core.testing.strategies import values


def test_no_text_means_that_there_was_another(monkeypatch):
    """Hypothesis draws texts that stand in source files; an undo takes this one for what an erasure left."""
    monkeypatch.setattr(st, "text", lambda *args, **options: st.sampled_from([ERASED, "x"]))
    declared = f.text(19)  # a length of its own, since strategies are kept
    drawn = values(attrs.evolve(declared.metadata["crm_core.field"], name="it"))
    assert find(drawn, lambda value: value == "x", settings=settings(database=None)) == "x"
    with pytest.raises(NoSuchExample):
        find(drawn, lambda value: value == ERASED, settings=settings(database=None))

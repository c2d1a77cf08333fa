"""The checker that is generated for bulk work says what the class says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core.errors import CrmError, ValidationError
from crm_core.store.values import preparer
from crm_core.testing.strategies import records, values
from tests.store import journal_support as support

TYPES = support.all_types()
ODD = st.sampled_from(
    ["", "x" * 300, "a\x00", "\ud800", 5, -1, 1.5, True, None, b"x", [], {}, (), frozenset({"t"}), object()]
)


def by_class(record_type, row: dict[str, Any]) -> Any:
    try:
        record = record_type.cls(**row)
    except ValidationError as error:
        return error.field
    except TypeError:
        return "missing"
    return {field.name: getattr(record, field.name) for field in record_type.fields}


def by_row(record_type, dialect: str, row: dict[str, Any]) -> Any:
    try:
        found = preparer(record_type, dialect).values(row)
    except ValidationError as error:
        return "missing" if "A value is needed" in str(error) and error.field is None else error.field
    return found


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", sorted(TYPES))
@settings(max_examples=25)
@given(data=st.data())
def test_a_row_is_checked_as_an_object_is(name, dialect, data):
    record_type = TYPES[name]
    refs = {field.name: st.just(7) for field in record_type.refs}
    row = data.draw(records(record_type.cls, **refs))
    for field in data.draw(st.lists(st.sampled_from(record_type.fields), max_size=2)):
        row[field.name] = data.draw(ODD | values(field))
    if row and data.draw(st.booleans()):
        row.pop(data.draw(st.sampled_from(sorted(row))))
    one, other = by_class(record_type, row), by_row(record_type, dialect, row)
    if isinstance(one, dict):
        assert other == one
        assert {key: type(value) for key, value in other.items()} == {key: type(value) for key, value in one.items()}
    else:
        assert not isinstance(other, dict), f"the class refuses {one}"


@pytest.mark.parametrize("name", sorted(TYPES))
@given(data=st.data())
@settings(max_examples=10)
def test_driver_rows_have_a_value_for_every_column(name, data):
    record_type = TYPES[name]
    row = data.draw(records(record_type.cls, **{field.name: st.just(7) for field in record_type.refs}))
    for dialect in ("sqlite", "postgresql"):
        prepared = preparer(record_type, dialect)
        laid = prepared.driver_row(1, prepared.values(row), 1, "now", None)
        assert len(laid) == len(prepared.columns) == len(record_type.table.c)
        found = dict(zip(prepared.columns, laid, strict=True))
        assert (found["id"], found["version"], found["created_at"], found["updated_at"]) == (1, 1, "now", "now")
        for field in record_type.fields:
            if field.folded:
                assert (found[f"{field.name}_key"] is None) == (found[field.name] is None)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(CrmError, match=r"account has no field 'nmae'. Did you mean name"):
        preparer(TYPES["account"], "sqlite").values({"name": "x", "nmae": "y"})
    with pytest.raises(CrmError, match="no field 'nmae'"):
        preparer(TYPES["account"], "sqlite").check({"nmae": "y"})

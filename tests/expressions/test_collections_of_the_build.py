"""What declarations call collections, filters reach under that name."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest

from crm_core.assembly.discovery import installed
from crm_core.assembly.load import assemble
from crm_core.expressions import Environment, parse


@pytest.fixture(scope="module")
def build():
    return assemble({"crm": {"plugins": [each.name for each in installed()]}}, strict=True)


def test_every_collection_can_be_asked(build):
    env = Environment(now=dt.datetime.now(dt.UTC), tz=zoneinfo.ZoneInfo("UTC"), visible=lambda record_type, rows: None)
    asked = 0
    for record_type in build.types.values():
        for field in record_type.refs:
            target = build.types[field.target]
            if field.kind.collection:
                own = record_type.plugin == target.plugin
                name = field.kind.collection if own else f"{record_type.plugin}.{field.kind.collection}"
                assert parse(f"any({name})").bind(build.types, target, env).names == {name}
                asked += 1
    assert asked > 20

"""The section ``[merge.<record>]`` of a build file: which of two values survives a merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from crm_core.assembly.build_file import BuildFile
from crm_core.assembly.verdicts import Verdicts
from crm_core.domain.merging import Rule
from crm_core.errors import Problem, nearest
from crm_core.fields.field import Field
from crm_core.records import Types
from crm_core.store.merges.survivors import rule_problems

__all__ = ["merge_rules"]


def merge_rules(
    file: BuildFile, types: Types, custom: Mapping[str, Mapping[str, Field]], verdicts: Verdicts
) -> Mapping[str, Mapping[str, Rule]]:
    """The rules by record type and field; ``verdicts`` receives what names nothing."""
    for name, rules in file.merge.items():
        path = f'merge."{name}"' if "." in name else f"merge.{name}"
        record_type = types.get(name)
        if record_type is None:
            values: dict[str, Any] = {"name": name, "near": nearest(name, types)}
            verdicts.doubt(Problem(path, "There is no record {name!r}.", "Did you mean {near}?", values), name)
            continue
        own = custom.get(name, {})
        known = {*record_type.by_name, *(f"custom.{each}" for each in own)}
        for field, rule in rules.items():
            shown = f'{path}."{field}"' if "." in field else f"{path}.{field}"
            if field not in known:
                values = {"field": field, "near": nearest(field, known)}
                verdicts.doubt(Problem(shown, "There is no field {field!r}.", "Did you mean {near}?", values))
                continue
            for problem in rule_problems(record_type, field, rule, own):
                verdicts.file.append(attrs.evolve(problem, path=shown))
    return cast("Mapping[str, Mapping[str, Rule]]", file.merge)

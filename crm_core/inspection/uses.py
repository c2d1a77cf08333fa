"""Who uses a field: declarations, rules of the build file, mappings, and the source of kernel and plugins."""

from __future__ import annotations

import datetime as dt
import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

import crm_core
from crm_core.assembly.build_file import SECTIONS
from crm_core.assembly.texts import texts_in
from crm_core.errors import CrmError
from crm_core.exchange.mapping import FieldMapping, ImportMapping
from crm_core.exchange.mapping_file import read_mapping
from crm_core.expressions import Environment, parse
from crm_core.expressions.leaves import Leaf
from crm_core.expressions.members import Collection
from crm_core.expressions.names import Names, Plugin
from crm_core.expressions.steps import DerivedStep, RecordNode, RefStep
from crm_core.expressions.steps import Path as Steps
from crm_core.inspection.sources import Mentions, mentions_in
from crm_core.records import KERNEL, RecordType, Through, Via
from crm_core.store.derived import DERIVED

if TYPE_CHECKING:
    from crm_core.assembly import Build

__all__ = ["Use", "UseKind", "filled_by", "uses"]

UseKind = Literal["declaration", "rule", "mapping", "code"]
"""Search, index, order or access; an expression or list in the build file; an import or export; kernel or plugin."""

_NO_RULES = ("crm", "roles", "vocabularies", "custom_fields", "retired_fields", "drivers", "steward")
_PROSE = ("label", "help")
_SHOWN = 5


@attrs.frozen(order=True)
class Use:
    """Somebody who uses a field, and where. Not ``certain`` where only the name occurs, perhaps of another record."""

    kind: UseKind
    by: str
    where: str
    certain: bool = True


Found = defaultdict[tuple[str, str], list[Use]]


def uses(build: Build, mappings: Iterable[str | Path | ImportMapping] = ()) -> Mapping[tuple[str, str], list[Use]]:
    """Every use by record and field."""
    found: Found = defaultdict(list)
    _declarations(build, found)
    _rules(build, found)
    for mapping in mappings:
        _mapping(build, mapping if isinstance(mapping, ImportMapping) else read_mapping(mapping), found)
    _code(build, found)
    return found


def environment(build: Build) -> Environment:
    """Everything may be named in an inspection: it shows names, and no value."""
    return Environment(
        now=dt.datetime.now(dt.UTC), tz=build.policy.tz, visible=lambda *_: None, custom=build.policy.custom,
        readable=lambda *_: True, derived=DERIVED,
    )  # fmt: skip


# -- declarations ----------------------------------------------------------------------------------------------


def _declarations(build: Build, found: Found) -> None:
    for name, record_type in build.types.items():
        plugin = record_type.plugin
        for field in record_type.fields:
            said = [word for word in ("search", "index", "folded") if getattr(field, word)]
            if field.target is not None:
                said.append("reference")
            if record_type.title == field.name:
                said.append("title")
            found[name, field.name] += [Use("declaration", plugin, word) for word in said]
        for exclusive in record_type.exclusive:
            for each in (*exclusive.fields, *(key for key, _ in exclusive.when)):
                found[name, each].append(Use("declaration", plugin, "exclusive"))
        columns = {column.name for index in record_type.table.indexes for column in index.columns}
        for column in sorted(columns):
            indexed = record_type.field_of_column.get(column)
            if indexed is not None and not indexed.index:
                found[name, indexed.name].append(Use("declaration", plugin, "index"))
        access = record_type.access
        if isinstance(access, Via):
            for each in access.fields:
                found[name, each].append(Use("declaration", plugin, "access"))
        elif isinstance(access, Through):
            found[access.record, access.field].append(Use("declaration", plugin, "access"))


# -- the build file --------------------------------------------------------------------------------------------


def _rules(build: Build, found: Found) -> None:
    for section in SECTIONS:
        if section in _NO_RULES:
            continue
        for path, text in texts_in(getattr(build.file, section), section, _PROSE):
            if path.startswith("views.weights"):
                continue
            if section == "duties" and not path.endswith(".where"):
                continue  # what a duty demands is not used by it
            _rule(build, path, text, found)


def _rule(build: Build, path: str, text: str, found: Found) -> None:
    """Rules of the kernel are about accounts; those of plugins may be about anything, so only names are compared."""
    if path.startswith("plugins."):
        for name, record_type in build.types.items():
            for field in _known(build, record_type) & set(text.replace(".", " ").split()):
                found[name, field].append(Use("rule", path, text, certain=False))
        return
    account = build.types["account"]
    if text in _known(build, account):
        found["account", text].append(Use("rule", path, text))
        return
    for used in _named(build, account, text):
        found[used].append(Use("rule", path, text))


def _known(build: Build, record_type: RecordType) -> set[str]:
    return {*record_type.by_name, *build.policy.custom.get(record_type.name, {})}


def _named(build: Build, record_type: RecordType, expression: str) -> Iterator[tuple[str, str]]:
    """The fields that an expression uses, those on the way included; none when it is no expression."""
    env = environment(build)
    try:
        bound = parse(expression).bind(build.types, record_type, env)
    except CrmError:
        return
    for name in bound.names:
        yield from resolve(build, record_type, name, env)


def resolve(build: Build, record_type: RecordType, dotted: str, env: Environment) -> Iterator[tuple[str, str]]:
    """The fields behind a name such as ``owner.login`` or ``contacts.role``."""
    names = Names(build.types, env)
    here: RecordType = record_type
    node: Any = None
    for part in dotted.split("."):
        if isinstance(node, Leaf):
            return  # a part of an address or amount
        node = names.find_in_plugin(part, node) if isinstance(node, Plugin) else names.find(part, here, Steps())
        match node:
            case Leaf():
                yield node.record_type.name, node.field.name
            case RecordNode():
                yield from _on_the_way(here, node.path.steps[-1])
                here = node.record_type
            case Collection():
                yield node.child.name, node.field
                here = node.child
            case None:
                return


def _on_the_way(here: RecordType, step: Any) -> Iterator[tuple[str, str]]:
    if isinstance(step, RefStep):
        yield here.name, step.field
    elif isinstance(step, DerivedStep):
        yield step.through.name, step.back
        yield step.through.name, step.forward


# -- mappings --------------------------------------------------------------------------------------------------


def _mapping(build: Build, mapping: ImportMapping, found: Found) -> None:
    where = mapping.where
    for section in mapping.sections:
        if section.match:
            found[section.record, section.match].append(Use("mapping", where, "match"))
        for field in section.fields.values():
            if field.lookup is not None:
                for word in ("by", "take"):
                    name = getattr(field.lookup, word)
                    if name:
                        found[field.lookup.record, name].append(Use("mapping", where, f"lookup {word}"))


def filled_by(build: Build, mappings: Iterable[str | Path | ImportMapping]) -> Mapping[tuple[str, str], list[str]]:
    """The mappings that fill a field from a file, so that nobody need type it; by record and field."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for given in mappings:
        mapping = given if isinstance(given, ImportMapping) else read_mapping(given)
        for section in mapping.sections:
            for name, field in section.fields.items():
                if _fills(field):
                    found[section.record, name].append(mapping.where)
    return found


def _fills(field: FieldMapping) -> bool:
    return bool(field.sources or field.parts or field.lookup)


# -- source ----------------------------------------------------------------------------------------------------


def _code(build: Build, found: Found) -> None:
    for plugin, mentions in _sources(build):
        for name, record_type in build.types.items():
            words = {name, record_type.cls.__name__}
            for field in _known(build, record_type):
                places = mentions.get(field, ())
                if field not in record_type.by_name:
                    # The kernel knows no field of one build; a plugin that knows it names it in a text.
                    places = () if plugin == KERNEL else tuple(place for place in places if place.text)
                sure = [place for place in places if words & place.speaks_of]
                # A plugin's own records are its own business, whatever else its modules name.
                sure = sure or (list(places) if record_type.plugin == plugin != KERNEL else [])
                chosen, certain = (sure, True) if sure else (list(places), False)
                found[name, field] += [Use("code", plugin, str(place), certain) for place in chosen[:_SHOWN]]


def _sources(build: Build) -> Iterator[tuple[str, Mentions]]:
    for plugin in build.plugins:
        if plugin.name == KERNEL:
            yield KERNEL, mentions_in(Path(crm_core.__file__).parent, "crm_core")
            continue
        folder = plugin.folder
        module = plugin.manifest.module
        if folder is None or "." not in module:
            source = inspect.getsourcefile(plugin.namespace) if inspect.ismodule(plugin.namespace) else None
            if source is not None:
                yield plugin.name, mentions_in(Path(source), module)
        else:
            yield plugin.name, mentions_in(folder, module.rpartition(".")[0])

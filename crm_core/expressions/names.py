"""What a name means for a record type: the only place that knows what the reader may know of."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import attrs

from crm_core.errors import nearest
from crm_core.expressions.environment import Derived, Environment
from crm_core.expressions.leaves import Leaf, sort_of
from crm_core.expressions.members import Collection
from crm_core.expressions.nodes import Bound, Sort
from crm_core.expressions.steps import DerivedStep, ExtensionStep, Path, RecordNode, RefStep
from crm_core.fields import Field
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.fields.kinds import MomentKind, MoneyKind, NumberKind, RefKind
from crm_core.records import RecordType, Types

__all__ = ["Names", "Plugin"]

_SYSTEM = {
    field.name: field
    for field in (
        Field(NumberKind(0), "id"),
        Field(NumberKind(0), "version"),
        Field(MomentKind(), "created_at"),
        Field(NumberKind(0), "created_by", optional=True),
        Field(MomentKind(), "updated_at"),
    )
}


@attrs.frozen
class Plugin(Bound):
    """The name of a plugin before one of its extension's fields or one of its collections."""

    plugin: str
    record_type: RecordType
    path: Path
    sort: Sort = attrs.field(default=Sort.PLUGIN, kw_only=True)


@attrs.frozen
class Names:
    """The names of a build, to one reader."""

    types: Types
    env: Environment

    def find(self, name: str, record_type: RecordType, path: Path) -> Bound | None:
        """What ``name`` is for the record of that type at the end of ``path``; ``None`` when it is nothing."""
        field = self._declared(record_type).get(name) or _SYSTEM.get(name)
        if field is not None:
            return self._leaf(record_type, field, path)
        ref = self._steps(record_type).get(name)
        if ref is not None and ref.target is not None:
            target = self.types[ref.target]
            return RecordNode(target, path.then(RefStep(target, ref.name)))
        derived = self._derived(record_type).get(name)
        if derived is not None:
            return RecordNode(derived.target, path.then(derived))
        custom = self._custom(record_type).get(name)
        if custom is not None:
            return self._leaf(record_type, custom, path, custom=True)
        collection = self._collections(record_type, record_type.plugin).get(name)
        if collection is not None:
            return Collection(path, *collection, name)
        return Plugin(name, record_type, path) if name in self._plugins(record_type) else None

    def find_in_plugin(self, name: str, plugin: Plugin) -> Bound | None:
        """What ``name`` is behind the name of a plugin."""
        for extension in self._extensions(plugin.record_type, plugin.plugin):
            step = plugin.path.then(ExtensionStep(extension))
            field = self._declared(extension).get(name)
            if field is not None or name in self._steps(extension) or name in self._custom(extension):
                return self.find(name, extension, step)
        collection = self._collections(plugin.record_type, plugin.plugin).get(name)
        return None if collection is None else Collection(plugin.path, *collection, name)

    def find_part(self, name: str, leaf: Leaf) -> Leaf | None:
        """The amount or currency of money, the city of an address."""
        if leaf.sort is Sort.MONEY:
            if name == "amount":
                return attrs.evolve(leaf, part=name, sort=Sort.NUMBER)
            return attrs.evolve(leaf, part=name, sort=Sort.TEXT, scale=0) if name == "currency" else None
        if leaf.sort is Sort.ADDRESS and name in dict(ADDRESS_PARTS):
            return attrs.evolve(leaf, part=name, sort=Sort.TEXT)
        return None

    def title(self, record: RecordNode) -> Leaf | None:
        """The field by which people know the record, where the reader may read it."""
        field = self._declared(record.record_type).get(record.record_type.title or "")
        leaf = None if field is None else self._leaf(record.record_type, field, record.path)
        return leaf if leaf is not None and leaf.sort is Sort.TEXT else None

    def id_of(self, record: RecordNode) -> Leaf:
        """The id of a record, as a number."""
        return self._leaf(record.record_type, _SYSTEM["id"], record.path)

    def own_id(self, record_type: RecordType) -> Leaf:
        """The id of the filtered record itself."""
        return self._leaf(record_type, _SYSTEM["id"], Path())

    def near(self, name: str, of: RecordType | Plugin | Leaf) -> str:
        """Names that may have been meant."""
        return nearest(name, self._known(of))

    def _known(self, of: RecordType | Plugin | Leaf) -> Iterator[str]:
        if isinstance(of, Leaf):
            yield from ("amount", "currency") if of.sort is Sort.MONEY else dict(ADDRESS_PARTS)
        elif isinstance(of, Plugin):
            for extension in self._extensions(of.record_type, of.plugin):
                yield from self._declared(extension)
                yield from self._steps(extension)
                yield from self._custom(extension)
            yield from self._collections(of.record_type, of.plugin)
        else:
            for names in (self._declared(of), _SYSTEM, self._steps(of), self._derived(of), self._custom(of)):
                yield from names
            yield from self._collections(of, of.plugin)
            for plugin in self._plugins(of):
                yield plugin
                yield from (f"{plugin}.{name}" for name in self._known(Plugin(plugin, of, Path())))

    def _leaf(self, record_type: RecordType, field: Field, path: Path, *, custom: bool = False) -> Leaf:
        scale = field.kind.scale if isinstance(field.kind, NumberKind | MoneyKind) else 0
        return Leaf(record_type, field, path, custom=custom, sort=sort_of(field), scale=scale)

    def _declared(self, record_type: RecordType) -> dict[str, Field]:
        return {field.name: field for field in record_type.fields if self.env.may_read(record_type, field)}

    def _custom(self, record_type: RecordType) -> dict[str, Field]:
        fields = self.env.custom.get(record_type.name, {})
        return {name: field for name, field in fields.items() if self.env.may_read(record_type, field)}

    def _steps(self, record_type: RecordType) -> dict[str, Field]:
        """References by the name that leads along them."""
        declared = self._declared(record_type)
        refs = {name: field for name, field in declared.items() if isinstance(field.kind, RefKind)}
        steps = {name.removesuffix("_id"): field for name, field in refs.items() if name.endswith("_id")}
        steps |= {parent.name: refs[parent.field] for parent in record_type.parents if parent.field in refs}
        return {name: field for name, field in steps.items() if field.target in self.types}

    def _derived(self, record_type: RecordType) -> dict[str, DerivedStep]:
        found = ((derived.name, self._derive(derived)) for derived in self.env.derived
                 if derived.record_type == record_type.name)  # fmt: skip
        return {name: step for name, step in found if step is not None}

    def _derive(self, derived: Derived) -> DerivedStep | None:
        """The step, unless the build lacks a type or the reader may not read one of the fields it follows."""
        if derived.through not in self.types or derived.target not in self.types:
            return None
        through = self.types[derived.through]
        if not {derived.back, derived.forward, *derived.where} <= set(self._declared(through)):
            return None
        fixed = tuple((name, _stored(through, name, value)) for name, value in derived.where.items())
        return DerivedStep(self.types[derived.target], through, derived.back, derived.forward, fixed)

    def _collections(self, record_type: RecordType, plugin: str) -> dict[str, tuple[RecordType, str]]:
        """The collections of a type whose members are records of ``plugin``."""
        return {
            field.kind.collection: (child, field.name)
            for child, field in reversed(self.types.referring(record_type.name))
            if child.plugin == plugin
            and isinstance(field.kind, RefKind)
            and field.kind.collection
            and self.env.may_read(child, field)
        }

    def _extensions(self, record_type: RecordType, plugin: str) -> list[RecordType]:
        return [found for found in self.types.extensions(record_type.name) if found.plugin == plugin]

    def _plugins(self, record_type: RecordType) -> set[str]:
        """The plugins that add something to a type."""
        plugins = {found.plugin for found in self.types.values()} - {record_type.plugin}
        return {
            plugin
            for plugin in plugins
            if self._extensions(record_type, plugin) or self._collections(record_type, plugin)
        }


def _stored(record_type: RecordType, name: str, value: Any) -> Any:
    """A fixed condition's value as rows hold it: choices may be given as members or as their values."""
    plain = value.value if isinstance(value, Enum) else value
    return None if plain is None else record_type.field(name).kind.check(plain)

"""The search index of one store: its plan, its driver, and whether it is whole."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, insert, select

from crm_core.errors import StoreError
from crm_core.records import Types
from crm_core.store.search.drivers import NoSearch, SearchDriver, driver_for
from crm_core.store.search.indexed import Plan
from crm_core.store.tables import SEARCH_STATE

__all__ = ["SearchIndex"]

_REMEMBERED = 200


class SearchIndex:
    """What can be searched in a build, and how."""

    def __init__(self, types: Types, dialect: str, driver: Any = None) -> None:
        self.types = types
        self.driver: SearchDriver = driver_for(dialect, driver)
        self._lock = threading.Lock()
        self._statements: OrderedDict[Hashable, Select[Any]] = OrderedDict()

    def remembered(self, key: Hashable, make: Callable[[], Select[Any]]) -> Select[Any]:
        """A statement that was made before for the same kind of question, or a new one."""
        with self._lock:
            known = self._statements.get(key)
            if known is not None:
                self._statements.move_to_end(key)
                return known
        made = make()
        with self._lock:
            self._statements[key] = made
            if len(self._statements) > _REMEMBERED:
                self._statements.popitem(last=False)
        return made

    @functools.cached_property
    def plan(self) -> Plan:
        """The types that can be searched."""
        return Plan(self.types)

    @functools.cached_property
    def watched(self) -> Mapping[str, frozenset[str]]:
        """By record type the fields whose change concerns the index."""
        plan = self.plan
        found = {name: indexed.touched_by for name, indexed in plan.indexed.items()}
        for name in plan.beneath:
            found[name] = found.get(name, frozenset()) | {step.field for step in plan.steps[name]}
        return found

    @functools.cached_property
    def signatures(self) -> Mapping[str, str]:
        """What the documents of each type follow from."""
        return {name: indexed.signature(self.driver.name) for name, indexed in self.plan.indexed.items()}

    def unready(self, connection: Connection) -> frozenset[str]:
        """The types whose documents are missing, or were made by other rules; none while nobody can tell."""
        if isinstance(self.driver, NoSearch):
            return frozenset()
        made = {row.type: row.signature for row in connection.execute(select(SEARCH_STATE))}
        return frozenset(name for name, signature in self.signatures.items() if made.get(name) != signature)

    def require_driver(self) -> None:
        """Raise :class:`~crm_core.errors.BuildError` while the driver's plugin is switched off."""
        if isinstance(self.driver, NoSearch):
            raise self.driver.refused

    def require(self, connection: Connection, types: Collection[str]) -> None:
        """Refuse to search what is not indexed: to find a part of it would look like an answer."""
        self.require_driver()
        missing = sorted(self.unready(connection) & set(types))
        if missing:
            raise StoreError(
                "The search index does not hold all records of type {records}.",
                mend="Run 'crm search reindex'.",
                records=", ".join(missing),
            )

    def prepared(self, engine: Engine) -> None:
        """The schema is as the build wants it: what has no records is indexed already."""
        if isinstance(self.driver, NoSearch):
            return
        with engine.begin() as connection:
            self.driver.prepare(connection)
            for name in sorted(self.unready(connection)):
                table = self.types[name].table
                if connection.execute(select(table.c.id).limit(1)).first() is None:
                    self.mark(connection, name)

    def mark(self, connection: Connection, name: str) -> None:
        """All records of a type are indexed."""
        connection.execute(delete(SEARCH_STATE).where(SEARCH_STATE.c.type == name))
        connection.execute(insert(SEARCH_STATE).values(type=name, signature=self.signatures[name]))

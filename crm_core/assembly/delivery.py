"""Telling plugins of what was committed: in order, at least once, and by one process at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.errors import HookError, NotFound
from crm_core.store import consumers, feed
from crm_core.store.backoff import pause
from crm_core.store.heartbeat import Heartbeat

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.store.changes import ChangeSet
    from crm_core.store.consumers import Consumer
    from crm_core.store.feed import Position

__all__ = ["AGAIN", "BATCH", "Delivery", "deliver", "deliver_again"]

AGAIN = "feed.deliver"
"""The job by which a change set that was put aside is told again.

Its terms are those of the feed, too: how often a plugin may fail at a change set, and for how long a process that tells
a plugin may be silent before another one goes on.
"""

BATCH = 100
"""How many change sets a plugin is told at once, at most."""


@attrs.frozen
class Delivery:
    """What one plugin was told by a run of :meth:`Crm.deliver <crm_core.Crm.deliver>`.

    With a ``failure`` it is told the rest later. ``put_aside`` are the ids of jobs on the dead-letter list, each for a
    change set that it failed at too often. ``held`` says that it was left alone, because another process is telling it
    or it rests after a failure.
    """

    plugin: str
    change_sets: int
    failure: HookError | None = None
    put_aside: tuple[int, ...] = ()
    held: bool = False


def deliver(crm: Crm, limit: int | None = None, *, at_once: bool = True) -> list[Delivery]:
    """See :meth:`Crm.deliver <crm_core.Crm.deliver>`; without ``at_once`` a plugin that failed has its pause first."""
    plugins = crm.build.dispatcher.hears_commits()
    if not plugins:
        return []
    with crm.store.reading() as connection:
        end = feed.end(connection)
    return [_Telling(crm, plugin, end).run(limit, at_once) for plugin in plugins]


class _Telling:
    """One run for one plugin."""

    def __init__(self, crm: Crm, plugin: str, end: Position) -> None:
        self.crm = crm
        self.store = crm.store
        self.plugin = plugin
        self.end = end
        self.terms = crm.build.jobs[AGAIN]
        self.holder = f"feed-{secrets.token_hex(8)}"
        self.told = 0
        self.put_aside: list[int] = []

    def run(self, limit: int | None, at_once: bool) -> Delivery:
        """Tell the plugin what it does not know yet."""
        if not self._next(1):
            return Delivery(self.plugin, 0)
        with self.store.engine.begin() as connection:
            consumer = consumers.hold(connection, self.plugin, self.holder, self.terms.lease, at_once=at_once)
        if consumer is None:
            return Delivery(self.plugin, 0, held=True)
        try:
            with Heartbeat(self._renew, self.terms.lease / 3):
                failure = self._tell(consumer, limit)
        finally:
            with self.store.engine.begin() as connection:
                consumers.release(connection, self.plugin, self.holder)
        return Delivery(self.plugin, self.told, failure, tuple(self.put_aside))

    def _tell(self, consumer: Consumer, limit: int | None) -> HookError | None:
        failures, put_aside = consumer.failures, consumer.put_aside
        # After a failure one by one, so that only the change set at fault waits, and the others are known for good.
        position = alone_until = consumer.position
        while limit is None or self.told < limit:
            size = 1 if failures or position < alone_until else BATCH
            due = self._next(size if limit is None else min(size, limit - self.told))
            if not due:
                return None
            failure = self.crm.build.dispatcher.committed(self.plugin, self.crm, [each for _, each in due])
            if failure is None:
                position, failures, put_aside = due[-1][0], 0, 0
                if not self._advance(position):
                    return None
                self.told += len(due)
            elif len(due) > 1:
                alone_until = due[-1][0]
            else:
                failures += 1
                if failures < self.terms.attempts:
                    self._failed(failure, failures + self.terms.attempts * put_aside)
                    return failure
                put_aside += 1
                position, failures = due[0][0], 0
                self._put_aside(due[0][1], position, put_aside, failure)
        return None

    def _next(self, size: int) -> list[tuple[Position, ChangeSet]]:
        # A plugin that answers each change set by another would otherwise keep this going for ever.
        return [each for each in self.store.feed_next(self.plugin, size) if each[0] <= self.end]

    def _advance(self, to: Position) -> bool:
        with self.store.engine.begin() as connection:
            return consumers.advance(connection, self.plugin, self.holder, to)

    def _renew(self) -> bool:
        with self.store.engine.begin() as connection:
            return consumers.renew(connection, self.plugin, self.holder, self.terms.lease)

    def _failed(self, failure: HookError, failures: int) -> None:
        with self.store.engine.begin() as connection:
            consumers.failed(connection, self.plugin, self.holder, str(failure), pause(failures))

    def _put_aside(self, change_set: ChangeSet, to: Position, put_aside: int, failure: HookError) -> None:
        arguments = {"plugin": self.plugin, "change_set": change_set.id}
        with self.crm.system_session("feed") as session:
            # In one transaction: neither told nor put aside would be lost, both would be twice.
            if consumers.put_aside(session, self.plugin, self.holder, to, put_aside):
                self.put_aside.append(self.store.queue.put(session, AGAIN, arguments, dead=str(failure)))


def deliver_again(crm: Crm, arguments: Mapping[str, Any]) -> None:
    """The job ``feed.deliver``: tell a plugin of a change set that was put aside."""
    plugin, change_set = arguments["plugin"], crm.store.feed_one(arguments["change_set"])
    if plugin not in crm.build.dispatcher.hears_commits():
        raise NotFound(
            "The plugin {plugin} is not there to be told.",
            mend="Add it to plugins in [crm], and repeat the job; or drop the job.",
            plugin=plugin,
        )
    if change_set is not None:
        failure = crm.build.dispatcher.committed(plugin, crm, [change_set])
        if failure is not None:
            raise failure

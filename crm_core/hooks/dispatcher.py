"""Calls the plugins of one build: what a call does when an implementation fails is visible here.

Every hook is called implementation by implementation, in the order of the plugins (those required first, then
by name), because pluggy's own call stops at the first that raises. A hook that nobody implements costs
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from crm_core.errors import BuildError, HookError, Objection, Problem
from crm_core.hooks.apart import apart
from crm_core.hooks.failures import as_ended, as_failure, logged
from crm_core.hooks.implementations import Implementation, mistakes
from crm_core.hooks.markers import only_for_of
from crm_core.hooks.reasons import Reason
from crm_core.hooks.specs import SPECS, new_manager
from crm_core.hooks.values import (
    Failed,
    Finding,
    Gathered,
    GiveWay,
    Merging,
    News,
    NextAction,
    OpenItem,
    Panel,
    Signal,
    TimelineEntry,
    Touch,
)

if TYPE_CHECKING:
    import datetime as dt

    from crm_core.assembly.crm import Crm
    from crm_core.store.changes import ChangeBatch, ChangeSet
    from crm_core.store.session import CrmSession

__all__ = ["Dispatcher"]

T = TypeVar("T")


class Dispatcher:
    """The plugins of one build, ready to be called; it knows no other build.

    ``plugins`` are pairs of name and namespace (usually a module) in call order. Raises
    :class:`~crm_core.errors.BuildError` with everything that is wrong with their implementations, unless they were
    ``judged`` before.
    """

    def __init__(self, plugins: Iterable[tuple[str, object]] = (), *, judged: bool = False) -> None:
        given = list(plugins)
        problems = [] if judged else [problem for name, namespace in given for problem in mistakes(name, namespace)]
        if problems:
            raise BuildError("The hooks of these plugins cannot be called:", problems)
        self.manager = new_manager()
        for name, namespace in given:
            self.manager.register(namespace, name)
        self.manager.check_pending()
        self._implementations: Mapping[str, tuple[Implementation, ...]] = {
            hook: tuple(
                Implementation(
                    found.plugin_name, hook, found.function, tuple(found.argnames), only_for_of(found.function)
                )
                for found in getattr(self.manager.hook, hook).get_hookimpls()
            )
            for hook in SPECS
        }
        hearers = (*self.implementations("crm_check_changes"), *self.implementations("crm_on_changes"))
        self._hears = bool(hearers)
        self._hears_all = any(call.only_for is None or not call.only_for.records for call in hearers)
        self._heard = frozenset(name for call in hearers if call.only_for for name in call.only_for.records)

    def implementations(self, hook: str) -> tuple[Implementation, ...]:
        """Who implements ``hook``, in call order."""
        return self._implementations[hook]

    def collect(self, hook: str, *, plugin: str | None = None) -> list[tuple[str, Any]]:
        """What each implementation of a ``crm_register_`` hook returned, with its plugin; of one ``plugin``
        or of all.

        Raises :class:`~crm_core.errors.HookError` at the first that fails.
        """
        return [
            (call.plugin, _called(call, {}))
            for call in self.implementations(hook)
            if plugin is None or call.plugin == plugin
        ]

    # Checks: everybody is asked, objections are raised together, a failure is an error.

    def hears_changes(self, record: str | None = None) -> bool:
        """Whether any plugin implements a change hook (for that record type), so that batches are worth building."""
        return self._hears if record is None else self._hears_all or record in self._heard

    def check_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        """Ask ``crm_check_changes``; raises :class:`~crm_core.errors.Objection` or ``HookError``."""
        calls = [call for call in self.implementations("crm_check_changes") if call.concerns(batch)]
        if not calls:
            return
        objections: dict[str, list[Problem]] = {}
        failures: list[HookError] = []
        with ExitStack() as stack:
            arguments: dict[str, Any] = {"session": session, "batch": batch}
            if any("system" in call.parameters for call in calls):
                arguments["system"] = system = session.as_system("crm_check_changes")
                stack.callback(system.close)
            for call in calls:
                try:
                    found = _problems(call, arguments)
                except HookError as error:
                    failures.append(error)
                else:
                    if found:
                        objections.setdefault(call.plugin, []).extend(found)
        if failures:
            raise failures[0]
        if objections:
            raise Objection(
                "Objections to the change of {record}, by {plugin}:",
                [problem for problems in objections.values() for problem in problems],
                plugin=", ".join(objections),
                record=batch.type.name,
            )

    def check_merge(self, session: CrmSession, record_type: str, target_id: int, source_id: int) -> frozenset[str]:
        """Ask ``crm_check_merge``: the record types whose rows give way. Raises ``Objection`` or ``HookError``."""
        merging = Merging(record_type=record_type, target_id=target_id, source_id=source_id)
        objections: dict[str, list[Problem]] = {}
        failures: list[HookError] = []
        gives_way: set[str] = set()
        with ExitStack() as stack:
            calls = self.implementations("crm_check_merge")
            arguments: dict[str, Any] = {"session": session, "merging": merging}
            if any("system" in call.parameters for call in calls):
                arguments["system"] = system = session.as_system("crm_check_merge")
                stack.callback(system.close)
            for call in calls:
                try:
                    answers = _called(call, arguments, _answers)
                    gives_way |= {each.record for each in answers if isinstance(each, GiveWay)}
                    found = list(_objections(call, [each for each in answers if not isinstance(each, GiveWay)]))
                except Objection as error:
                    found = _taken_apart(call, error)
                except HookError as error:
                    failures.append(error)
                    continue
                except TypeError as error:
                    failures.append(as_failure(call, error))
                    continue
                if found:
                    objections.setdefault(call.plugin, []).extend(found)
        if failures:
            raise failures[0]
        if objections:
            raise Objection(
                "Objections to the merge, by {plugin}:",
                [problem for problems in objections.values() for problem in problems],
                plugin=", ".join(objections),
                record=record_type,
            )
        return frozenset(gives_way)

    def check_contact(self, session: CrmSession, touch: Touch) -> tuple[Finding, ...]:
        """Ask ``crm_check_contact``.

        What speaks against the touch. Raises ``HookError`` when somebody failed.
        """
        findings: list[Finding] = []
        failures: list[HookError] = []
        for call in self.implementations("crm_check_contact"):
            try:
                found = _called(call, {"session": session, "touch": touch}, _listed(Finding))
            except Objection as error:
                findings += [Finding("veto", str(problem), call.plugin) for problem in _taken_apart(call, error)]
            except HookError as error:
                failures.append(error)
            else:
                findings += [attrs.evolve(finding, plugin=call.plugin) for finding in found]
        if failures:
            raise failures[0]
        return tuple(findings)

    # Gathering: a failure becomes a part of its own, the rest stands, also in the database.

    def gather_timeline(
        self,
        session: CrmSession,
        accounts: Sequence[int],
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int = 100,
    ) -> Gathered[TimelineEntry]:
        """Ask ``crm_gather_timeline``: the latest ``limit`` entries of these accounts, latest first."""
        arguments = {"session": session, "accounts": accounts, "since": since, "until": until, "limit": limit}
        found, failed = self._gathered(session, "crm_gather_timeline", TimelineEntry, accounts, arguments)
        entries = [entry for _, entry in found]
        entries.sort(key=lambda entry: (entry.at, entry.record_id), reverse=True)
        return Gathered(tuple(entries[:limit]), failed)

    def gather_overview(self, session: CrmSession, accounts: Sequence[int]) -> Gathered[Panel]:
        """Ask ``crm_gather_overview``: the panels, in the order of the accounts, then of the plugins."""
        arguments = {"session": session, "accounts": accounts}
        found, failed = self._gathered(session, "crm_gather_overview", Panel, accounts, arguments)
        place = {account: number for number, account in enumerate(accounts)}
        found.sort(key=lambda pair: place[pair[1].account_id])
        return Gathered(tuple(attrs.evolve(panel, plugin=plugin) for plugin, panel in found), failed)

    def gather_handover(
        self, session: CrmSession, accounts: Sequence[int], user_id: int | None = None
    ) -> Gathered[OpenItem]:
        """Ask ``crm_gather_handover``: what is open, in the order of the plugins."""
        arguments = {"session": session, "accounts": accounts, "user_id": user_id}
        found, failed = self._gathered(session, "crm_gather_handover", OpenItem, accounts, arguments)
        return Gathered(tuple(item for _, item in found), failed)

    def gather_signals(
        self,
        session: CrmSession,
        accounts: Sequence[int],
        kinds: Collection[str],
        since: dt.datetime | None,
        until: dt.datetime,
    ) -> Gathered[Signal]:
        """Ask ``crm_gather_signals``: those of the wanted kinds, in order of time."""
        arguments = {"session": session, "accounts": accounts, "kinds": kinds, "since": since, "until": until}
        found, failed = self._gathered(session, "crm_gather_signals", Signal, accounts, arguments)
        signals = (signal for _, signal in found)
        wanted = (
            signal
            for signal in signals
            if signal.kind in kinds and (since is None or signal.at >= since) and signal.at < until
        )
        return Gathered(tuple(sorted(wanted, key=lambda signal: signal.at)), failed)

    def gather_news(self, session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Gathered[News]:
        """Ask ``crm_gather_news``: the latest first."""
        arguments = {"session": session, "accounts": accounts, "since": since}
        found, failed = self._gathered(session, "crm_gather_news", News, accounts, arguments)
        news = sorted((each for _, each in found if each.at >= since), key=lambda each: each.at, reverse=True)
        return Gathered(tuple(news), failed)

    def gather_actions(self, session: CrmSession, user_id: int, accounts: Sequence[int]) -> Gathered[NextAction]:
        """Ask ``crm_gather_actions``: in the order of the plugins; also of a user without accounts."""
        arguments = {"session": session, "user_id": user_id, "accounts": accounts}
        found, failed = self._gathered(session, "crm_gather_actions", NextAction, None, arguments)
        return Gathered(tuple(action for _, action in found), failed)

    def _gathered(
        self,
        session: CrmSession,
        hook: str,
        kind: type[Any],
        accounts: Sequence[int] | None,
        arguments: Mapping[str, Any],
    ) -> tuple[list[tuple[str, Any]], tuple[Failed, ...]]:
        """Ask every plugin; ``accounts`` are those that an answer may be about, ``None`` where it may be about any.

        Raises :class:`HookError` where one has committed or rolled back what whoever asks had written: the failure of
        a part must not hide that it is gone, or there too soon.
        """
        found: list[tuple[str, Any]] = []
        failed: list[Failed] = []
        asked = None if accounts is None else set(accounts)
        calls = self.implementations(hook) if asked is None or asked else ()
        if not calls:
            return found, ()
        safely = apart(session)
        for call in calls:
            part = safely.part()
            try:
                with part:
                    parts = _called(call, arguments, _listed(kind, asked))
                    # What it wants to write is its own matter, too, also where nothing may be written.
                    session.flush()
            except Exception as error:
                failed.append(Failed(call.plugin, hook, Reason(logged(as_failure(call, error)))))
            else:
                found += [(call.plugin, each) for each in parts]
            if not safely.whole():
                raise logged(as_ended(call))
        safely.end()
        return found, tuple(failed)

    # Events: a failure harms nobody else.

    def on_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        """Tell ``crm_on_changes``.

        A failing implementation is rolled back and kept in ``info["failed_hooks"]``.
        """
        for call in self.implementations("crm_on_changes"):
            if not call.concerns(batch):
                continue
            # Opening the savepoint flushes what was pending before: an error in that is not the plugin's.
            savepoint = session.begin_nested()
            try:
                with savepoint:
                    _called(call, {"session": session, "batch": batch})
                    # Here rather than in the savepoint's own exit, so that a refused write is told as this
                    # plugin's.
                    session.flush()
            except Exception as error:
                session.info.setdefault("failed_hooks", []).append(logged(as_failure(call, error)))

    def hears_commits(self) -> tuple[str, ...]:
        """The plugins that implement ``crm_on_committed``.

        The store keeps the position of each in the feed.
        """
        return tuple(dict.fromkeys(call.plugin for call in self.implementations("crm_on_committed")))

    def committed(self, plugin: str, crm: Crm, change_sets: Sequence[ChangeSet]) -> HookError | None:
        """Tell one plugin's ``crm_on_committed``.

        Returns what went wrong, or ``None``: only then may the plugin's position in the feed advance.
        """
        for call in self.implementations("crm_on_committed"):
            if call.plugin == plugin:
                try:
                    _called(call, {"crm": crm, "change_sets": change_sets})
                except (HookError, Objection) as error:
                    return logged(as_failure(call, error))
        return None


def _called(call: Implementation, arguments: Mapping[str, Any], read: Callable[[Any], T] = lambda value: value) -> T:
    """What ``read`` makes of the answer.

    An answer may be a generator, so that it fails only while it is read.
    """
    try:
        return read(call(arguments))
    except Objection:
        raise
    except Exception as error:
        raise as_failure(call, error) from error


def _answers(answer: Any) -> list[Any]:
    return [answer] if isinstance(answer, str | Problem | GiveWay) else list(answer or ())


def _listed(kind: type[T], accounts: set[int] | None = None) -> Callable[[Any], list[T]]:
    """Reads an answer that must hold values of one class, and of the accounts that were asked about."""

    def read(answer: Any) -> list[T]:
        values = [] if answer is None else list(answer)
        for value in values:
            if not isinstance(value, kind):
                raise TypeError(f"expected {kind.__name__} values, not {value!r}")
            if accounts is not None and value.account_id not in accounts:  # type: ignore[attr-defined]  # by its callers
                raise ValueError(f"nobody asked about account {value.account_id}")  # type: ignore[attr-defined]
        return values

    return read


def _problems(call: Implementation, arguments: Mapping[str, Any]) -> list[Problem]:
    try:
        return _called(call, arguments, lambda answer: list(_objections(call, answer)))
    except Objection as error:
        return _taken_apart(call, error)


def _objections(call: Implementation, answer: Any) -> Iterator[Problem]:
    """Texts and problems, each with the plugin in front of its path; one text alone is one objection."""
    for objection in (answer,) if isinstance(answer, str | Problem) else answer or ():
        if isinstance(objection, Problem):
            path = f"{call.plugin}: {objection.path}" if objection.path else call.plugin
            yield attrs.evolve(objection, path=path)
        elif isinstance(objection, str):
            yield Problem(call.plugin, "{text}", values={"text": objection})
        else:
            raise TypeError(f"expected texts or Problem values, not {objection!r}")


def _taken_apart(call: Implementation, error: Objection) -> list[Problem]:
    """The objections in a raised one, whose own sentence counts only where it lists nothing."""
    values = {"plugin": error.plugin, "record": error.record, "field": error.field, **error.values}
    inner = error.problems or (Problem(error.field or "", error.problem, error.mend, values),)
    return list(_objections(call, inner))

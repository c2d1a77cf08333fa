"""Hooks that are asked before something happens, and may object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.hooks.markers import hookspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm_core.errors import Problem
    from crm_core.hooks.values import Finding, GiveWay, Merging, Touch
    from crm_core.store.changes import ChangeBatch
    from crm_core.store.session import CrmSession

__all__ = ["crm_check_changes", "crm_check_contact", "crm_check_merge"]


@hookspec
def crm_check_changes(session: CrmSession, system: CrmSession, batch: ChangeBatch) -> Iterable[str | Problem] | None:
    """Object to changes before they are committed.

    Since 0.1. Called once per record type and change set, before commit or at ``session.check()``, never per
    record. ``session`` is the actor's and sees what the actor sees; ``system`` is an elevated read session on
    the same transaction, opened only when an implementation names the parameter: use it for checks that must
    see more than the actor, such as budgets and duplicates, and tell in an objection nothing that the actor
    may not know.

    Returns nothing, or objections: texts, or :class:`~crm_core.errors.Problem` with the field as path; may
    raise :class:`~crm_core.errors.Objection` instead. Every implementation is asked, all objections are
    raised as one :class:`~crm_core.errors.Objection` that names the plugins, and nothing is committed. An
    implementation that fails with any other error stops the change set with a
    :class:`~crm_core.errors.HookError` that names plugin and hook.
    """


@hookspec
def crm_check_contact(session: CrmSession, touch: Touch) -> Iterable[Finding] | None:
    """Warn of, or veto, something that is about to reach a customer.

    Since 0.1. Called before a visit, a quote or a campaign goes out, and when somebody asks whether it could.

    Returns nothing, or findings, each a ``warning`` or a ``veto`` with its reason; raising
    :class:`~crm_core.errors.Objection` counts as a veto. Every implementation is asked. An implementation
    that fails with any other error raises :class:`~crm_core.errors.HookError`, because silence would count as
    consent.
    """


@hookspec
def crm_check_merge(
    session: CrmSession, system: CrmSession, merging: Merging
) -> Iterable[str | Problem | GiveWay] | None:
    """Object to a merge, or say how the plugin's rows are to be joined.

    Since 0.1. Called once before two records are merged, and for a dry run; never for other types than ``merging``
    names. ``session`` is the actor's; ``system`` is an elevated read session on the same transaction, opened only when
    an implementation names the parameter: tell nothing that the actor may not know.

    Returns nothing, objections (texts, or :class:`~crm_core.errors.Problem`), and for each of the plugin's records of
    which only one may hold at a time a :class:`~crm_core.hooks.GiveWay`, if the survivor's rows shall stay and those of
    the other one fill the gaps; without it two such rows stand in the way. May raise
    :class:`~crm_core.errors.Objection`. Every implementation is asked; with an objection nothing is merged. An
    implementation that fails with any other error stops the merge with a :class:`~crm_core.errors.HookError`.
    """

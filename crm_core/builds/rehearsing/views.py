"""Overviews of a sample of accounts, before and after: what is not shown any more."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from crm_core.assembly import Crm
from crm_core.builds.describing import plain
from crm_core.builds.rehearsing.report import Noticed, Weight
from crm_core.domain.accounts import Account
from crm_core.errors import CrmError, Problem
from crm_core.views import overview

__all__ = ["Seen", "compare_overviews", "look", "sample"]

_OF_THE_MOMENT = {"at", "months", "names", "quality", "group"}
_MOST = 20


@attrs.frozen
class Seen:
    """Overviews by account, as plain data, and what could not be shown with the reason."""

    shown: Mapping[int, Mapping[str, Any]]
    failed: Mapping[int, str]


def sample(crm: Crm, count: int, seed: int) -> list[int]:
    """The ids of so many accounts, the same ones for the same seed."""
    with crm.system_session("rehearsal", read_only=True) as session:
        ids = sorted(session.scalars(select(Account.id)))
    return sorted(random.Random(seed).sample(ids, min(count, len(ids))))  # noqa: S311 - no secret


def look(crm: Crm, accounts: Sequence[int]) -> Seen:
    """The overviews of accounts; one that fails harms no other."""
    shown: dict[int, Mapping[str, Any]] = {}
    failed: dict[int, str] = {}
    for id_ in accounts:
        try:
            with crm.system_session("rehearsal", read_only=True) as session:
                account = session.get(Account, id_)
                if account is None:
                    failed[id_] = "it is not there"
                else:
                    shown[id_] = plain(overview(session, account))
        except (CrmError, DBAPIError, LookupError, ValueError) as error:
            failed[id_] = " ".join(str(error).split())[:300]
    return Seen(shown, failed)


def compare_overviews(before: Seen | None, after: Seen) -> Iterator[Noticed]:
    """What is shown no longer, which parts fail, and what is shown otherwise (a few of them)."""
    for id_, reason in after.failed.items():
        if before is None or id_ in before.shown:
            words = "The overview fails: {reason}."
            yield Noticed("breaks", Problem(f"account {id_}", words, "", {"reason": reason.rstrip(".")}))
    parts: dict[tuple[str, str, str], list[int]] = {}
    told: dict[tuple[Weight, str], dict[int, None]] = {}  # accounts in order, each once
    for id_, now in after.shown.items():
        was = {} if before is None else before.shown.get(id_, {})
        known = {(each["plugin"], each["hook"]) for each in was.get("failed", ())}
        for each in now.get("failed", ()):
            if (each["plugin"], each["hook"]) not in known:
                parts.setdefault((each["plugin"], each["hook"], each["error"]), []).append(id_)
        for key, value in was.items():
            if key not in _OF_THE_MOMENT:
                for weight, path in _differences(key, value, now.get(key)):
                    told.setdefault((weight, path), {})[id_] = None
    for (plugin, hook, error), ids in parts.items():
        values = {"plugin": plugin, "hook": hook, "error": error, "count": len(ids)}
        words = "The part of {plugin} ({hook}) fails in {count} of the sampled overviews: {error}."
        yield Noticed("breaks", Problem(f"account {ids[0]}", words, "", values))
    for (weight, path), accounts in sorted(told.items())[:_MOST]:
        words = ("{count} of the sampled overviews show it no longer." if weight == "loses" else
                 "{count} of the sampled overviews show it otherwise.")  # fmt: skip
        place = f"overview.{path} (account {next(iter(accounts))})"
        yield Noticed(weight, Problem(place, words, "", {"count": len(accounts)}))


def _differences(path: str, was: Any, now: Any) -> Iterator[tuple[Weight, str]]:
    if was == now or path.endswith("failed"):
        return
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key, value in was.items():
            yield from _differences(f"{path}.{key}", value, now.get(key))
    elif isinstance(was, list) and isinstance(now, list):
        if len(now) < len(was):
            yield "loses", path
        elif len(now) == len(was):
            for one, other in zip(was, now, strict=True):
                yield from _differences(path, one, other)
        else:
            yield "changes", path
    else:
        yield ("loses" if was not in (None, "", [], {}) and now in (None, "", [], {}) else "changes"), path

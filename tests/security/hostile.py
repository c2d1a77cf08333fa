"""Texts that would like to be more than texts, and a company in whose every text one of them stands."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import select, update

from crm_core import Crm, User
from crm_core.fields.kinds import TextKind
from crm_core.testing.conformance.commanding import toml
from crm_core.testing.conformance.databases import Databases
from crm_core.testing.conformance.organisations import Size
from crm_core.testing.conformance.population import PRINCIPAL
from torture.leaks.company import companies

from .browser import ADDRESS

RUN = f"fetch('{ADDRESS}')"
TEXTS = (
    f"<script>{RUN}</script>",
    f"\"><img src='{ADDRESS}'>",
    f"<svg/onload={RUN}>",
    f"javascript:{RUN}",
    f"</title><script>{RUN}</script>",
    f"' onmouseover={RUN} x='",
    f'" onfocus="{RUN}" x="',
    f"</style><img src=x onerror={RUN}>",
    "{{7*7}}{% raw %}{x}${7*7}%s",
    "\u202egnp.exe\u2066\u200f<b>\x1b[2J",
    f"</textarea><iframe src={ADDRESS}>",
    f"data:text/html,<script>{RUN}</script>",
    f"}}*{{background:url({ADDRESS})}}",
    "]]><!--<b>&amp;&#60;",
)
"""Each at most 40 characters, the shortest text that a field may hold, but for a few."""

_SIZE = Size(units=4, users=6, accounts=5, people=6, activities=12, shares=4)
_OUTER = ("user.login", "unit.kind", "external_ref.system", "external_ref.record_type")
"""Texts by which others are found."""


@attrs.frozen
class Hostile:
    """A company with every plugin of the repository, its build file, ids by type, and who may act."""

    build: Path
    address: str
    ids: dict[str, list[int]]
    logins: list[str]


@contextmanager
def company(folder: Path, *, raw: str = "", first: Sequence[str] = ("",)) -> Iterator[Hostile]:
    """The company on a database of its own; ``raw`` stands in every text besides, and one of ``first`` before it.

    What a field would refuse is written, too: it may have come in another way.
    """
    databases = Databases(None, folder)
    for made in companies(databases, 7, [(_SIZE, 4)]):
        config = _labelled(made.subject.config)
        config["crm"]["database"] = made.address
        with Crm.open(config, check=False) as crm:
            ids = _overwrite(crm, raw, first)
            with crm.system_session(PRINCIPAL) as session:
                # Who is made up may be inactive.
                logins = sorted(user.login for user in session.list(User, "active", limit=None))
        file = folder / "crm.toml"
        file.write_text(toml(config), encoding="utf-8")
        yield Hostile(file, made.address, ids, logins)
        break
    databases.close()


def _labelled(config: dict[str, Any]) -> dict[str, Any]:
    """The build with hostile words for people."""
    texts = itertools.cycle(TEXTS)
    config = {**config, "crm": {**config["crm"], "name": TEXTS[0]}}
    config["pools"] = {name: {**each, "label": next(texts)} for name, each in config["pools"].items()}
    config["duties"] = {name: {**each, "label": next(texts)} for name, each in config["duties"].items()}
    config["custom_fields"] = {
        record: {name: {**field, "label": next(texts)} for name, field in fields.items()}
        for record, fields in config["custom_fields"].items()
    }
    config["roles"] = {name: {**role, "label": next(texts)} for name, role in config["roles"].items()}
    return config


def _overwrite(crm: Crm, raw: str, first: Sequence[str]) -> dict[str, list[int]]:
    texts, before = itertools.cycle(TEXTS), itertools.cycle(first)
    ids: dict[str, list[int]] = {}
    with crm.system_session(PRINCIPAL) as session:
        for name, record_type in crm.types.items():
            table = record_type.table
            ids[name] = sorted(session.core(select(table.c.id)).scalars())
            fields = [
                field for field in record_type.fields
                if isinstance(field.kind, TextKind) and field.vocabulary is None
                and f"{name}.{field.name}" not in _OUTER and field.name in table.c
                and (field.kind.length is None or field.kind.length >= 30)
                and not field.name.endswith(("_type", "record", "scope"))
            ]  # fmt: skip
            for id_ in ids[name] if fields else ():
                values = {
                    field.name: f"{next(before)}{next(texts)}{raw} {id_}"[: field.kind.length]  # type: ignore[attr-defined]
                    for field in fields
                }
                session.core(update(table).where(table.c.id == id_).values(values))
    return ids

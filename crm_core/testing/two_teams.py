"""A company with two salespeople in two units, and their manager above both: enough to see who sees what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs

from crm_core.assembly import Crm
from crm_core.domain import organisation, ownership
from crm_core.domain.accounts import Account
from crm_core.domain.organisation import Unit, User
from crm_core.store.session import CrmSession
from crm_core.testing.filling import FillDatabase
from crm_core.testing.statements import counted

__all__ = ["TwoTeams", "two_teams"]

EAST, WEST, BOSS = "li.wei", "zhang.min", "boss"
"""The logins: who sells in the east, who in the west, and who manages both."""


@attrs.frozen
class TwoTeams:
    """The company: its CRM, and the ids of its accounts by name."""

    crm: Crm
    accounts: Mapping[str, int]

    def session(self, who: str = EAST, **options: Any) -> CrmSession:
        """A session of somebody; ``options`` as of :meth:`crm_core.Crm.session`."""
        return self.crm.session(who, **options)

    def account(self, session: CrmSession, name: str) -> Account:
        """An account by its name, as the session sees it; raises :class:`~crm_core.errors.NotFound`."""
        return session.require(Account, self.accounts[name])

    def statements(self) -> AbstractContextManager[list[str]]:
        """The statements that reach the database meanwhile."""
        return counted(self.crm)


@contextmanager
def two_teams(
    database: str,
    plugins: Sequence[str],
    *,
    east: Sequence[str] = ("Acme", "Beta"),
    west: Sequence[str] = ("Delta",),
    settings: Mapping[str, Any] | None = None,
    fill_database: FillDatabase | None = None,
    **sections: Any,
) -> Iterator[TwoTeams]:
    """Such a company in an empty database, with a build of these plugins; closed with the block.

    ``li.wei`` sells in the unit ``East`` and owns the accounts named in ``east``, ``zhang.min`` those of ``west``;
    ``boss`` is the manager of the unit ``Sales`` above. ``settings`` are those of the first plugin, ``sections``
    further ones of the build file. With the fixture ``fill_database`` the company is made once and copied.
    """
    config: dict[str, Any] = {"crm": {"plugins": list(plugins), "time_zone": "Asia/Shanghai"}, **sections}
    if settings:
        config["plugins"] = {plugins[0]: dict(settings), **sections.get("plugins", {})}
    build = _Build(config)
    if fill_database is None:
        accounts = _found(database, build, tuple(east), tuple(west))
    else:
        accounts = fill_database(_found, build, tuple(east), tuple(west))
    with Crm.open(config, database=database, check=False) as crm:
        yield TwoTeams(crm, accounts)


@attrs.frozen
class _Build:
    """The content of a build file, as an argument that is the same where the content is."""

    config: Mapping[str, Any] = attrs.field(eq=repr)


def _found(database: str, build: _Build, east: tuple[str, ...], west: tuple[str, ...]) -> dict[str, int]:
    with Crm.open(build.config, database=database, check=False) as crm:
        crm.migrate()
        return _populate(crm, {EAST: ("East", east), WEST: ("West", west)})


def _populate(crm: Crm, teams: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, int]:
    accounts: dict[str, int] = {}
    with crm.system_session("test") as session:
        root = session.add_one(Unit(name="Sales", code="sales"))
        for login, (unit, _) in teams.items():
            _join(session, login, session.add_one(Unit(name=unit, code=unit.lower(), parent_id=root.id)), "sales")
        _join(session, BOSS, root, "manager")
        for login, (_, names) in teams.items():
            for name in names:
                account = session.add_one(Account(name=name))
                ownership.assign(session, account, to=login, since_always=True)
                accounts[name] = account.id
    return accounts


def _join(session: CrmSession, login: str, unit: Unit, role: str) -> None:
    session.add(User(login=login, name=login.title()))
    session.flush()
    organisation.join(session, login, unit, role=role, since_always=True)

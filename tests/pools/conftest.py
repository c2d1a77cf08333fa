"""A company with pools, whose clock the tests move."""

from __future__ import annotations

import copy
import datetime as dt
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import attrs
import pytest
from sqlalchemy import event

from crm_core import Account, Crm, CrmSession, Manifest, Unit, User, activities, hookimpl, organisation, ownership
from crm_core.assembly.discovery import Found
from crm_core.fields import Address

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=SHANGHAI)

POOLS: dict[str, Any] = {
    "pumps": {"label": "Pumps", "scope": "pumps", "where": 'contains(tags, "pumps")', "roles": ["sales"]},
    "north": {
        "label": "North",
        "where": 'address.city == "Beijing"',
        "roles": ["sales"],
        "units": ["NORTH"],
        "show": ["name", "grade", "address.city", "size"],
    },
    "rest": {"label": "Rest", "where": 'kind == "company"', "roles": ["sales"]},
}
BUILD: dict[str, Any] = {
    "crm": {"name": "pools", "plugins": [], "time_zone": "Asia/Shanghai"},
    "custom_fields": {"account": {"size": {"kind": "number", "scale": 0}, "secret": {"kind": "text", "length": 40}}},
    "pools": POOLS,
}
USERS = (
    ("li", "NORTH", "sales"), ("wang", "NORTH", "sales"), ("sun", "SOUTH", "sales"), ("zhou", "NORTH", "manager"),
    ("admin", "HQ", "administrator"), ("deng", "NORTHEAST", "sales"),
)  # fmt: skip


class Clock:
    """A clock that stands still until it is moved; each look is a little later, as with a real one."""

    def __init__(self, moment: dt.datetime = START) -> None:
        self.moment = moment.astimezone(dt.UTC)

    def __call__(self) -> dt.datetime:
        self.moment += dt.timedelta(microseconds=1)
        return self.moment

    def to(self, moment: dt.datetime) -> None:
        self.moment = max(self.moment, moment.astimezone(dt.UTC))

    def forward(self, **parts: float) -> None:
        self.moment += dt.timedelta(**parts)

    @property
    def today(self) -> dt.date:
        return self.moment.astimezone(SHANGHAI).date()


@attrs.frozen
class Company:
    """North with a unit Northeast below it, South, and people who sell there; the head office sees everything."""

    crm: Crm
    clock: Clock
    users: dict[str, int]

    def session(self, login: str | None = None, **options: Any) -> CrmSession:
        return self.crm.session(login, **options) if login else self.crm.system_session("test", **options)

    def account(self, name: str, *, owner: str | None = None, scope: str = "", **values: Any) -> int:
        """An account; in the pool north unless it says otherwise."""
        values.setdefault("address", Address(city="Beijing"))
        custom = values.pop("custom", None)
        with self.session() as session:
            account = session.add_one(Account(name=name, **values))
            if custom:
                account.custom = custom
            if owner is not None:
                ownership.assign(session, account, to=owner, scope=scope)
            return account.id

    def visit(self, account_id: int, *, at: dt.datetime | None = None, user: str | None = None) -> int:
        """A visit that was held just now, or at a moment."""
        moment = at or self.clock()
        with self.session() as session:
            (visit,) = activities.plan(
                session, "visit", "Visit", start=moment, account=session.require(Account, account_id), user=user
            )
            activities.hold(session, visit, started=moment)
            return visit.id

    def owner(self, account_id: int, scope: str = "") -> str | None:
        with self.session(read_only=True) as session:
            found = ownership.owner(session, session.require(Account, account_id), scope=scope)
            return None if found is None else found.login


Founder = Callable[..., Company]


def found(
    url: str, pools: dict[str, Any] | None = None, plugins: Any = (), discovery: Any = None, **build: Any
) -> Company:
    """A company on an empty database."""
    clock = Clock()
    crm = _open(url, clock, pools, plugins, discovery, **build)
    crm.migrate()
    return Company(crm, clock, _populate(crm))


def _open(
    url: str, clock: Clock, pools: dict[str, Any] | None = None, plugins: Any = (), discovery: Any = None, **build: Any
) -> Crm:
    given = copy.deepcopy(BUILD) | build
    given["crm"]["plugins"] = list(plugins)
    given["pools"] = POOLS if pools is None else pools
    return Crm.open(given, database=url, check=False, clock=clock, discovery=discovery)


def _populate(crm: Crm) -> dict[str, int]:
    users = {}
    with crm.system_session("init") as session:
        head = session.add_one(Unit(name="Head office", code="HQ"))
        north = session.add_one(Unit(name="North", code="NORTH", parent_id=head.id))
        session.add(Unit(name="Northeast", code="NORTHEAST", parent_id=north.id))
        session.add(Unit(name="South", code="SOUTH", parent_id=head.id))
        for login, unit, role in USERS:
            users[login] = session.add_one(User(login=login, name=login.capitalize())).id
            session.flush()
            organisation.join(session, login, unit, role=role, since_always=True)
    return users


def _found(url: str) -> tuple[dict[str, int], dt.datetime]:
    company = found(url)
    company.crm.close()
    return company.users, company.clock.moment


@pytest.fixture
def make_company(database_url: str, fill_database: Any) -> Iterator[Founder]:
    """Makes a company with pools of one's own."""
    made: list[Company] = []

    def make(pools: dict[str, Any] | None = None, **build: Any) -> Company:
        users, moment = fill_database(_found)
        clock = Clock(moment)
        crm = _open(database_url, clock, pools, **build)
        made.append(Company(crm, clock, users))
        if build:
            crm.migrate()
        return made[-1]

    yield make
    for company in made:
        company.crm.close()


@pytest.fixture
def company(make_company: Founder) -> Company:
    """The company with the pools above."""
    return make_company()


@contextmanager
def statements(company: Company) -> Iterator[list[str]]:
    """The statements that are sent meanwhile, but for those that fetch the next thousand ids."""
    told: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "nextval" not in statement and "crm_id_block" not in statement:
            told.append(statement)

    event.listen(company.crm.store.engine, "before_cursor_execute", note)
    try:
        yield told
    finally:
        event.remove(company.crm.store.engine, "before_cursor_execute", note)


@contextmanager
def teller(tell: Any, name: str, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a plugin that tells signs of life by a function; gives its discovery."""
    module = ModuleType(f"crm_pool_{name}")

    @hookimpl
    def crm_gather_signals(session: Any, accounts: Any, kinds: Any, since: Any, until: Any) -> Any:
        return tell(session, accounts, kinds, since, until)

    @hookimpl
    def crm_register_vocabularies() -> Any:
        return {"account.signal": {"order": "Order", "contract_end": "End of a contract"}}

    module.crm_gather_signals = crm_gather_signals  # type: ignore[attr-defined]
    module.crm_register_vocabularies = crm_register_vocabularies  # type: ignore[attr-defined]
    patch.setitem(sys.modules, module.__name__, module)
    manifest = Manifest(name=name, version="1.0", crm_core=">=0.1.dev0,<1", module=module.__name__)
    yield lambda: [Found(name, lambda: manifest, f"crm-{name}", "1.0")]


@pytest.fixture
def install_teller(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Makes a plugin ``teller``."""
    return lambda tell: teller(tell, "teller", monkeypatch)

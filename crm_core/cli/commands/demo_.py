"""``crm demo``."""

from __future__ import annotations

import datetime as dt
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import BUILD_FILE, PRINCIPAL, Application, pass_application
from crm_core.cli.commands.import_ import import_, print_import
from crm_core.cli.commands.migrate_ import migrate
from crm_core.cli.commands.plugins_ import print_report
from crm_core.cli.helping import command, option
from crm_core.cli.records import Shower
from crm_core.cli.usage import Number
from crm_core.errors import ExchangeError

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.domain.accounts import Account
    from crm_core.store.session import CrmSession

__all__ = ["command"]

_MAPPING = "mapping.toml"
_CANDIDATES = 500
_SEED = 1


@command("demo")
@option("--dir", "folder", metavar="DIR", help="Where to: the folder is kept. Else one that goes when the demo ends.")
@option("--data", metavar="DIR", help="Another company than ours: a folder with crm.toml, mapping.toml and data.")
@option("--accounts", type=Number(1, 10_000_000), metavar="N", help="Invent a company with so many accounts.")
@option("--keep", is_flag=True, help="Keep the folder also when it is a temporary one.")
@pass_application
def command_demo(
    application: Application, folder: str | None, data: str | None, accounts: int | None, keep: bool
) -> None:
    """Import a demo company and look around.

    A manufacturer that sells in all four ways is imported into a database of its own, by the same path as any other
    data. With --accounts a large company is invented instead, the same one each time.
    """
    source = _source(data)
    target = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="crm-demo-"))
    kept = keep or folder is not None
    if (target / BUILD_FILE).exists():
        raise ExchangeError("There is a CRM in {folder} already.", mend="Choose another folder.", folder=str(target))
    try:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / BUILD_FILE, target / BUILD_FILE)
        application.build = target / BUILD_FILE
        crm = application.open(check=False)
        migrate(application, crm)
        _fill(application, crm, source, accounts)
        print_report(application.output, crm.report, short=True)
        account = _look(application, crm)
        _find(application, account)
        _next(application, target if kept else None, account, _busiest(application))
        crm.close()
    finally:
        if not kept:
            shutil.rmtree(target, ignore_errors=True)


command = command_demo


def _source(given: str | None) -> Path:
    """The demo company: what was named, or the one that comes with the sources of crm-core."""
    folder = Path(given) if given is not None else Path(__file__).parents[3] / "examples" / "demo"
    for name in (BUILD_FILE, _MAPPING):
        if not (folder / name).is_file():
            raise ExchangeError(
                "There is no demo company in {folder}: {file} is missing.",
                mend="The demo company comes with the sources of crm-core (examples/demo); name its folder: "
                "crm demo --data DIR.",
                folder=str(folder),
                file=name,
            )
    return folder


def _fill(application: Application, crm: Crm, source: Path, accounts: int | None) -> None:
    if accounts is None:
        data = source / "data" if (source / "data").is_dir() else source
        print_import(application, import_(application, source / _MAPPING, data, reason="demo"))
        return
    from crm_core.testing.company import generate

    with (
        application.output.progress() as bar,
        crm.system_session(PRINCIPAL, reason="demo", source="import", streaming=True) as session,
    ):
        task = bar.add_task(application.translator.text("accounts"), total=accounts)
        generate(session, accounts=accounts, seed=_SEED, progress=lambda done: bar.update(task, completed=done))
    application.output.say("Invented {count} accounts.", count=accounts)


def _look(application: Application, crm: Crm) -> str:
    """The overview of one account, and who owned it a year ago; returns its name."""
    from crm_core.cli.overviews import print_overview
    from crm_core.domain import ownership
    from crm_core.domain.accounts import Account
    from crm_core.views import overview

    output = application.output
    with application.session(read_only=True) as session:
        account = _richest(session)
        if account is None:
            output.note("There is no account to look at.")
            return "NAME"
        shower = Shower(session, application.translator)
        print_overview(output, shower, overview(session, account, entries=5))
        now, id_ = ownership.owner(session, account), account.id
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=365)
    with application.session(at=moment) as session:
        then = ownership.owner(session, session.require(Account, id_))
    output.line()
    name = account.name
    nobody = application.translator.text("nobody")
    output.say("It is owned by {now}; a year ago, on {day}, it was owned by {then}.",
               now=now.name if now else nobody, then=then.name if then else nobody,
               day=moment.astimezone(crm.build.policy.tz).date().isoformat())  # fmt: skip
    return name


def _find(application: Application, account: str) -> None:
    """The same account by a part of its name, within what one may see."""
    with application.session(read_only=True) as session:
        hits = session.search(account[:4], limit=5) if len(account) > 1 else []
    if hits:
        application.output.line()
        application.output.say("Found by {text!r}: {titles}.", text=account[:4],
                               titles=", ".join(hit.title for hit in hits))  # fmt: skip


def _busiest(application: Application) -> str:
    """The login of whoever has the most planned activities."""
    from sqlalchemy import func, select

    from crm_core.domain.activities import Activity, Status
    from crm_core.domain.organisation import User

    with application.session(read_only=True) as session:
        query = (
            select(User.login)
            .join(Activity, Activity.user_id == User.id)
            .where(User.active, Activity.status == Status.PLANNED)
            .group_by(User.login)
            .order_by(func.count().desc(), User.login)
        )
        return session.scalars(query).first() or "LOGIN"


def _richest(session: CrmSession) -> Account | None:
    """The account that most plugins have something to say of; of several the first."""
    from crm_core.domain.accounts import Account

    found = session.list(Account, limit=_CANDIDATES)
    said: dict[int, set[str]] = {account.id: set() for account in found}
    if said:
        for panel in session.store.dispatch.gather_overview(session, list(said)):
            said[panel.account_id].add(panel.plugin)
    return max(found, key=lambda account: (len(said[account.id]), -account.id), default=None)


def _next(application: Application, folder: Path | None, account: str, login: str) -> None:
    """Commands to go on with, as they can be pasted."""
    who, name = shlex.quote(login), shlex.quote(account)
    output = application.output
    output.heading(application.translator.text("What to try next"))
    if folder is None:
        output.say("The folder of this demo is gone; keep one: crm demo --dir crm-demo")
        folder = Path("crm-demo")
    for line in (
        f"cd {shlex.quote(str(folder))}",
        "crm list account --where 'grade == \"A\"'",
        f"crm show account {name} --why",
        f"crm show account {name} --at 2025-12-31",
        f"crm history account {name}",
        f"crm show account {name} --html account.html",
        f"crm --user {who} today",
        f"crm handover draft {who} --to-pool --dry-run",
        "crm pool list",
        "crm duplicates",
        "crm build fields",
        "crm undo --last --dry-run",
        "crm plugins",
    ):
        output.line(f"  {line}")

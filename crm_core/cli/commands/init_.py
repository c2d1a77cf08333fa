"""``crm init``."""

from __future__ import annotations

from pathlib import Path

from crm_core.cli.application import BUILD_FILE, PRINCIPAL, Application, pass_application
from crm_core.cli.commands.migrate_ import migrate
from crm_core.cli.helping import argument, command, option
from crm_core.cli.usage import ConflictingOptions
from crm_core.errors import BuildError

__all__ = ["command"]

_TEMPLATES = Path(__file__).parents[1] / "templates"


@command("init")
@argument("folder", default=".")
@option(
    "--template",
    default="plain",
    metavar="plain|full|PATH",
    help="What the build file begins with: plain (the kernel), full (every installed plugin), or a build file of "
    "your own.",
)
@option("--name", help="The name of the CRM; else that of the folder.")
@option("--database", metavar="URL", help="The address of the database; else SQLite in a file beside the build file.")
@option("--time-zone", default="UTC", metavar="ZONE", help="Where days begin: Asia/Shanghai. Else UTC.")
@option("--currency", default="CNY", metavar="CODE", help="What amounts without a currency are in. Else CNY.")
@option("--unit", metavar="NAME", help="Make a first unit: the company as a whole.")
@option("--admin", metavar="LOGIN", help="Make a first user, who may do everything.")
@option("--admin-name", metavar="NAME", help="The name of that user; else the login.")
@pass_application
def command_init(
    application: Application,
    folder: str,
    template: str,
    name: str | None,
    database: str | None,
    time_zone: str,
    currency: str,
    unit: str | None,
    admin: str | None,
    admin_name: str | None,
) -> None:
    """Start a CRM in FOLDER (default: this one).

    Writes a build file with comments, makes the database and its tables, and on demand a first unit and a user who
    may do everything.
    """  # fmt: skip
    if admin_name is not None and admin is None:
        raise ConflictingOptions("--admin-name needs --admin.")
    place = Path(folder)
    file = place / BUILD_FILE
    if file.exists():
        raise BuildError(
            "There is a build file already: {file}.",
            mend="Run 'crm migrate' to bring its database up to date, or choose another folder.",
            file=str(file),
        )
    text = _build_file(application, template, {
        "name": name or place.resolve().name or "CRM",
        "database": database or "sqlite:///crm.db",
        "time_zone": time_zone,
        "currency": currency,
    })  # fmt: skip
    place.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    application.build = file
    try:
        crm = application.open(check=False)
        migrate(application, crm)
    except BaseException:
        # A first attempt that failed must not stand in the way of the second.
        file.unlink()
        raise
    if unit is not None or admin is not None:
        _people(application, unit, admin, admin_name)
    application.output.say("Wrote {file}. Next: edit it, then 'crm plugins' and 'crm import'.", file=str(file))


command = command_init


def _build_file(application: Application, template: str, values: dict[str, str]) -> str:
    if template not in ("plain", "full"):
        return Path(template).read_text(encoding="utf-8-sig")
    from crm_core.cli.installed import found

    language = application.translator.language
    text = (_TEMPLATES / f"crm.{language}.toml").read_text(encoding="utf-8")
    names = [each.name for each in found()] if template == "full" else []
    for key, value in values.items():
        text = text.replace(f"@{key}@", _quoted(value))
    return text.replace("@plugins@", "[" + ", ".join(_quoted(each) for each in names) + "]")


def _quoted(value: str) -> str:
    import json

    # A JSON text is a TOML text, as long as it holds no lone surrogate or DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _people(application: Application, unit: str | None, admin: str | None, admin_name: str | None) -> None:
    from crm_core.domain import organisation
    from crm_core.domain.organisation import Unit, User

    crm = application.crm
    with crm.system_session(PRINCIPAL, reason="init", source="init") as session:
        top = session.add_one(Unit(name=unit or crm.build.file.crm.name, kind="company"))
        if admin is not None:
            user = session.add_one(User(login=admin, name=admin_name or admin))
            organisation.join(session, user, top, role="administrator", since_always=True)

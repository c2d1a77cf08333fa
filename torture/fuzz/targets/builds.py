"""Build files: refused in words, or the same build when they are written anew, locked, edited and opened."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import attrs

from crm_core import Account, Crm
from crm_core.assembly import build_file as files
from crm_core.assembly.build import Build
from crm_core.assembly.build_file import SECTIONS, BuildFile
from crm_core.assembly.discovery import installed
from crm_core.assembly.inheritance import compose
from crm_core.assembly.load import assemble
from crm_core.assembly.lock import differences, lock_of, read_lock, written
from crm_core.builds.comparing import compare
from crm_core.builds.describing import describe
from crm_core.errors import BuildError
from crm_core.leaving import editing
from crm_core.testing.conformance.commanding import toml
from crm_core.testing.postgresql import PostgreSQLServer
from torture.fuzz.scene import NOW, command, sometimes
from torture.fuzz.target import Loss, Target
from torture.fuzz.targets.documents import Pools, as_toml, drawn, mostly

__all__ = ["Builds"]

_EXTENDED = mostly(("base.toml", ["base.toml"]), ("loop.toml", "none.toml", "/etc/passwd", [1], "."))
_WHERE = (
    "", 'grade == "A"', "employees > 50 and active", 'owner.unit == "East"', "any(contacts)", "nothing == 1",
    "grade ==", '"x', "created_at < today() - days(90)", "slogan is None",
)  # fmt: skip
_RECORDS = ("account", "contact", "activity", "affiliation", "user", "stakeholders.role", "accont", "")
_FIELDS = ("name", "grade", "industry", "note", "employees", "slogan", "nothing", "custom", "id")
_ROLES = ("sales", "manager", "steward", "administrator", "reader", "clerk", "nobody")

_SEEDS = (
    """\
extends = "base.toml"
[crm]
name = "Acme"
plugins = ["industrial"]
[plugins.industrial]
quiet_days = 30
""",
    """\
[crm]
plugins = ["stakeholders"]
time_zone = "Asia/Shanghai"

# Ours
[roles.clerk.permissions]
"account.*" = "own" # all
[custom_fields.account]
slogan = {kind = "text", label = "口号"}
[pools.best]
where = "grade == 'A'"
roles = ["sales"]
[[pools.best.recycle]]
without = "held_activity"
days = 5
[duties.firms]
record = "account"
every_days = 10
[views]
quiet_days = 30
[acceptance.some]
record = "account"
min = 0
""",
)
_PIECES = (
    *(f"[{name}]\n" for name in SECTIONS), 'extends = "base.toml"\n', "plugins = [", "disabled = [", "strict = false\n",
    "= {", '"' * 3, "[[", "]]", "= 1\n", "= true\n", "'''", "\\u0000", "1979-05-27", "inf", "nan", "0x1F", "1e5",
    "[" * 200, "{a=" * 80, "9" * 5000, "1e99999999999999999999", *_WHERE[1:], *_RECORDS[:6], *_ROLES[:4],
)  # fmt: skip


class Builds(Target):
    """Build files, with every installed plugin to choose from."""

    name = "builds"
    words = tuple(each.encode() for each in _PIECES)
    most = 32 << 10

    def __init__(self, folder: Path, server: PostgreSQLServer | None = None) -> None:
        super().__init__(folder, server)
        self.plugins = tuple(sorted(each.name for each in installed()))
        build = assemble({"crm": {"plugins": list(self.plugins)}})
        self.settings: dict[str, Any] = {
            plugin.name: type(plugin.settings) for plugin in build.plugins if plugin.settings is not None
        }
        jobs = sorted(build.jobs)
        (folder / "base.toml").write_text(
            '[crm]\nplugins = ["stakeholders"]\n[custom_fields.account.slogan]\nkind = "text"\n'
        )
        (folder / "loop.toml").write_text('extends = "crm.toml"\n')
        some = [[], list(self.plugins[:1]), list(self.plugins), list(self.plugins[2:4]), list(self.plugins)]
        self.pools: Pools = {
            "plugins": mostly(some, (["none"], ["crm"], ["stakeholders", "stakeholders"])),
            "disabled": mostly(([],), (["none"],)),
            "database": mostly(("sqlite:///crm.db", "sqlite://", "postgresql://u:secret@h/n"), ("mysql://x", "x")),
            "time_zone": mostly(("UTC", "Asia/Shanghai", "Europe/Berlin"), ("Mars/Base", "../../etc")),
            "locale": mostly(("en", "zh_CN"), ("xx-y",)),
            "currency": mostly(("CNY", "EUR"), ("euro",)),
            "where": mostly(_WHERE[:6], _WHERE[6:]),
            "record": mostly(_RECORDS[:4], _RECORDS[4:]),
            "fields[]": mostly(_FIELDS[:3], _FIELDS[3:]),
            "show[]": mostly(_FIELDS[:4], _FIELDS[4:]),
            "who[]": mostly(("owner",), ("collaborator", "boss")),
            "roles[]": mostly(_ROLES[:4], _ROLES[4:]),
            "roles{}": _ROLES,
            "schedule": mostly(("", "FREQ=DAILY;BYHOUR=6", "FREQ=HOURLY"), ("daily", "FREQ=DAILY;BYHOUR=99", "FREQ=X")),
            "permissions{}": mostly(
                ("account.read", "account.*", "*", "*.read"), ("nothing.read", "account.read_notes")
            ),
            "permissions.*": mostly(("own", "unit", "subtree", "all"), ("none", 3)),
            "vocabularies{}": mostly(("account.kind", "activity.kind"), ("contact.x",)),
            "custom_fields{}": mostly(("account", "contact", "activity"), ("nothing",)),
            "retired_fields{}": ("account", "contact"),
            "custom_fields.*{}": mostly(("slogan", "budget", "since"), ("name", "Ab", "a b", "custom", "x" * 80)),
            "plugins{}": self.plugins,
            "drivers{}": ("storage", "search"),
            "jobs{}": mostly(tuple(jobs), ("x.y",)),
            "key_fields{}": ("account", "contact"),
            "key_fields.*[]": mostly(("grade", "name"), ("nothing",)),
            "merge{}": mostly(("account", "contact"), ("x",)),
            "merge.*": mostly(({"grade": "newest"}, {"note": "union"}), ({"name": "x"},)),
            "without": mostly(("held_activity",), ("order", "")),
            "days": mostly((1, 30), (0, -5, 10**9)),
            "region": mostly(("CN", "DE", ""), ("XX",)),
            "units[]": ("East",),
            "scope": ("",),
            "arguments": ({},),
        }

    def seeds(self) -> list[bytes]:
        """An empty one, one of a base, one with everything."""
        return [b"", *(each.encode() for each in _SEEDS)]

    def make(self, chance: random.Random) -> bytes:
        """Sections as they are declared, mostly few and right."""
        wrong = chance.choice((0.0, 0.0, 0.0, 0.02, 0.1))
        content: dict[str, Any] = {}
        if chance.random() < 0.1:
            content["extends"] = chance.choice(_EXTENDED)
        content["crm"] = drawn(chance, SECTIONS["crm"], "crm", self.pools, wrong)
        for name, kind in SECTIONS.items():
            if name not in ("crm", "plugins", "drivers") and chance.random() < 0.2:
                content[name] = drawn(chance, kind, name, self.pools, wrong)
        if chance.random() < 0.3:
            chosen = chance.sample(sorted(self.settings), 2)
            content["plugins"] = {name: drawn(chance, self.settings[name], name, self.pools, wrong) for name in chosen}
            if isinstance(content["crm"], dict):
                content["crm"]["plugins"] = list(self.plugins)
        return as_toml(chance, content).encode("utf-8", "replace")

    def attempt(self, data: bytes) -> str:
        """Assemble it; then what is the same build must be the same."""
        path = self.folder / "crm.toml"
        path.write_bytes(data)
        if sometimes(data, 25):
            command("--build", str(path), "plugins", "--json")
            command("--build", str(path), "build", "check")
        build = assemble(path, strict=True, locked=False)
        self._written_anew(path, build.file)
        self._edited(path, build.file)
        if sometimes(data[::-1], 4):
            self._described(path, build)
        if sometimes(data[1:], 8):
            self._opened(build.file)
        used = sorted(name for name in SECTIONS if getattr(build.file, name) != getattr(BuildFile(), name))
        return f"{used} {len(build.report.warnings) > 0}"

    def _written_anew(self, path: Path, file: BuildFile) -> None:
        content = compose(path).content
        again = self.folder / "again.toml"
        again.write_text(toml(content), encoding="utf-8")
        _same("a build file that is written anew", file, _read(again))

    def _edited(self, path: Path, file: BuildFile) -> None:
        listed = [name for name in file.crm.plugins if name not in file.crm.disabled]
        if not listed:
            return
        name, edited = listed[0], self.folder / "edited.toml"
        edited.write_bytes(path.read_bytes())
        text = editing.disable(edited, name)
        if text is None:
            raise Loss("a plugin that is on cannot be switched off")
        editing.write(edited, text)
        off = _read(edited)
        if name not in off.crm.disabled:
            raise Loss("a plugin that was switched off is on", name)
        _same(
            "a build file with a plugin switched off",
            file,
            attrs.evolve(off, crm=attrs.evolve(off.crm, disabled=file.crm.disabled)),
        )
        text = editing.enable(edited, name)
        if text is None:
            raise Loss("a plugin that is off cannot be switched on")
        editing.write(edited, text)
        _same("a build file with a plugin switched off and on", file, _read(edited))
        if path not in editing.listed_in(path, "plugins", name):
            return
        text, taken = editing.take_out(edited, name)
        editing.write(edited, text)
        if name in _read(edited).crm.plugins and not editing.listed_in(edited, "plugins", name):
            raise Loss("a plugin that was taken out is there", name)
        editing.write(edited, editing.merge_in(edited, name, taken))
        back = _read(edited)
        if set(back.crm.plugins) != set(file.crm.plugins):
            raise Loss("a plugin that was taken out and put back is not there", name)
        _same("a build file with a plugin taken out and put back", file,
              attrs.evolve(back, crm=attrs.evolve(back.crm, plugins=file.crm.plugins)))  # fmt: skip

    def _described(self, path: Path, build: Build) -> None:
        again = assemble(self.folder / "again.toml", strict=True, locked=False)
        if different := compare(describe(build), describe(again)):
            raise Loss("the build of a build file that is written anew is another one", str(different[:3]))
        if sometimes(str(path).encode() + path.read_bytes(), 10):
            lock = lock_of(build)
            file = self.folder / "crm.lock"
            file.write_text(written(lock), encoding="utf-8")
            if read_lock(file) != lock or differences(read_lock(file), lock):
                raise Loss("a lock that is written and read is another one")

    def _opened(self, file: BuildFile) -> None:
        """Its database can be made, and takes an account with its fields."""
        database = self.folder / "opened.db"
        database.unlink(missing_ok=True)
        with Crm.open(file, database=f"sqlite:///{database}", check=False, clock=lambda: NOW) as crm:
            crm.store.create_all()
            with crm.system_session("fuzz") as session:
                try:
                    session.add_one(Account(name="Acme"))
                    session.check()
                except BuildError as error:
                    raise Loss("a build that is accepted cannot be worked with", error.text()) from None
                session.rollback()
            with crm.system_session("fuzz", read_only=True) as session:
                session.list(Account)


def _read(path: Path) -> BuildFile:
    file, problems = files.read(path)
    if problems:
        raise Loss("a build file that was edited or written anew is refused", problems[0].text())
    return file


def _same(what: str, one: BuildFile, other: BuildFile) -> None:
    for name in SECTIONS:
        if getattr(one, name) != getattr(other, name):
            raise Loss(f"{what} says something else", f"{name}: {getattr(one, name)} became {getattr(other, name)}")

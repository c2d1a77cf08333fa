"""What the commands of one invocation share: the build, who acts, and the language."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm_core.translation import Translator, language_of

if TYPE_CHECKING:
    import datetime as dt

    from crm_core.assembly import Build, Crm
    from crm_core.assembly.discovery import Found
    from crm_core.cli.output import Output
    from crm_core.errors import HookError
    from crm_core.store.session import CrmSession

__all__ = ["BUILD_FILE", "PRINCIPAL", "Application", "pass_application"]

BUILD_FILE = "crm.toml"
PRINCIPAL = "cli"
"""The system principal that acts where ``--user`` names nobody.

Whoever may start the command with the address of the database is its administrator anyway; the journal says so.
"""


class Application:
    """The CRM as the command line sees it; opened when a command first needs it, unless an open one is given."""

    def __init__(self, environ: Mapping[str, str] | None = None, crm: Crm | None = None) -> None:
        named = _language(os.environ if environ is None else environ)
        self.translator = Translator(named or "en")
        self._named = named is not None
        self.build: Path | None = None
        self.user: str | None = None
        self.debug = False
        self.tolerant = False
        self.without: tuple[str, ...] = ()
        """Plugins to leave out of this run; ``*`` stands for all."""
        self.plugin: str | None = None
        """The plugin that the command belongs to, which must be in the build."""
        self._crm = crm
        self._output: Output | None = None

    # -- the build ---------------------------------------------------------------------------------------------

    def build_file(self) -> Path:
        """The build file that was named, or the nearest one in this folder and those above."""
        if self.build is not None:
            return self.build
        folder = Path.cwd()
        for each in (folder, *folder.parents):
            if (each / BUILD_FILE).is_file():
                return each / BUILD_FILE
        from crm_core.errors import BuildError

        raise BuildError(
            "There is no {file} in {folder}, nor in the folders above it.",
            mend="Create one by 'crm init', or name one: crm --build PATH ...",
            file=BUILD_FILE,
            folder=str(folder),
        )

    def open(self, *, check: bool = True) -> Crm:
        """Assemble the build and open its database; ``check`` refuses one that is to be migrated first."""
        from crm_core.assembly import Crm
        from crm_core.cli.logs import log_to_stderr

        root = click.get_current_context().find_root()
        root.call_on_close(log_to_stderr(self.debug, self._failed))
        crm = self._crm = Crm.open(
            self.build_file(), strict=False if self.tolerant else None, check=check, without=self.without
        )
        root.call_on_close(crm.close)
        language = None if self._named else language_of(crm.build.file.crm.locale)
        if language is not None and language != self.translator.language:
            self.translator = Translator(language)
        self.translator = self.translator.also(
            ((plugin.name, plugin.locale) for plugin in crm.build.plugins if plugin.locale is not None),
            crm.types.values(),
        )
        if self._output is not None:
            self._output.translator = self.translator  # a command may hold it already
        for left in crm.report.left_out:
            self.output.note("The plugin {plugin} was left out; 'crm plugins' says why.", plugin=left.plugin)
        for each in crm.report.not_as_locked:
            self.output.note("Not as locked: {difference}", difference=self.translator.error(each))
        self._require_plugin(crm)
        return crm

    def _failed(self, failure: HookError) -> str:
        return self.translator.format(
            "{failure} What was changed stands, without what the plugin does on it; 'crm --debug ...' shows more.",
            failure=self.translator.error(failure),
        )

    def open_without(self, plugin: str) -> Crm:
        """Open the build for work on one plugin, without it where it cannot be loaded.

        The database must be there; whether it fits the build is not checked.
        """
        from crm_core.errors import BuildError
        from crm_core.store.engine import require_there

        try:
            crm = self.open(check=False)
        except BuildError as error:
            self.output.note("{error}", error=self.translator.error(error))
            self.tolerant = True
            try:
                crm = self.open(check=False)
            except BuildError:  # as for its driver, which is looked for unless the plugin is off
                self.output.note("Going on without the plugin {plugin}.", plugin=plugin)
                self.without = (*self.without, plugin)
                crm = self.open(check=False)
        require_there(crm.store.engine)
        return crm

    def require(self, permission: str) -> None:
        """Refuse an acting user who lacks a permission at scope all."""
        if self.user is None:
            return
        with self.session(read_only=True) as session:
            if not session.visibility.reach(permission).all:
                from crm_core.errors import PermissionDenied

                raise PermissionDenied(
                    "{principal} may not do this.",
                    mend="A role with the permission {permission} at scope all is needed.",
                    principal=session.actor.principal,
                    permission=permission,
                )

    def as_no_user(self) -> None:
        """Refuse to act as a user where files and the whole database are worked on, which no user's rights cover."""
        if self.user is not None:
            from crm_core.errors import PermissionDenied

            raise PermissionDenied(
                "This is not done with the rights of a user, but with those of whoever runs the command.",
                mend="Leave out --user {user}; who must not do it may not run commands on this machine.",
                user=self.user,
            )

    def assemble(self, *, strict: bool | None = None, locked: bool | None = None) -> Build:
        """Judge and load the build, without its database; ``strict`` outranks the options, ``locked`` the file."""
        from crm_core.assembly import assemble

        strict = False if strict is None and self.tolerant else strict
        return assemble(self.build_file(), strict=strict, without=self.without, locked=locked)

    def installed(self) -> list[Found]:
        """The installed plugins that may be looked at: what is switched off is not imported, not even for help."""
        from crm_core.assembly.switched_off import EVERY, disabled_in, matches
        from crm_core.cli.installed import found
        from crm_core.errors import CrmError

        if EVERY in self.without:
            return []
        try:
            off = {*self.without, *disabled_in(self.build_file())}
        except CrmError:  # there is no build file yet
            off = {*self.without}
        return [each for each in found() if not matches(each.name, off)]

    @property
    def crm(self) -> Crm:
        """The CRM, opened and checked."""
        if self._crm is None:
            return self.open()
        return self._crm

    def _require_plugin(self, crm: Crm) -> None:
        if self.plugin is not None and crm.build.plugin(self.plugin) is None:
            from crm_core.errors import BuildError

            raise BuildError(
                "This command belongs to the plugin {name}, which is not part of {where}.",
                mend="Add it to plugins in [crm], and run 'crm migrate'.",
                name=self.plugin,
                where=crm.build.file.where,
            )

    # -- sessions ----------------------------------------------------------------------------------------------

    def session(
        self,
        *,
        at: dt.datetime | None = None,
        as_of: dt.datetime | None = None,
        reason: str | None = None,
        read_only: bool = False,
        source: str = "cli",
    ) -> CrmSession:
        """A session of the acting user, or of the system principal ``cli``."""
        if self.user is not None:
            return self.crm.session(self.user, at=at, as_of=as_of, reason=reason, read_only=read_only, source=source)
        return self.crm.system_session(PRINCIPAL, at=at, as_of=as_of, reason=reason, read_only=read_only, source=source)

    def looking(
        self, *, at: dt.datetime | None = None, as_of: dt.datetime | None = None, login: str | None = None
    ) -> CrmSession:
        """A session that only reads; with ``login`` through the eyes of another user, if the acting one may."""
        if login is None or login == self.user:
            return self.session(at=at, as_of=as_of, read_only=True)
        with self.session(read_only=True) as session:
            # At a narrower scope it would lend the rights of people in charge of more.
            if not session.visibility.reach("system.impersonate").all:
                from crm_core.errors import PermissionDenied

                raise PermissionDenied(
                    "{principal} may not look at the CRM as another user.",
                    mend="A role with the permission system.impersonate at scope all is needed.",
                    principal=session.actor.principal,
                )
        return self.crm.session(login, at=at, as_of=as_of, read_only=True, source="cli")

    # -- talking -----------------------------------------------------------------------------------------------

    @property
    def output(self) -> Output:
        """Where the command writes to."""
        if self._output is None:
            from crm_core.cli.output import Output

            self._output = Output(self.translator, sys.stdout, sys.stderr)
        return self._output

    def forget_output(self) -> None:
        """Make the next output with the translator of now."""
        self._output = None

    def speak(self, language: str) -> None:
        """Use this language from now on."""
        self.translator = Translator(language)
        self._named = True
        self._output = None


pass_application = click.make_pass_decorator(Application)
"""Gives a command the :class:`Application` as its first argument."""


def _language(environ: Mapping[str, str]) -> str | None:
    """The first of the usual variables that says anything decides, as in every other program; ``None`` if none does."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return language_of(environ[name]) or "en"
    return None

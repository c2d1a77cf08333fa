"""Running a command: every end it can come to, as an exit code and one readable paragraph."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from crm_core.cli.application import Application
from crm_core.errors import CrmError, StoreError, joined

__all__ = ["BROKEN_PIPE", "BUG", "EXIT_CODES", "INTERRUPTED", "USAGE", "run"]

_OS_LABELS = ("No such file or directory", "Permission denied", "Is a directory", "Not a directory", "File exists")
"""What operating systems say when a file cannot be used."""

USAGE = 2
BUG = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

EXIT_CODES = {
    0: "Done.",
    USAGE: "The command is written wrongly: an unknown option or command, a missing argument.",
    BUG: "A bug: an error that nobody foresaw.",
    INTERRUPTED: "Interrupted (Ctrl-C). What was not committed is as before.",
    BROKEN_PIPE: "Whoever read the output went away before its end, as `head` does.",
}
"""What the command ends with, besides the ``exit_code`` of each error class."""


def run(args: Sequence[str], application: Application | None = None) -> int:
    """Run ``crm`` with these arguments; returns the exit code and never raises."""
    from crm_core.cli.root import root

    application = application or Application()
    _lenient(sys.stdout)
    _lenient(sys.stderr)
    try:
        with root.make_context("crm", list(args), obj=application) as ctx:
            root.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:  # exit() in crm shell
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return USAGE
    except click.UsageError as error:
        from crm_core.cli.usage import usage_text

        _say(usage_text(error))
        return error.exit_code
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say(application.translator.text("Interrupted. What was not committed is as before."))
        return INTERRUPTED
    except BrokenPipeError:
        # Python would complain once more when it closes the output at its end.
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return _failed(error, application)
    return 0


def _failed(error: Exception, application: Application) -> int:
    translator = application.translator
    if application.debug:
        import traceback

        for part in traceback.format_exception(error):
            _say(part.rstrip("\n"))
    known = _known(error)
    if known is not None:
        _say(translator.error(known))
        return known.exit_code
    _say(
        translator.format(
            "This is a bug in crm-core or in a plugin: {kind}: {error}.",
            kind=type(error).__name__,
            error=str(error).rstrip("."),
        ),
        translator.text("Run the same command with 'crm --debug ...' and report what it prints."),
    )
    return BUG


def _known(error: Exception) -> CrmError | None:
    """The error as one of ours, where it tells of the world and not of a mistake in the program."""
    if isinstance(error, CrmError):
        return error
    if "sqlalchemy" in sys.modules:
        from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

        if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError | ProgrammingError):
            reason = " ".join(str(error.orig).split()).rstrip(".")
            missing = re.search(r'database "([^"]+)" does not exist$', reason)
            return StoreError(
                "The database cannot be used: {reason}.",
                mend="Create it ('createdb {database}'), or correct its address." if missing
                else "Check its address in the build file, and whether it is running, readable and not locked.",
                reason=reason,
                database=missing[1] if missing else "",
            )  # fmt: skip
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return CrmError(
            "The system refuses: {reason}{where}.",
            mend="Check the path and its permissions.",
            reason=error.strerror or str(error),
            where=where,
        )
    return None


def _say(*parts: str) -> None:
    from crm_core.cli.printable import printable

    with suppress(BrokenPipeError):
        print(printable(joined(parts)), file=sys.stderr)


def _lenient(stream: object) -> None:
    """A terminal that cannot show a character gets its number, not a traceback."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and getattr(stream, "errors", "") == "strict":
        reconfigure(errors="backslashreplace")

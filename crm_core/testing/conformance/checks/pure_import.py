"""Importing the plugin does nothing but define names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "pure-import"
_WHAT = {
    "starts a thread": "Importing it starts a thread.",
    "starts a program": "Importing it starts a program: {detail}.",
    "starts a process": "Importing it starts a process.",
    "opens a socket": "Importing it opens a socket ({detail}).",
    "opens a file for writing": "Importing it opens a file for writing: {detail}.",
    "opens a database": "Importing it opens a database.",
    "changes files": "Importing it changes files: {detail}.",
    "changes the environment": "Importing it changes the environment.",
    "changes the working directory": "Importing it changes the working directory.",
    "reads the environment": "Importing it reads the environment: {detail}.",
    "prints": "Importing it prints: {detail}.",
    "makes an engine": "Importing it makes an engine.",
}
_MEND = {
    "reads the environment": "Ask for a setting of the plugin (crm_register_settings): two builds in one process may "
    "want different values.",
    "prints": "Remove it; log by structlog inside the functions that do something.",
    "makes an engine": "Use the session that a hook is given.",
    "opens a database": "Use the session that a hook is given.",
}
_OTHERWISE = "Do it in a hook, a command or a job: the plugin is imported wherever it is installed, also to be tested."


def _look(subject: Subject) -> Iterator[Finding]:
    found = subject.imported
    for each in found.effects:
        place = Path(each.file)
        relative = place.relative_to(subject.folder.parent) if place.is_relative_to(subject.folder.parent) else place
        yield Finding(
            NAME,
            _WHAT[each.effect],
            f"{relative.as_posix()}:{each.line}",
            mend=_MEND.get(each.effect, _OTHERWISE),
            values={"detail": each.detail or "-"},
        )
    if found.logging:
        yield Finding(
            NAME,
            "Importing it configures logging for the whole process.",
            subject.manifest.module,
            mend="Leave handlers and levels to the application.",
        )


CHECK = Check(
    NAME, "Importing the plugin starts nothing, opens nothing, prints nothing, and reads no environment.", _look
)

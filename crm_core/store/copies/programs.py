"""PostgreSQL's own programs, of the server's version, and how they get the address without showing the password."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from sqlalchemy import URL

from crm_core.errors import StoreError

__all__ = ["environment", "find", "run"]

_FOLDERS = (
    "/usr/lib/postgresql/{major}/bin",
    "/usr/pgsql-{major}/bin",
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
    "C:/Program Files/PostgreSQL/{major}/bin",
)


def find(program: str, major: int) -> Path:
    """``pg_dump`` and its kin of a major version: where systems install them, else what is on the path.

    Raises :class:`~crm_core.errors.StoreError` that says how to install them.
    """
    for file in _candidates(program, major):
        if _major(file) == major:
            return file
    raise StoreError(
        "The server is PostgreSQL {major}, and {program} of that version is not installed here.",
        mend="Debian and Ubuntu: apt install postgresql-client-{major}. Elsewhere install the client programs of "
        "PostgreSQL {major}, and put their folder on PATH.",
        program=program,
        major=major,
    )


def _candidates(program: str, major: int) -> Iterator[Path]:
    for folder in _FOLDERS:
        found = shutil.which(program, path=folder.format(major=major))
        if found:
            yield Path(found)
    found = shutil.which(program)
    if found:
        yield Path(found)


def _major(file: Path) -> int | None:
    answer = subprocess.run([str(file), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match else None


def environment(url: URL) -> dict[str, str]:
    """The environment by which a program of PostgreSQL finds a database.

    Everything goes this way, so that the list of processes shows neither the password nor the address. The variables
    of our own environment count as they do for us, where the address does not say otherwise.
    """
    from psycopg import pq

    _, given = url.get_dialect()().create_connect_args(url)
    variables = {
        option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar
    }
    result = dict(os.environ)
    for name, value in given.items():
        variable = variables.get(name)
        if variable is not None:
            result[variable] = str(value)
        elif name in {"sslpassword", "password"}:
            raise StoreError("The programs of PostgreSQL cannot be given {name} unseen.",
                             mend="Use a key without a password, or one that an agent holds.", name=name)  # fmt: skip
    return result


def run(command: list[str], env: Mapping[str, str], what: str, output: IO[bytes] | None = None) -> None:
    """Run a program to its end; raises :class:`~crm_core.errors.StoreError` with what it complained of."""
    answer = subprocess.run(
        command, env=dict(env), stdin=subprocess.DEVNULL, stdout=output or subprocess.DEVNULL, stderr=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    if answer.returncode:
        raise complaint(what, answer.stderr)


def complaint(what: str, said: bytes) -> StoreError:
    """What a program complained of, as an error of ours: from the first error on, which tells the cause."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if re.search(r"\b(ERROR|FATAL|error):", line)), 0)
    lines = lines[first:]
    return StoreError(
        "{program} failed: {reason}.",
        mend="Remove the cause and begin again; nothing is half done.",
        program=what,
        reason=" ".join(lines[:4]).rstrip(".") or "it said nothing",
    )

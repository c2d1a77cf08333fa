"""What a reader of the figures must know of the machine that they were taken on."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["machine"]


def machine(*others: str) -> dict[str, str]:
    """Processors, memory, system and versions, by name; ``others`` are distributions that are of interest, too."""
    found = {
        "processors": f"{_processors()} ({_processor()})",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": _postgresql(),
    }
    for name in ("SQLAlchemy", "psycopg", *others):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _processors() -> int:
    """As many as this process may use, where the system tells; all of them elsewhere."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _postgresql() -> str:
    from crm_core.testing.postgresql import PostgreSQLUnavailable, find_programs

    try:
        program = find_programs() / "postgres"
    except PostgreSQLUnavailable:
        return "absent"
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.split()[-1] if "(" not in answer.stdout else answer.stdout.split()[2]

"""Start-up: the command's help beside Django's, the public API beside ``sqlalchemy.orm``; memory of long imports."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Figure, ratio, rounds

TOUCH = "import crm_core\nfor name in crm_core.__all__: getattr(crm_core, name)"
# Not by `getrusage`: it goes on from what the process that started this one had.
PEAK = """
import sys
from pathlib import Path
from benchmarks.sides import opened, crm_import
with opened(sys.argv[1]) as store:
    crm_import(store, int(sys.argv[2]))
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""


def seconds(command: Sequence[str]) -> float:
    """Wall time of one process."""
    # Modules that are compiled at every start would be slow to start, whoever they belong to.
    environment = {**os.environ, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": ""}
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - begun


def startup_figures(times: int) -> list[Figure]:
    """Whole processes, in turns; what was compiled is kept, as it is where somebody has installed it."""
    folder = Path(sys.executable).parent
    figures = []
    if importlib.util.find_spec("django") is not None:
        ours, theirs = [str(folder / "crm"), "--help"], [str(folder / "django-admin"), "--help"]
        mine, other = _in_turns(times, ours, theirs)
        detail = f"{min(mine) * 1000:.0f} ms beside {min(other) * 1000:.0f} ms"
        figures.append(Figure("", "crm --help beside django-admin --help", ratio(mine, other), "<=", 1, detail))
    touch, bare = [sys.executable, "-c", TOUCH], [sys.executable, "-c", "import sqlalchemy.orm"]
    mine, other = _in_turns(times, touch, bare)
    detail = f"{min(mine) * 1000:.0f} ms beside {min(other) * 1000:.0f} ms"
    figures.append(Figure("", "every export beside import sqlalchemy.orm", ratio(mine, other), "<=", 1.3, detail))
    return figures


def _in_turns(times: int, ours: Sequence[str], theirs: Sequence[str]) -> list[list[float]]:
    """Each once to be compiled, and then as often as is asked."""
    for command in (ours, theirs):
        seconds(command)
    return rounds(times, lambda _: seconds(ours), lambda _: seconds(theirs))


def memory_figure() -> Figure:
    """Peak memory of an import of 100,000 accounts beside one of 10,000."""
    peaks = []
    for count in (10_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/memory.db"
            command = [sys.executable, "-c", PEAK, url, str(count)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(int(run.stdout.split()[-1]) / 1024)
    detail = f"{peaks[1]:.0f} MB beside {peaks[0]:.0f} MB"
    return Figure("SQLite", "peak memory, import of 100,000 beside 10,000", peaks[1] / peaks[0], "<=", 1.2, detail)

"""What importing a plugin does, measured in a process of its own by :mod:`crm_core.testing.conformance.probe`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.testing.conformance.subject import Unloadable

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["Effect", "Imported", "imported"]

PROBE = Path(__file__).with_name("probe.py")
SECONDS = 120


@attrs.frozen
class Effect:
    """Something that importing did besides defining names, with a detail and the line that did it."""

    effect: str
    detail: str
    file: str
    line: int


@attrs.frozen
class Imported:
    """Seconds to import the kernel, the manifest and the plugin's module, and all that happened besides.

    ``by_manifest`` are the modules that the manifest brought along, itself included.
    """

    kernel: float
    manifest: float
    module: float
    by_manifest: tuple[str, ...]
    effects: tuple[Effect, ...]
    logging: bool


def imported(subject: Subject) -> Imported:
    """Import the plugin in a new process; :class:`Unloadable` where that fails."""
    requirements = [each.manifest.module for each in subject.build.plugins if each.name in _required(subject)]
    given = {
        "path": sys.path,
        "folder": str(subject.folder),
        "manifest": subject.manifest_module,
        "module": subject.manifest.module,
        "requirements": requirements,
    }
    with tempfile.TemporaryDirectory(prefix="crm-import-") as folder:
        question, answer = Path(folder, "question.json"), Path(folder, "answer.json")
        question.write_text(json.dumps(given), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-B", str(PROBE), str(question), str(answer)],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        if ended.returncode or not answer.is_file():
            last = (ended.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise Unloadable(f"{subject.manifest.module} cannot be imported in a new process: {last}")
        told: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    told["effects"] = tuple(Effect(**each) for each in told["effects"])
    told["by_manifest"] = tuple(told["by_manifest"])
    return Imported(**told)


def _required(subject: Subject) -> set[str]:
    return {each.name for each in subject.build.plugins} - {subject.plugin, "crm"}

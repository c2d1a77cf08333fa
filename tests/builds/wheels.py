"""Wheels for tests, made without a network: from source for what lies here, and from what is installed for the rest."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
_KERNEL = ("crm_core", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
_LEFT = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def built(source: Path, wheelhouse: Path, work: Path) -> None:
    """The wheel of a distribution of this repository, built from a copy: building leaves folders behind."""
    copy = work / source.name
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    if source == ROOT:
        copy.mkdir(parents=True)
        for name in _KERNEL:
            each = ROOT / name
            shutil.copytree(each, copy / name, ignore=ignored) if each.is_dir() else shutil.copy(each, copy / name)
    else:
        shutil.copytree(source, copy, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
               "--disable-pip-version-check", "--wheel-dir", str(wheelhouse), str(copy)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)


def repacked(name: str, wheelhouse: Path) -> None:
    """The wheel of an installed library, from the files that its RECORD names."""
    distribution = metadata.distribution(name)
    files = [file for file in distribution.files or () if not file.parts[0].startswith("..")
             and file.suffix != ".pyc" and file.name not in _LEFT]  # fmt: skip
    info = next(file.parts[0] for file in files if file.parts[0].endswith(".dist-info"))
    tags = [line.partition(": ")[2] for line in (distribution.read_text("WHEEL") or "").splitlines()
            if line.startswith("Tag: ")]  # fmt: skip
    parts = [sorted({tag.split("-")[at] for tag in tags}) for at in range(3)]
    tag = "-".join(".".join(each) for each in parts)
    record = []
    with zipfile.ZipFile(wheelhouse / f"{info.removesuffix('.dist-info')}-{tag}.whl", "w") as wheel:
        for file in files:
            content = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{file.as_posix()},sha256={digest},{len(content)}")
            wheel.writestr(file.as_posix(), content)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]))

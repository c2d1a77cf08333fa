#!/usr/bin/env python3
"""Install this bundle into the folder .venv beside this file. No network is needed; run it again after an upgrade.

Without a virtual environment of its own nothing is touched. Python 3.11, 3.12 or 3.13 is needed, the same version and
system for which the wheels were gathered.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")


def main() -> int:
    """Install, and compare with the lock."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        print(f"Python 3.11, 3.12 or 3.13 is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    if not ENVIRONMENT.exists():
        print(f"Making {ENVIRONMENT}")
        venv.create(ENVIRONMENT, with_pip=True)
    print("Installing the wheels of this bundle")
    install = [
        str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index",
        "--find-links", str(HERE / "wheels"), "--require-hashes", "--requirement", str(HERE / "requirements.txt"),
    ]  # fmt: skip
    if subprocess.run(install, cwd=HERE, check=False).returncode:
        print("Nothing was changed that works: mend what pip names above, and run this again.", file=sys.stderr)
        return 1
    crm = [str(BIN / "crm"), "--build", str(HERE / "crm.toml")]
    if subprocess.run([*crm, "build", "verify"], cwd=HERE, check=False).returncode:
        return 1
    print("Installed. Next: ./crm migrate (it makes the database, or brings it up to date), then ./crm --help")
    return 0


if __name__ == "__main__":
    sys.exit(main())

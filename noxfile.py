"""The tests on every Python that crm-core supports: `nox`, or `nox -s tests-3.12` for one of them."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run all tests; what follows `--` goes to pytest."""
    projects = sorted(
        [*Path().glob("plugins/*/pyproject.toml"), *Path().glob("tests/dists/crm-partner-*/pyproject.toml")]
    )
    editable = [f"--editable=./{project.parent}" for project in projects]
    session.install("--constraint=constraints.txt", "--upgrade", "pip", "setuptools")
    session.install(
        "--constraint=constraints.txt",
        "--no-build-isolation",
        "--group=test",
        "--editable=.[postgresql]",
        *editable,
    )
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)

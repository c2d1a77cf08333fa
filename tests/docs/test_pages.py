"""Every example of the documentation runs as it stands, and prints what the page says."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from examples import ROOT, mismatch, parse, run, steps

# Pages with a test of their own, which knows more about them than this one.
ELSEWHERE = {
    "docs/how-to/migrate.md": "tests/migrations/test_docs.py",
    "docs/how-to/write-a-hook.md": "tests/assembly/test_documentation.py",
    "docs/reference/hooks.md": "tests/assembly/test_documentation.py",
    "docs/reference/commands.md": "tests/cli/test_commands_are_documented.py",
    "docs/reference/build-file.md": "tests/assembly/test_documentation.py",
    "docs/reference/expressions.md": "tests/expressions/test_reference.py",
}
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"]
    if "_build" not in path.parts
)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_the_examples_of_the_page_run_as_they_stand(page: str, tmp_path: Path, crm_server: str) -> None:
    wrong = run(ROOT / page, tmp_path, server=crm_server)

    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_page_tested_elsewhere_is_named_there(page: str) -> None:
    assert (ROOT / page).is_file()
    assert Path(page).name in (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")


@pytest.mark.store
@pytest.mark.parametrize("page", [page for page in PAGES if "<!-- docs: postgresql -->" in (ROOT / page).read_text()])
def test_the_examples_for_postgresql_run_as_they_stand(
    page: str, tmp_path: Path, postgresql_server, crm_server: str
) -> None:
    if shutil.which("pg_dump") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no pg_dump: install postgresql-client")
    server = postgresql_server
    environ = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres"}
    text = (ROOT / page).read_text(encoding="utf-8")
    names = set(re.findall(r"postgresql(?:\+psycopg)?:///(\w+)", text))
    for name in names - set(re.findall(r"^\$ createdb (\w+)$", text, re.MULTILINE)):
        server.create_database(name)
    try:
        wrong = run(ROOT / page, tmp_path, environ=environ, postgresql=True, server=crm_server)
    finally:
        for name in names:
            server.drop_database(name)

    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_page_lead_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http:", "https:", "mailto:", "#")):
            assert (ROOT / page).parent.joinpath(target.partition("#")[0]).exists(), target


def test_both_readmes_have_the_same_examples_and_sections() -> None:
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))

    assert [each.code for each in parse(english)] == [each.code for each in parse(chinese)]
    headings = re.compile(r"^#+ ", re.MULTILINE)
    assert headings.findall(english) == headings.findall(chinese)
    links = re.compile(r"\]\(([^)]+)\)")
    assert set(links.findall(english)) - {"README.zh-CN.md"} == set(links.findall(chinese)) - {"README.md"}


PAGE = """\
Text.

```python
print(1)
```

```text
1
```

<!-- docs: fails -->
```console
$ false
$ exit 3
oh \\
```

<!-- docs: file a/b.csv -->
```csv
x
```
"""


def test_examples_are_found_with_their_output() -> None:
    found = list(steps(parse(PAGE)))

    assert [step["do"] for step in found] == ["python", "shell", "shell", "write"]
    assert found[0] == {"do": "python", "code": "print(1)\n", "line": 4, "output": "1\n"}
    assert [step["code"] for step in found[1:3]] == ["false", "exit 3"]
    assert found[2]["output"] == "oh \\"
    assert found[3]["path"] == "a/b.csv"


def test_an_output_that_differs_is_told() -> None:
    assert mismatch("a ... c\n", "a b c  \n\n") is None
    assert mismatch("a\n", "b\n") is not None


def test_an_example_that_fails_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\nraise ValueError(x)\n```\n", encoding="utf-8")

    (wrong,) = run(page, tmp_path)

    assert "page.md" in wrong and "line 3" in wrong and "ValueError: 1" in wrong

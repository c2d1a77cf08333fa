"""A wrong name after an option that names a file to write costs neither the database nor the build file."""

import pytest

WRITING = [
    ("show", "account", "Acme Bearings", "--html"),
    ("--user", "li.wei", "today", "--html"),
    ("quality", "--html"),
    ("duties", "--html"),
    ("build", "fields", "--html"),
    ("build", "diff", "--write"),
    ("build", "graph", "--to"),
    ("build", "rehearse", "--to", "next.toml", "--html"),
    ("handover", "briefing", "1", "--all", "--html"),
    ("export", "account", "--format", "csv", "--to"),
    ("export", "contact", "--to"),
    ("--user", "li.wei", "calendar", "--to"),
]


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
@pytest.mark.parametrize("suffix", ["", ".vcf", ".ics"])
def test_neither_the_database_nor_the_build_file_is_replaced(company, crm, command, suffix):
    database = next(company.glob("*.db"))
    (company / "next.toml").write_bytes((company / "crm.toml").read_bytes())
    kept = [company / "crm.toml", database]
    if suffix:  # whatever it is called
        kept = [database.rename(database.with_name(f"crm{suffix}"))]
        (company / "crm.toml").write_text((company / "crm.toml").read_text().replace(database.name, kept[0].name))
    for path in kept:
        before = path.read_bytes()
        ended = crm(*command, path.name, code=None)
        assert ended.code != 0, ended
        assert path.read_bytes() == before
        if not suffix and "calendar" not in command and command[-1] != "--to":
            assert ended.code == 4
            assert "would be replaced. Choose another place" in " ".join(ended.err.split()), ended


def test_it_is_said_in_chinese_too(company, crm):
    said = crm("show", "account", "Acme Bearings", "--html", "crm.toml", code=4, environ={"LANG": "zh_CN.UTF-8"})
    assert "存放设置，会被覆盖" in said.err


def test_a_page_is_replaced_by_the_page_of_the_next_day(company, crm):
    for _ in range(2):
        crm("show", "account", "Acme Bearings", "--html", "acme.html")
    assert "Acme Bearings" in (company / "acme.html").read_text(encoding="utf-8")

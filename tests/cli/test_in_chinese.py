"""What people read in Chinese: no sentence or header of ours is English, and records are called by their labels."""

from __future__ import annotations

import re

import pytest

from crm_core.cli.output import Output

MAPPING = """\
[source]
system = "old"

[[section]]
name = "客户"
record = "account"
file = "accounts.csv"
key = "编号"

[section.fields]
name = "名称"
employees = { column = "人数", transform = "int" }
registration_country = { column = "国家", transform = "country_code" }
"""
ROWS = "编号,名称,人数,国家\n1,甲,许多,中国\n2,乙,1.5,德国\n3,丙,7,Germny\n4,丁,8,中国\n"


@pytest.fixture
def chinese(company, crm, monkeypatch):
    """Runs a command in Chinese; ``said.untranslated`` collects what had no translation."""
    untranslated: set[str] = set()

    def watch(name, texts):
        original = getattr(Output, name)

        def watched(self, *args, **options):
            for text in texts(args, options):
                if re.search(r"[A-Za-z]{2}", re.sub(r"\{[^}]*\}", "", text)) and self.translator.text(text) == text:
                    untranslated.add(text)
            return original(self, *args, **options)

        monkeypatch.setattr(Output, name, watched)

    watch("say", lambda args, _: args[:1])
    watch("note", lambda args, _: args[:1])
    watch("table", lambda args, options: (*(each for each in args[0] if each.isascii()), options.get("title", "")))

    def run(*args, code=0, user=None):
        return crm("--lang", "zh_CN", *(("--user", user) if user else ()), *args, code=code)

    run.untranslated = untranslated
    return run


def test_nothing_that_a_command_says_is_left_in_english(chinese, company):
    (company / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    (company / "accounts.csv").write_text(ROWS, encoding="utf-8")
    commands = [
        ("user", "list"), ("unit", "list"), ("list", "account"), ("list", "user", "--count"), ("show", "account", "K"),
        ("show", "account", "Acme Bearings", "--why"), ("show", "user", "li.wei"), ("timeline", "Acme Bearings"),
        ("history", "account", "Acme Bearings"), ("search", "acme"), ("search", "nothing at all"),
        ("search", "reindex", "--check"), ("duplicates",), ("duplicates", "reindex"), ("pool",),
        ("pool", "show", "east"), ("pool", "recycle", "--dry-run"), ("pool", "recycle"),
        ("pool", "assign", "--dry-run"),
        ("pool", "simulate", "--days", "60"), ("pool", "history", "Acme Bearings"), ("duties",), ("quality",),
        ("quality", "propose", "account", "Acme Bearings", "name=Acme"), ("quality", "--mine"), ("build", "fields"),
        ("jobs",), ("jobs", "run", "jobs.tidy"), ("jobs", "run", "pool.recycle", "--dry-run"), ("plugins",),
        ("handover", "draft", "li.wei", "--to", "zhao.min"), ("handover", "list"), ("handover", "risks"),
        ("import", "mapping.toml", "--dry-run"), ("import", "mapping.toml"), ("undo", "--last", "--dry-run"), ("undo",),
        ("merge", "account", "Acme Bearings", "华东轴承", "--dry-run"),
        ("merge", "account", "Acme Bearings", "华东轴承"), ("migrate", "--plan"), ("worker", "--once"),
        ("export", "account", "--to", "a.csv"),
    ]  # fmt: skip
    for command in commands:
        chinese(*command, code=None)
    chinese("today", user="wang.fang")
    assert chinese.untranslated == set()


def test_records_roles_and_sources_are_called_by_their_labels(chinese, company):
    (company / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    (company / "accounts.csv").write_text(ROWS, encoding="utf-8")
    imported = chinese("import", "mapping.toml").out
    assert re.search(r"^客户 +客户 +4 +1 ", imported, re.MULTILINE)
    assert "'许多' 不是数字。" in imported and "'1.5' 不是整数。" in imported
    assert "最接近的名称是 'germany'" in imported
    undone = chinese("undo", "--last", "--dry-run").out
    assert re.search(r"^删除 +客户 +1", undone, re.MULTILINE) and "account" not in undone
    assert re.search(r"cli +导入 ", chinese("undo").out)
    users = chinese("user", "list").out
    assert "姓名" in users and "(管理员)" in users and "administrator" not in users
    assert "没有客户 'Nobody'。" in chinese("show", "account", "Nobody", code=6).err
    # What people type stays as they type it.
    assert "account 没有字段 'nam'" in chinese("list", "account", "--where", 'nam == "x"', code=4).err


def test_one_english_word_for_two_things_is_two_words(chinese):
    found = chinese("search", "acme").out.splitlines()[0]
    assert found.split() == ["记录", "编号", "名称", "匹配内容", "客户"]
    merged = chinese("merge", "account", "Acme Bearings", "华东轴承", "--dry-run").out
    assert "有值者优先" in merged and "填写率" not in merged
    assert "填写率" in chinese("build", "fields").out


def test_english_names_stay_as_they_are_typed(company, crm):
    assert "(administrator)" in crm("user", "list").out
    assert "There is no account 'Nobody'." in crm("show", "account", "Nobody", code=6).err

"""``crm today``: one screen, as JSON and as a page; who reads it has looked."""

from __future__ import annotations

import re


def visit(crm):
    crm("--user", "zhao.min", "shell", "-c", """
acme = session.list(Account, 'name == "Acme Bearings"')[0]
session.add(Activity(kind="visit", subject="Trial run", account_id=acme.id,
                     status=activities.Status.HELD, outcome="<script>alert(1)</script> works"))
session.commit()""")  # fmt: skip


def share(crm):
    crm("--user", "li.wei", "shell", "-c", """
from crm_core import ownership, OwnershipRole
ownership.assign(session, session.list(Account, 'name == "Acme Bearings"')[0], to="zhao.min",
                 role=OwnershipRole.COLLABORATOR)
session.commit()""")  # fmt: skip


def grant(company):
    file = company / "crm.toml"
    text = file.read_text("utf-8")
    file.write_text(
        text.replace('"account.update" = "own"', '"account.update" = "own", "activity.create" = "own"'), "utf-8"
    )


def test_news_are_told_once_and_what_to_do_always(company, crm):
    grant(company)
    share(crm)
    crm("--user", "li.wei", "today")
    visit(crm)
    first = crm("--user", "li.wei", "today")
    assert "Trial run" in first.out
    assert "赵敏" in first.out
    assert "To do" in first.out
    again = crm("--user", "li.wei", "today").out
    assert "Trial run" not in again
    assert "Nothing." in again
    assert "Trial run" in crm("--user", "li.wei", "today", "--since", "2020-01-01").out
    assert "Trial run" not in crm("--user", "li.wei", "today").out


def test_kept_news_and_those_of_others_are_told_again(company, crm):
    grant(company)
    share(crm)
    crm("--user", "li.wei", "today")
    visit(crm)
    assert "Trial run" in crm("--user", "li.wei", "today", "--keep").out
    assert "Trial run" in crm("today", "--as", "li.wei").out
    assert "Trial run" in crm("--user", "li.wei", "today", "--as", "li.wei").out
    assert "Trial run" not in crm("--user", "li.wei", "today").out


def test_as_json(company, crm):
    grant(company)
    share(crm)
    crm("--user", "li.wei", "today")
    visit(crm)
    shown = crm("--user", "li.wei", "today", "--json", "--keep").json
    (account,) = shown["news"]["accounts"]
    assert account["name"] == "Acme Bearings"
    (learned,) = account["learned"]
    assert (learned["kind"], learned["count"]) == ("visit", 1)
    assert learned["said"].startswith("Trial run: ")
    assert "look" not in shown["news"]
    (confirm,) = [each for each in shown["actions"]["actions"] if each["kind"] == "confirm"]
    assert "陈小明" in confirm["said"]


def test_as_a_page(company, crm):
    grant(company)
    share(crm)
    crm("--user", "li.wei", "today")
    visit(crm)
    crm("--user", "li.wei", "--lang", "zh_CN", "today", "--html", "today.html")
    html = (company / "today.html").read_text("utf-8")
    assert "Trial run" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert '<html lang="zh-CN">' in html
    assert "<h1>今日 · <bdi>李伟</bdi></h1>" in html and "<title>今日: 李伟" in html
    assert "Trial run" not in crm("--user", "li.wei", "today").out


def test_a_former_owner_reads_the_name_and_why(company, crm):
    crm("--user", "wang.fang", "today", "--keep")
    shown = crm("--user", "wang.fang", "today").out
    assert "Acme Bearings" in shown
    assert "moved" in shown or "handover" in shown
    assert "李伟" not in shown


def test_a_system_principal_has_no_day(company, crm):
    assert "crm --user LOGIN today" in crm("today", code=2).err
    assert "may not look at the CRM" in crm("--user", "wang.fang", "today", "--as", "li.wei", code=5).err


def test_long_lists_are_cut_and_counted(company, crm):
    crm("shell", "-c", """
import datetime as dt
from crm_core import activities
acme = session.list(Account, 'name == "Acme Bearings"')[0]
for number in range(20):
    activities.plan(session, "visit", f"Visit {number}", start=dt.date(2026, 1, 1), account=acme, user="li.wei")
session.commit()""")  # fmt: skip
    shown = crm("--user", "li.wei", "today").out
    assert "Visit 10" in shown
    assert "Visit 17" not in shown
    assert re.search(r"\.\.\. and [5-9] more", shown)
    assert "Visit 19" in crm("--user", "li.wei", "today", "--all").out

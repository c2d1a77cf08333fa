import pytest

from crm_core.store.tables import CHANGE_SET


def test_an_account_with_its_overview(company, crm):
    shown = crm("show", "account", "Acme Bearings").out
    for part in ("Acme Bearings", "1200.50 CNY", "上海, CN", "Vehicles", "12", "李伟", "陈小明", "+8613800138000",
                 "Customer", "华东轴承", "Spring visit", "Owner", "What to ask next", "Completeness"):  # fmt: skip
        assert part in shown
    present, former = shown.split("Responsible")[1].split("People")[0].split("Formerly responsible")
    assert "王芳" not in present
    assert "王芳" in former


def test_who_owned_it_before(company, crm):
    shown = crm("show", "account", "Acme Bearings", "--at", "2025-12-31").out
    assert "王芳" in shown.split("Responsible")[1].split("\n\n")[0]
    assert "2026-01-01" in shown.split("Formerly responsible")[1].split("\n\n")[0], "who is to own it later"


def test_by_id_by_key_and_by_login(company, crm):
    id_ = crm("show", "account", "erp:K-1", "--json").json["record"]["id"]
    assert crm("show", "account", id_, "--json").json["record"]["name"] == "Acme Bearings"
    assert crm("show", "user", "li.wei", "--json").json["record"]["name"] == "李伟"
    assert crm("show", "unit", "hq", "--json").json["record"]["name"] == "HQ"


def test_json_is_plain(company, crm):
    shown = crm("show", "account", "Acme Bearings", "--json", "--why").json
    record = shown["record"]
    assert record["revenue"] == {"amount": "1200.5", "currency": "CNY"}
    assert record["address"] == {"city": "上海", "country": "CN"}
    assert record["tags"] == ["vip"]
    assert record["custom"] == {"vehicles": 12}
    assert record["created_at"].endswith("+00:00")
    assert shown["overview"]["responsible"][0]["name"] == "李伟"
    assert shown["overview"]["people"][0]["since"] == "2025-03-01T00:00:00.000000+00:00"
    assert shown["why"] == [{"kind": "system", "text": "cli is a system principal"}]


def test_a_record_that_is_no_account(company, crm):
    shown = crm("show", "activity", "Spring visit").out
    assert "Activity" in shown
    assert "Planned" in shown
    assert "Acme Bearings" in shown
    assert "2025-03-01 08:00" in shown


@pytest.mark.parametrize(("reference", "said"), [
    ("acme", "Did you mean Acme Bearings?"),
    ("nothing at all", "Give an id, a name, or a key as system:key."),
    ("erp:K-2", "There is no account 'erp:K-2'."),
    ("999999", "There is no account 999999."),
    ("Twin", "Several records of the type account are called 'Twin': "),
])  # fmt: skip
def test_what_is_not_found(company, crm, reference, said):
    assert said in crm("show", "account", reference, code=6).err


def test_a_type_without_a_title_is_found_by_id(company, crm):
    id_ = crm("list", "ownership", "--json").json["records"][0]["id"]
    assert "Ownership" in crm("show", "ownership", id_).out
    assert "There is no ownership 'x'" in crm("show", "ownership", "x", code=6).err


def test_through_the_eyes_of_another(company, crm):
    assert crm("--user", "li.wei", "show", "account", "Acme Bearings", "--as", "wang.fang", code=6).out == ""
    said = crm("--user", "li.wei", "show", "account", "Acme Bearings", "--as", "wang.fang", "--why").out
    assert said.startswith("wang.fang does not see the account ")
    said = crm("--user", "li.wei", "show", "account", "Acme Bearings", "--as", "wang.fang", "--why", "--json").json
    assert said["why"] == []
    assert "is a system principal" not in crm("show", "account", "Acme Bearings", "--as", "li.wei", "--why").out
    assert "may not look at the CRM" in crm("--user", "wang.fang", "list", "account", "--as", "li.wei", code=5).err
    assert "no user with the login" in crm("list", "account", "--as", "nobody", code=6).err


def test_keys_tell_nothing_of_what_one_may_not_see(company, crm):
    said = crm("--user", "zhao.min", "show", "account", "erp:K-1", code=6).err
    assert "There is no account 'erp:K-1'" in said


def test_the_recorded_past(company, crm):
    from crm_core import Crm

    with Crm.open(company / "crm.toml") as opened, opened.store.engine.connect() as connection:
        first = connection.execute(CHANGE_SET.select().order_by(CHANGE_SET.c.at)).first()
    shown = crm("show", "account", "Acme Bearings", "--as-of", first.at.isoformat())
    assert "Grade" in shown.out
    assert " A " in shown.out.split("Grade")[1].split("\n")[0] + " "
    assert "only the fields" in shown.err
    assert (
        crm("show", "account", "Acme Bearings", "--as-of", first.at.isoformat(), "--json").json["record"]["grade"]
        == "A"
    )
    assert "There is no" in crm("show", "account", "Acme Bearings", "--as-of", "2020-01-01", code=6).err
    assert crm("list", "ownership", "--as-of", first.at.isoformat(), "--fields", "id,account_id,created_at").out


def test_restricted_fields_are_not_shown_to_everybody(company, crm):
    id_ = crm("list", "activity", "--where", 'kind == "call"', "--json").json["records"][0]["id"]
    crm("--user", "li.wei", "shell", "-c", """
from crm_core import ownership
ownership.assign(session, session.list(Account, 'name == "Acme Bearings"')[0], to="zhao.min", scope="x")
session.commit()""")  # fmt: skip
    assert "secret" in crm("show", "activity", id_).out
    shown = crm("--user", "zhao.min", "show", "activity", id_, "--json").json
    assert "note" not in shown["record"]
    assert "secret" not in crm("--user", "zhao.min", "history", "activity", id_).out
    denied = crm("--user", "zhao.min", "list", "activity", "--fields", "id,note", code=5)
    assert "activity.note may not be read by zhao.min." in denied.err


def test_the_page_stands_by_itself(company, crm):
    wrote = crm("show", "account", "Acme Bearings", "--html", "acme.html")
    assert wrote.out == ""
    assert "acme.html" in wrote.err
    html = (company / "acme.html").read_text("utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "陈小明" in html
    assert "<script" not in html
    assert crm("--lang", "zh_CN", "show", "account", "Acme Bearings", "--html", "-").out.startswith("<!DOCTYPE html>")
    then = crm("show", "account", "Acme Bearings", "--at", "2025-12-31", "--html", "-").out
    assert "王芳 (Owner)" in then
    assert "李伟 (Owner)" in html


def test_only_an_account_has_a_page(company, crm):
    assert "--html is for" in crm("show", "user", "li.wei", "--html", "x.html", code=2).err
    refused = crm("show", "account", "Acme Bearings", "--as-of", "2099-01-01", "--html", "x.html", code=2)
    assert "--html is for" in refused.err
    assert not (company / "x.html").exists()
    crm("show", "account", "Acme Bearings", "--html", "no/such/folder/x.html", code=1)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_it_fits_the_terminal(company, crm, monkeypatch, columns, language):
    import io

    from crm_core.cli.application import Application
    from crm_core.cli.formatting import width
    from crm_core.cli.output import Output
    from crm_core.cli.running import run

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    application = Application({})
    monkeypatch.setattr(
        Application, "output", property(lambda self: Output(self.translator, screen, screen)), raising=True
    )
    assert run(["--lang", language, "show", "account", "Acme Bearings"], application) == 0
    lines = screen.getvalue().splitlines()
    assert len(lines) > 30
    assert max(width(line) for line in lines) <= columns
    assert any("陈小明" in line for line in lines)


def test_a_group_former_people_handovers_and_withdrawn_fields(company, crm):
    crm("shell", "-c", """
import datetime as dt
from crm_core import accounts, contacts, handovers, ownership, Lifecycle
acme = session.list(Account, 'name == "Acme Bearings"')[0]
east = session.list(Account, 'name == "华东轴承"')[0]
top = session.add_one(Account(name="Top Group"))
accounts.relate(session, acme, "branch", top)
accounts.relate(session, top, "partner", acme)
ownership.assign(session, east, to="li.wei", since_always=True)
ann = session.add_one(Contact(name="Ann"))
contacts.affiliate(session, ann, acme, role="director", from_=dt.date(2020, 1, 1))
contacts.move(session, ann, to=east, role="owner", at=dt.date(2024, 1, 1))
accounts.promote(session, acme, "dormant", business_line="pumps", at=dt.date(2024, 1, 1))
accounts.promote(session, acme, "lost", business_line="pumps", at=dt.date(2024, 6, 1))
session.commit()""")  # fmt: skip
    crm("handover", "draft", "li.wei", "--to", "wang.fang", "--reason", "leaves")
    file = company / "crm.toml"
    text = file.read_text("utf-8").partition("[custom_fields.account.vehicles]")
    roles = text[2].partition("[roles.clerk]")
    retired = '[retired_fields.account]\nvehicles = "number"\n\n'
    file.write_text(text[0] + retired + roles[1] + roles[2], "utf-8")
    shown = crm("show", "account", "Acme Bearings").out
    for part in ("Top Group › Acme Bearings", "Group", "华东轴承", "→ 华东轴承 (owner)", "2020-01-01 – 2024-01-01",
                 "Branch of", "Partner of", "Handover from 李伟 to 王芳: Drafted", "Lost (pumps)", "vehicles",
                 "Yearly revenue"):  # fmt: skip
        assert part in shown, part
    data = crm("show", "account", "Acme Bearings", "--json").json["overview"]
    assert data["group"]["rollup"]["accounts"] == 2
    assert data["group"]["rollup"]["sums"][0]["amount"] == {"amount": "1200.5", "currency": "CNY"}
    assert data["handovers"][0]["state"] == "drafted"
    assert data["quality"]["ask"][0]["text"]
    crm("show", "account", "Acme Bearings", "--html", "acme.html")
    assert "Top Group" in (company / "acme.html").read_text("utf-8")

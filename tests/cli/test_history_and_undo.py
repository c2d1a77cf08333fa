import pytest


def test_history(company, crm):
    shown = crm("history", "account", "Acme Bearings").out
    assert "“handover”" in shown
    assert "A → C" in shown
    assert "created" in shown
    events = crm("history", "account", "Acme Bearings", "--json").json["events"]
    assert [each["operation"] for each in events] == ["create", "update"]
    assert events[1]["before"] == {"grade": "A"}
    assert events[1]["after"] == {"grade": "C"}
    assert events[0]["after"]["revenue"] == {"amount": "1200.5", "currency": "CNY"}


def test_what_is_deleted_has_a_history_by_its_id(company, crm):
    id_ = crm("show", "account", "华东轴承", "--json").json["record"]["id"]
    crm("shell", "-c", f"session.delete(session.get(Account, {id_})); session.commit()")
    assert "deleted" in crm("history", "account", id_).out
    assert "There is no account" in crm("--user", "zhao.min", "history", "account", id_, code=6).err
    assert "There is no account" in crm("history", "account", "华东轴承", code=6).err


def test_custom_fields_and_words_in_a_history(company, crm):
    crm("shell", "-c", """
a = session.list(Account, 'grade == "C"')[0]
a.custom = {"vehicles": 13}
a.kind = "partner"
session.commit()""")  # fmt: skip
    shown = crm("history", "account", "Acme Bearings").out
    assert "Vehicles  12 → 13" in shown
    assert "Company → Partner" in shown
    assert crm("history", "account", "Acme Bearings", "--json").json["events"][-1]["after"]["custom"] == {
        "vehicles": 13
    }


def test_change_sets_are_listed_and_undone(company, crm):
    assert "'crm undo CHANGE_SET --dry-run'" in crm("undo").err
    latest, first = crm("undo", "--json").json["change_sets"]
    assert latest["reason"] == "handover"
    tried = crm("undo", latest["id"], "--dry-run")
    assert "can be undone. Nothing was changed." in tried.out
    done = crm("undo", "--last", "--reason", "a mistake", "--json").json
    assert done["undone"]["id"] == latest["id"]
    assert done["reverted"]["account"] == 1
    assert crm("show", "account", "Acme Bearings", "--json").json["record"]["grade"] == "A"
    assert crm("undo", "--json").json["change_sets"][0]["reason"] == "a mistake"
    again = crm("undo", done["change_set"])
    assert f"Undone: the change set {done['change_set']}" in again.out
    assert "reverted" in again.out
    assert crm("undo", first["id"], "--dry-run", "--json").json["conflicts"]


def test_conflicts_are_told_one_by_one(company, crm):
    first = crm("undo", "--json").json["change_sets"][-1]["id"]
    said = crm("undo", first, code=7).err
    assert "cannot be undone" in said
    assert "  - account" in said
    shown = crm("undo", first, "--dry-run").out
    assert "  - account" in shown
    assert "cannot be undone: later changes stand on it" in shown


@pytest.mark.parametrize(("args", "code", "said"), [
    (["undo", "5", "--last"], 2, "either a change set or --last"),
    (["undo", "x"], 2, "'x' is no whole number"),
    (["undo", "123456"], 6, "There is no change set 123456."),
    (["--user", "zhao.min", "undo", "--last"], 6, "There is no change set yet."),
])  # fmt: skip
def test_what_cannot_be_undone(company, crm, args, code, said):
    assert said in crm(*args, code=code).err


def test_nothing_left_to_undo(company, crm):
    id_ = crm("list", "account", "--where", 'name == "华东轴承"', "--json").json["records"][0]["id"]
    crm("shell", "-c", "session.add(Contact(name='Nobody')); session.commit()")
    made = crm("undo", "--json").json["change_sets"][0]["id"]
    crm("shell", "-c", "session.delete(session.list(Contact, 'name == \"Nobody\"')[0]); session.commit()")
    assert "nothing left to undo" in crm("undo", made).out
    assert id_


def test_timeline(company, crm):
    shown = crm("timeline", "Acme Bearings").out
    assert "Spring visit" in shown
    assert "Ownership" in shown or "ownership" in shown
    entries = crm("timeline", "Acme Bearings", "--until", "2025-12-31", "--since", "2025-02-01", "--json").json[
        "entries"
    ]
    assert {each["kind"] for each in entries} == {"visit", "call", "affiliation", "lifecycle"}
    assert len(crm("timeline", "Acme Bearings", "--limit", 1, "--json").json["entries"]) == 1


def test_nothing_in_the_journal(company, crm, template):
    import sqlite3

    id_ = crm("list", "account", "--where", 'grade == "B"', "--json").json["records"][0]["id"]
    with sqlite3.connect(company / "crm.db") as connection:
        connection.execute("DELETE FROM crm_change WHERE record_id = ?", [id_])
    connection.close()
    assert "Nothing of it is in the journal." in crm("history", "account", id_).err

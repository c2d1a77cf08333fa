"""``crm unit``."""

from __future__ import annotations

import re

from crm_core import Crm, Membership, Unit


def test_units_are_made_and_shown_as_a_tree(company, crm):
    made = crm("unit", "add", "North", "--parent", "hq", "--code", "N", "--kind", "region", "--manager", "zhao.min",
               "--json").json["units"]  # fmt: skip
    assert [(each["name"], each["code"], each["kind"], each["people"], each["managers"]) for each in made] == [
        ("North", "N", "region", 1, ["赵敏"])
    ]
    crm("unit", "add", "Beijing", "--parent", "N")
    shown = crm("unit", "list").out.splitlines()[2:]
    assert [re.split(r" {2,}", line.strip(), maxsplit=1)[1].split()[0] for line in shown] == [
        "HQ", "East", "North", "Beijing",
    ]  # fmt: skip
    assert re.search(r"^\d+ +HQ +hq +department +1 *$", shown[0])
    assert re.search(r"^\d+ {5}North +N +region +1 +赵敏", shown[2])
    units = crm("unit", "list", "--json").json["units"]
    assert [(each["name"], each["depth"]) for each in units] == [("HQ", 0), ("East", 1), ("North", 1), ("Beijing", 2)]


def test_a_unit_is_moved_with_those_below_it(company, crm):
    crm("unit", "add", "North", "--parent", "HQ")
    crm("unit", "add", "Beijing", "--parent", "North")
    moved = crm("unit", "move", "North", "--to", "East", "--reason", "fewer regions", "--json").json["units"][0]
    with Crm.open("crm.toml") as opened, opened.system_session("test", read_only=True) as session:
        assert session.require(Unit, moved["parent_id"]).name == "East"
    tree = [(each["name"], each["depth"]) for each in crm("unit", "list", "--json").json["units"]]
    assert tree == [("HQ", 0), ("East", 1), ("North", 2), ("Beijing", 3)]
    crm("unit", "move", "North", "--top")
    tree = [(each["name"], each["depth"]) for each in crm("unit", "list", "--json").json["units"]]
    assert tree == [("HQ", 0), ("East", 1), ("North", 0), ("Beijing", 1)]
    assert crm("undo", "--last").code == 0


def test_what_of_units_is_refused(company, crm):
    crm("unit", "add", "North", "--parent", "HQ", "--code", "N")
    assert "There is a unit 'North' already" in crm("unit", "add", "North", "--parent", "HQ", code=7).err
    assert "There is a unit 'North' already" in crm("unit", "add", "South", "--code", "N", code=7).err
    assert "There is no unit 'Nowhere'" in crm("unit", "add", "South", "--parent", "Nowhere", code=6).err
    assert "There is no user 'nobody'" in crm("unit", "add", "South", "--manager", "nobody", code=6).err
    cycle = crm("unit", "move", "HQ", "--to", "North", code=7)
    assert "would be above itself" in cycle.err and cycle.out == ""
    assert "Give either --to UNIT or --top." in crm("unit", "move", "North", code=2).err
    crm("unit", "add", "North", "--parent", "East")
    assert "Several units are called 'North'" in crm("unit", "move", "North", "--top", code=7).err
    with Crm.open("crm.toml") as opened, opened.system_session("test", read_only=True) as session:
        assert session.count(Unit) == 4
        assert session.count(Membership) == 3


def test_only_those_in_charge_change_units(company, crm):
    assert crm("--user", "wang.fang", "unit", "list", "--json").json["units"] != []
    assert (
        "wang.fang may not create records of type unit"
        in crm("--user", "wang.fang", "unit", "add", "Mine", "--parent", "East", code=5).err
    )
    assert crm("--user", "wang.fang", "unit", "move", "East", "--top", code=5).err
    assert crm("--user", "li.wei", "unit", "add", "Ours", "--parent", "East").code == 0


def test_units_in_chinese(company, crm):
    shown = crm("--lang", "zh_CN", "unit", "add", "North", "--kind", "region").out
    assert "大区" in shown and "大区" in crm("--lang", "zh_CN", "unit", "list").out
    assert re.search(r"[A-Za-z]{3,}", crm("--lang", "zh_CN", "unit", "list").out.splitlines()[0]) is None

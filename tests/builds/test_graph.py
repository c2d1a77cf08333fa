"""The picture of a build."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from crm_core.assembly import assemble
from crm_core.builds.drawing import draw, svg

ALL = ["stakeholders", "consumer_goods", "industrial", "project_sales", "key_accounts"]
SVG = "{http://www.w3.org/2000/svg}"


def test_everything_of_the_build_is_in_the_picture():
    build = assemble({"crm": {"plugins": ALL, "name": "海尔 <Industry>"}})
    picture = ET.fromstring(svg(build))
    texts = {"".join(each.itertext()) for each in picture.iter(f"{SVG}text")}
    titles = {each.text for each in picture.iter(f"{SVG}title")}
    assert "海尔 <Industry>" in texts
    assert set(build.types) <= titles
    assert {hook for hook in build.report.hooks if not hook.startswith("crm_register_")} <= texts
    assert any("Outlet" in each for each in texts)


def test_cards_do_not_overlap_and_stand_right_of_what_they_require():
    drawing = draw(assemble({"crm": {"plugins": ALL}}))
    cards = {card.name: card for card in drawing.cards}
    assert cards["project_sales"].x > cards["stakeholders"].x > cards["crm"].x
    for one in drawing.cards:
        assert one.x + one.width <= drawing.width
        assert one.y + one.height <= drawing.height
        for other in drawing.cards:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            apart = apart or one.y + one.height <= other.y or other.y + other.height <= one.y
            assert one is other or apart


@given(st.sets(st.sampled_from(["stakeholders", "consumer_goods", "industrial", "key_accounts"])))
def test_any_build_can_be_drawn(plugins):
    build = assemble({"crm": {"plugins": sorted(plugins)}})
    drawing = draw(build)
    assert {card.name for card in drawing.cards} == {"crm", *plugins}
    assert {row.name for card in drawing.cards for row in card.rows} == set(build.types)
    ET.fromstring(svg(build))


def test_on_the_command_line(crm, tmp_path):
    (tmp_path / "crm.toml").write_text('[crm]\nplugins = ["key_accounts"]\nlocale = "zh_CN"\n', encoding="utf-8")
    crm("--build", tmp_path / "crm.toml", "build", "graph", "--to", tmp_path / "build.svg")
    assert "Key accounts" in (tmp_path / "build.svg").read_text(encoding="utf-8")
    crm("--lang", "zh_CN", "--build", tmp_path / "crm.toml", "build", "graph", "--to", tmp_path / "build.svg")
    assert "大客户" in (tmp_path / "build.svg").read_text(encoding="utf-8")


def test_a_name_that_promises_another_format_is_refused(crm, tmp_path):
    (tmp_path / "crm.toml").write_text("[crm]\n", encoding="utf-8")
    for name in ("build.png", "build"):
        refused = crm("--build", tmp_path / "crm.toml", "build", "graph", "--to", tmp_path / name, code=2)
        assert f"{name} is to be a picture in SVG. End its name in .svg." in refused.err
        assert not (tmp_path / name).exists()
    crm("--build", tmp_path / "crm.toml", "build", "graph", "--to", tmp_path / "BUILD.SVG")

"""The report says what was decided, for people and for programs."""

from __future__ import annotations

import json

REPORTED = """
    @hookimpl
    def crm_check_changes(): ...

    @hookimpl
    def crm_check_contact(): ...

    @hookimpl
    def crm_gather_overview(): ...
"""


def test_the_report_tells_origin_order_vetoes_and_what_is_missing(install, build, write_plugin) -> None:
    install("crm-duplicate-a")
    one = write_plugin("report_b", REPORTED, label="B", description="The second.")
    two = write_plugin("report_a", REPORTED, requires={"report_b": ">=1"})

    report = build(
        two,
        one,
        write_plugin("report_broken", "1 / 0"),
        strict=False,
        drivers={"duplicate_test": "between"},
        roles={"x": {"permissions": {"nothing.at_all": "own"}}},
    ).report

    assert report.vetoers == {
        "crm_check_changes": ("report_b", "report_a"),
        "crm_check_contact": ("report_b", "report_a"),
    }
    data = json.loads(json.dumps(report.as_json()))
    assert [entry["name"] for entry in data["loaded"]] == ["crm", "report_b", "report_a"]
    assert data["loaded"][0]["distribution"] == "crm-core"
    assert data["loaded"][1]["description"] == "The second."
    assert data["loaded"][2]["requires"] == {"report_b": ">=1"}
    assert data["hooks"]["crm_gather_overview"] == ["report_b", "report_a"]
    assert "crm_on_changes" not in data["hooks"]
    assert data["vetoers"]["crm_check_contact"] == ["report_b", "report_a"]
    assert data["drivers"] == {"duplicate_test": "between"}
    assert data["left_out"][0]["plugin"] == "report_broken"
    assert "ZeroDivisionError" in data["left_out"][0]["reasons"][0]
    assert "matches no permission" in data["warnings"][0]
    assert (data["contract"], data["strict"], data["source"]) == ("0.1", False, None)

    sections = {section.title: section for section in report.sections()}
    assert list(sections) == ["Plugins, in load order", "Hooks, in call order", "Drivers", "Left out", "Warnings"]
    for section in sections.values():
        assert all(len(row) == len(section.header) for row in section.rows)
        assert all(isinstance(cell, str) for row in section.rows for cell in row)
    assert ("crm_check_changes", "report_b, report_a", "yes") in sections["Hooks, in call order"].rows
    assert ("crm_gather_overview", "report_b, report_a", "") in sections["Hooks, in call order"].rows
    assert sections["Plugins, in load order"].rows[1][:4] == ("report_b", "1.0", "the application", "")


def test_empty_sections_are_left_away(build) -> None:
    assert [section.title for section in build().report.sections()] == [
        "Plugins, in load order",
        "Hooks, in call order",
    ]

"""Custom fields are checked against what is declared, and become fields like the others."""

from __future__ import annotations

from typing import Any

import pytest

from crm_core.errors import BuildError, ValidationError
from crm_core.fields import KINDS


def refused(build, record: str = "account", name: str = "score", **section: Any) -> str:
    with pytest.raises(BuildError) as raised:
        build(custom_fields={record: {name: section}}, retired_fields=section.pop("retired", {}))
    (problem,) = raised.value.problems
    return str(problem)


@pytest.mark.parametrize("kind", ["text", "number", "day", "moment", "flag", "tags", "url", "email", "phone", "money"])
def test_a_field_of_every_kind_can_be_added(build, kind: str) -> None:
    custom = build(custom_fields={"account": {"score": {"kind": kind}}}).policy.custom

    field = custom["account"]["score"]
    assert type(field.kind) is KINDS[kind]
    assert (field.name, field.label, field.optional, field.required) == ("score", "Score", True, False)


def test_a_field_says_what_else_it_is(build) -> None:
    section = {"kind": "text", "length": 8, "label": "Club", "help": "Which?", "required": True, "personal": True}

    field = build(custom_fields={"contact": {"club": section}}).policy.custom["contact"]["club"]

    assert field.kind.length == 8
    assert (field.label, field.help, field.required, field.optional, field.personal) == (
        "Club",
        "Which?",
        True,
        False,
        True,
    )


def test_a_number_has_the_scale_that_is_given(build) -> None:
    field = build(custom_fields={"account": {"score": {"kind": "number", "scale": 0}}}).policy.custom["account"][
        "score"
    ]

    assert field.check(5) == 5
    assert field.kind.scale == 0


def test_a_choice_takes_its_words(build) -> None:
    section = {"kind": "choice", "choices": ["gold", "silver"]}
    field = build(custom_fields={"account": {"club": section}}).policy.custom["account"]["club"]

    assert field.check("gold").value == "gold"
    with pytest.raises(ValidationError, match="gold, silver"):
        field.check("tin")


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("grade", "a declared field"),
        ("version", "a column of the store"),
        ("activities", "the collection of activity"),
    ],
)
def test_a_name_that_means_something_already_is_refused(build, name: str, meaning: str) -> None:
    assert f"custom_fields.account.{name}: '{name}' is taken: it is {meaning}." in refused(
        build, name=name, kind="text"
    )


def test_the_way_to_another_record_keeps_its_name(build) -> None:
    assert "it is the way to another record" in refused(build, record="activity", name="account", kind="text")


def test_the_name_of_an_extension_stays_free_for_filters(build, write_plugin) -> None:
    manifest = write_plugin(
        "custom_extension",
        """
        @extends("account", "custom_extension.tier")
        class Tier(Record):
            grade: Mapped[str] = text()

        @hookimpl
        def crm_register_records():
            return [Tier]
        """,
    )

    with pytest.raises(BuildError, match=r"'custom_extension' is taken: it is the extension custom_extension\.tier"):
        build(manifest, custom_fields={"account": {"custom_extension": {"kind": "text"}}})


def test_a_name_is_snake_case(build) -> None:
    assert "'Score' is no name for a field. Write it in snake_case." in refused(build, name="Score", kind="text")


def test_an_unknown_record_is_told_with_the_one_that_was_meant(build) -> None:
    for section in ("custom_fields", "retired_fields"):
        value = {"score": {"kind": "text"}} if section == "custom_fields" else {"score": "text"}
        with pytest.raises(
            BuildError, match=rf"{section}\.acount: There is no record 'acount'. Did you mean account\?"
        ):
            build(**{section: {"acount": value}})


def test_a_record_of_a_plugin_is_quoted_as_in_the_file(build) -> None:
    assert refused(build, record="sales.order", kind="text").startswith('custom_fields."sales.order": ')


def test_a_retired_name_does_not_come_back_with_another_kind(build) -> None:
    retired = {"account": {"score": "text"}}

    with pytest.raises(BuildError, match="'score' was of kind text before it was retired"):
        build(custom_fields={"account": {"score": {"kind": "number"}}}, retired_fields=retired)

    again = build(custom_fields={"account": {"score": {"kind": "text"}}}, retired_fields=retired)
    assert "score" in again.policy.custom["account"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"kind": "number", "length": 5}, "score.length: A field of kind number has no length. Remove it."),
        ({"kind": "text", "scale": 2}, "score.scale: A field of kind text has no scale."),
        ({"kind": "text", "choices": ["a"]}, "score.choices: A field of kind text has no choices."),
        ({"kind": "choice"}, "score.choices: A choice needs different words of one to 40 characters."),
        ({"kind": "choice", "choices": ["a", "a"]}, "different words"),
        ({"kind": "choice", "choices": ["a" * 41]}, "one to 40 characters"),
        ({"kind": "text", "length": 0}, "score.length: A text of this length can hold nothing."),
        ({"kind": "money", "scale": 13}, "score.scale: Give 0 to 12 decimals."),
    ],
)
def test_options_that_do_not_suit_the_kind_are_refused(build, section: dict[str, Any], words: str) -> None:
    assert words in refused(build, **section)


def test_of_a_plugin_that_is_left_out_they_are_only_a_warning(build, write_plugin) -> None:
    manifest = write_plugin("custom_left_out", "raise RuntimeError('broken')")

    report = build(manifest, strict=False, custom_fields={"custom_left_out.thing": {"score": {"kind": "text"}}}).report

    assert 'custom_fields."custom_left_out.thing": There is no record' in str(report.warnings[0])

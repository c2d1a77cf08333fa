"""A reason is a text like any other, and can be said in another language."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from crm_core.errors import HookError, PermissionDenied
from crm_core.hooks import Failed
from crm_core.hooks.reasons import Reason
from crm_core.translation import Translator

DENIED = PermissionDenied("This session is read-only.", mend="Open one without read_only=True.", record="account")


def failed(error: str) -> HookError:
    return HookError("{plugin}: {hook} failed: {error}", plugin="scores", hook="crm_gather_overview", error=error)


@pytest.mark.parametrize("again", [lambda each: each, copy.copy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_reason_is_said_with_the_reasons_that_stand_in_it(again) -> None:
    reason = again(Reason(failed(Reason(DENIED, "PermissionDenied: "))))
    english = (
        "scores: crm_gather_overview failed: PermissionDenied: This session is read-only. "
        "Open one without read_only=True."
    )
    chinese = "scores：crm_gather_overview 失败：PermissionDenied: 该会话是只读的。"
    assert (reason, json.loads(json.dumps(reason))) == (english, english)
    assert reason.told(Translator("en")) == english == reason.text(str)
    assert reason.told(Translator("zh_CN")).startswith(chinese)
    assert reason.text(Translator("zh_CN")).startswith(chinese)


def test_a_reason_holds_on_to_nothing_that_the_failing_code_had_at_hand() -> None:
    try:
        raise failed("no connection")
    except HookError as error:
        reason = Reason(error)
    assert (reason.problem.__traceback__, reason.problem.__cause__) == (None, None)


def test_the_same_failure_is_told_once_and_one_without_a_sentence_as_it_is() -> None:
    first, second = (Failed("scores", "crm_gather_news", Reason(failed("no connection"))) for _ in range(2))
    assert list(dict.fromkeys([first, second])) == [first]
    assert Failed("scores", "crm_gather_news", "no connection").text(Translator("zh_CN")) == "no connection"


def test_a_reason_within_another_error_is_said_with_it() -> None:
    error = HookError(
        "{plugin} cannot tell the signs of life of accounts: {reason} Nothing is recycled meanwhile.",
        plugin="orders", reason=Reason(failed("no connection")),
    )  # fmt: skip
    assert "scores：crm_gather_overview 失败：no connection" in Translator("zh_CN").error(error)
    assert "scores：crm_gather_overview 失败：no connection" in Reason(error).text(Translator("zh_CN"))

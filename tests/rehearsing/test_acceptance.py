"""``[acceptance.<name>]`` is judged when the build is assembled."""

from __future__ import annotations

import pytest

from crm_core.assembly import assemble
from crm_core.errors import BuildError


@pytest.mark.parametrize(
    ("section", "path", "words"),
    [
        ({"record": "acount", "min": 1}, "acceptance.mine.record", "Did you mean account?"),
        ({"record": "account", "where": "nam == 'x'", "min": 1}, "acceptance.mine.where", "name"),
        ({"record": "account", "where": "name ==", "min": 1}, "acceptance.mine.where", ""),
        ({"record": "account"}, "acceptance.mine", "It expects nothing."),
        ({"record": "account", "count": 1, "max": 2}, "acceptance.mine", "count says it all"),
        ({"record": "account", "min": -1}, "acceptance.mine.min", "Give 0 or more."),
        ({"record": "account", "min": 3, "max": 2}, "acceptance.mine.min", "Exchange them."),
        ({"record": "account", "minn": 3}, "acceptance.mine.minn", "min"),
    ],
)
def test_a_mistake_says_where_and_what(section, path, words):
    with pytest.raises(BuildError) as found:
        assemble({"acceptance": {"mine": section}})
    assert [problem.path for problem in found.value.problems] == [path]
    assert words in found.value.problems[0].text()


def test_fields_that_only_a_few_may_read_can_be_asked_for():
    assemble({"acceptance": {"mine": {"record": "contact", "where": 'note == ""', "min": 0}}})

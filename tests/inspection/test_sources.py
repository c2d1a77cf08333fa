"""What source reads by name: attributes, expressions and keywords; not what it fills, exports or explains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.inspection.sources import mentions_in


def names(folder: Path, source: str) -> set[str]:
    file = folder / "module.py"
    file.write_text(source, encoding="utf-8")
    mentions_in.cache_clear()
    return set(mentions_in(file, "crm_fake"))


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("account.grade", {"grade"}),
        ("print(account.owner.login)", {"owner", "login"}),
        ('session.list(Account, \'grade == "A" and owner.login != "x"\')', {"list", "grade", "owner", "login"}),
        ('order = "name"', {"name"}),
        ('path = "owner.unit"', {"owner", "unit"}),
        ("query.filter_by(grade=1)", {"filter_by", "grade"}),
        ('custom["segment"]', {"segment"}),
        ('getattr(account, "grade")', {"grade"}),
        ('if "grade" in account.custom:\n    pass', {"grade"}),
    ],
)
def test_what_is_read(tmp_path: Path, source: str, read: set[str]) -> None:
    assert read <= names(tmp_path, source)


@pytest.mark.parametrize(
    "source",
    [
        "account.grade = 1",
        "Account(grade=1)",
        "domain.Account(grade=1)",
        'rows = {"grade": 1}',
        '"""grade"""',
        'def f():\n    "grade"\n    return 1',
        '__all__ = ["grade"]',
        'text = "The grade of an account."',
        "class Account:\n    grade: str = text(10)",
        "# grade",
        'class Kind(Enum):\n    GRADE = "grade"',
        'if kind == "grade":\n    pass',
        'if kind in ("grade", "size"):\n    pass',
        'match kind:\n    case "grade":\n        pass',
        'ContactPoint(kind="grade")',
    ],
)
def test_what_is_not_read(tmp_path: Path, source: str) -> None:
    assert "grade" not in names(tmp_path, source)


def test_places_have_module_line_and_what_is_spoken_of(tmp_path: Path) -> None:
    package = tmp_path / "crm_fake"
    (package / "views").mkdir(parents=True)
    (package / "__init__.py").write_text("x.grade\n", encoding="utf-8")
    (package / "views" / "list.py").write_text("from crm_core import Account\n\nx.grade\n", encoding="utf-8")
    (package / "testing").mkdir()
    (package / "testing" / "data.py").write_text("x.grade\n", encoding="utf-8")
    first, second = mentions_in(package, "crm_fake")["grade"]
    assert [str(first), str(second)] == ["crm_fake:1", "crm_fake.views.list:3"]
    assert "Account" in second.speaks_of and "Account" not in first.speaks_of


@given(st.text(max_size=80))
def test_any_text_may_stand_in_source(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in quotes is read as a name, an expression, or nothing: it never fails."""
    folder = tmp_path_factory.getbasetemp()
    assert isinstance(names(folder, f"x = {text!a}\ny.grade"), set)

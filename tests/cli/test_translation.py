"""Catalogues: complete, without what nobody says, and with the placeholders of their originals."""

from __future__ import annotations

from pathlib import Path

import pytest

import crm_core
from crm_core.errors import BuildError, ExpressionError, NotFound, Problem
from crm_core.store.explain import Ground
from crm_core.translation import ENGLISH, KERNEL_FOLDER, Translator, language_of
from crm_core.translation.__main__ import main
from crm_core.translation.catalogue import read
from crm_core.translation.extract import extract, texts
from crm_core.translation.update import catalogue_path, flaws, update
from crm_core.translation.words import in_words

PACKAGE = Path(crm_core.__file__).parent
ZH = Translator("zh_CN")


def test_the_kernel_speaks_chinese_completely():
    assert [str(flaw) for flaw in flaws(PACKAGE)] == [], "run: python -m crm_core.translation crm_core"
    assert len(read(catalogue_path(PACKAGE))) > 900


def test_the_sentences_are_chinese():
    for original, translated in read(catalogue_path(PACKAGE)).items():
        if original.endswith("."):
            assert not translated.isascii(), original
            assert translated.endswith(("。", "...", "……", "？")), translated


@pytest.mark.parametrize(("name", "language"), [
    ("zh_CN.UTF-8", "zh_CN"), ("zh", "zh_CN"), ("zh-Hans", "zh_CN"), ("en_GB@euro", "en"), ("C", "en"),
    ("C.UTF-8", "en"), ("POSIX", "en"), ("", "en"), ("fr_FR", None),
])  # fmt: skip
def test_languages_by_their_names(name, language):
    assert language_of(name) == language


def test_english_reads_no_file(tmp_path):
    assert ENGLISH.text("There is no {record} {id}.") == "There is no {record} {id}."
    assert Translator("en", [("x", tmp_path / "nowhere")]).text("") == ""


def test_an_error_in_chinese():
    error = NotFound("There is no {record} {id}.", mend="Check the id.", record="account", id=7)
    assert ZH.error(error) == "没有客户 7。请检查编号。"
    assert str(error) == "There is no account 7. Check the id."
    assert ZH.error(NotFound("Nobody translated this {id}.", id=7)) == "Nobody translated this 7."


def test_no_second_full_stop_follows_a_name_that_has_one():
    error = NotFound("There is no {name}.", mend="Ask {who}. Or leave it.", name="Acme Co., Ltd.", who="J. Smith Jr.")
    assert str(error) == "There is no Acme Co., Ltd. Ask J. Smith Jr. Or leave it."
    assert Problem("", "{who}... and {name}.", "", {"who": "X.", "name": 7}).text() == "X.... and 7."
    assert ENGLISH.format("Confirmed: {name}.", name="Acme Co., Ltd.") == "Confirmed: Acme Co., Ltd."


def test_a_list_of_problems_in_chinese():
    error = BuildError(
        "{where} cannot be assembled:", [Problem("crm.x", "It is missing.", "Add it.")], where="crm.toml"
    )
    assert ZH.error(error) == "crm.toml 无法装配：\n  - crm.x: 缺少此项。请补上。"
    assert ZH.error(error.problems[0]) == "crm.x: 缺少此项。请补上。"


@pytest.mark.parametrize(("sort", "said"), [
    ("text", "文本"), ("Text", "文本"), ("a number", "数字"), ("A number", "数字"),
    ("something", "something"), (3, "3"),
])  # fmt: skip
def test_kinds_of_values_within_a_sentence(sort, said):
    error = ExpressionError("This is {sort}, not text.", source="a", position=0, sort=sort)
    assert ZH.error(error).startswith(f"这是{said}，不是文本。")
    assert error.values == {"sort": sort}


def test_grounds_within_grounds():
    inner = Ground("own", "it is yours")
    outer = Ground("via", "through its {label} {parent}: {ground}", {"label": "account", "parent": 7, "ground": inner})
    assert ZH.ground(outer) == "通过其客户 7：它属于您"
    assert ENGLISH.ground(outer) == "through its account 7: it is yours"


def write(folder, name, **messages):
    path = folder / "zh_CN" / "LC_MESSAGES" / f"{name}.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
    path.write_text(head + "".join(f'\nmsgid "{key}"\nmsgstr "{value}"\n' for key, value in messages.items()), "utf-8")
    return name, folder


def test_who_says_it_decides_which_catalogue_counts(tmp_path):
    one = write(tmp_path / "one", "one", Account="客户", Only="仅此")
    two = write(tmp_path / "two", "two", Account="帐号", Only="只有")
    translator = Translator("zh_CN", [one]).also([two])
    assert translator.text("Account") == "客户"
    assert translator.text("Account", "two") == "帐号"
    assert translator.text("Only") == "仅此"
    assert translator.text("Only", "two") == "只有"
    assert translator.text("Neither") == "Neither"


def test_labels():
    from crm_core.domain.accounts import Account

    assert ZH.record(Account.crm_type) == "客户"
    assert ZH.field(Account.crm_type.by_name["registration_number"], Account.crm_type) == "注册号"
    assert ZH.field(Account.crm_type.by_name["name"]) == "名称"
    assert ZH.choice("won_back") == "赢回"
    # What has capitals of its own keeps them.
    assert [in_words(each) for each in ("won_back", "PhD", "II", "net_30", "客户")] == [
        "Won back", "PhD", "II", "Net 30", "客户",
    ]  # fmt: skip


def test_guesses_are_left_out(tmp_path):
    path = tmp_path / "x.po"
    path.write_text('#, fuzzy\nmsgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr ""\n\nmsgid "d"\nmsgstr "e"\n', "utf-8")
    assert read(path) == {"d": "e"}
    assert read(tmp_path / "none.po") == {}
    assert KERNEL_FOLDER.is_dir()


SOURCE = '''
"""Docstrings are no texts."""
import enum
TEMPLATES_LABELS = ("gone", ["back"])
EXPLAINED = {"a": "See: {label}", "b": "Two words"}
PLAIN = {"a": "b"}

class Stage(enum.Enum):
    """Stages are choices."""
    WON_BACK = "won_back"
    LONG = "a long one"
    COUNT = 3

@record("x.wide_thing", access=public())
class Thing(Record):
    """A thing it is."""
    other_id: Mapped[int] = ref("x")
    named: Mapped[str] = text(20, label="The name", help="What for.")
    size: int = 3

@record("x.other", label="Labelled")
class Other(Record):
    pass

@extends("account", "x.more")
class More(Record):
    pass

class NoRecord(Record):
    kind: str = text(3)

@command("x")
@option("--y", help="An option.")
def run():
    """Do it.

    All of
    it.

    \\b
    as it is
    """
    say(f"Not {1} this one. Never.")
    translator.text("short")
    application.translator.format("also")
    shower.text("not this")
    dict.format("nor this")
    translator_of(ctx).text("through a call")
    parser.add_argument("z", help="for developers")
    raise MyError("odd text", mend="mend" if x else "repair")
    connection.execute("SELECT a, b FROM c. WHERE d?")
    output.table(("column", value), rows, title="Titled")
    anything("This is a sentence.")

@hookimpl
def crm_register_vocabularies():
    return {"words": {"a": "One word", "b": some}}
'''


def test_what_is_extracted():
    assert {text for text, _ in texts(SOURCE)} == {
        "gone", "back", "See: {label}", "Two words", "Won back", "a long one", "Wide thing", "Other", "The name",
        "What for.", "Labelled", "More", "An option.", "Do it.", "All of it.", "short", "also", "through a call",
        "odd text", "mend", "repair", "column", "Titled", "This is a sentence.", "One word", "Kind",
    }  # fmt: skip


def test_what_plugins_answer_is_a_text_however_short():
    source = 'NextAction(kind="k", title="Call", reason="They said: {said}")\nNews(kind="k", text="paid {sum}")\n'
    assert {text for text, _ in texts(source)} == {"Call", "They said: {said}", "paid {sum}"}


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "crm_some"
    folder.mkdir()
    (folder / "a.py").write_text('raise CrmError("No {x}.", mend="Give {x!r}.")\nraise CrmError("No {x}.")\n')
    (folder / "b.py").write_text('raise CrmError("No {x}.")\nf(g + "by hand")\nCrmError("{")\n')
    return folder


def test_places(package):
    assert extract(package)["No {x}."] == ["crm_some/a.py:1", "crm_some/a.py:2", "crm_some/b.py:1"]


def test_a_catalogue_is_kept_in_step(package):
    path = catalogue_path(package)
    assert path == package / "locale" / "zh_CN" / "LC_MESSAGES" / "some.po"
    assert {flaw.what for flaw in flaws(package)} == {"missing"}
    assert "missing: 'No {x}.' crm_some/a.py:1 crm_some/a.py:2" in {str(flaw) for flaw in flaws(package)}
    update(package)
    text = path.read_text(encoding="utf-8")
    assert "#: crm_some/a.py crm_some/b.py" in text
    assert "Date" not in text
    text = text.replace('msgid "No {x}."\nmsgstr ""', 'msgid "No {x}."\nmsgstr "没有 {x}。"')
    text = text.replace('msgid "Give {x!r}."\nmsgstr ""', 'msgid "Give {x!r}."\nmsgstr "请给 {x}。"')
    text += '\nmsgid "by hand"\nmsgstr "手工"\n\nmsgid "gone"\nmsgstr "没了"\n\n#, fuzzy\nmsgid "{"\nmsgstr "x"\n'
    path.write_text(text.replace('msgid "{"\nmsgstr ""\n\n', "", 1), encoding="utf-8")
    found = {flaw.what: flaw.text for flaw in flaws(package)}
    assert found["placeholders"] == "Give {x!r}."
    assert found["unused"] == "gone"
    update(package)
    known = read(path)
    assert known["No {x}."] == "没有 {x}。"
    assert known["by hand"] == "手工"
    assert "gone" not in known


def test_the_command_for_authors(package, capsys):
    assert main(["--check", str(package)]) == 1
    assert not catalogue_path(package).exists()
    assert "missing: 'No {x}.'" in capsys.readouterr().out
    assert main([str(package)]) == 0
    assert catalogue_path(package).exists()
    with pytest.raises(SystemExit):
        main([str(package / "nowhere")])

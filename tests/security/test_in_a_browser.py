"""Every page that there is, over a company that is hostile in every text, in a real browser.

The pages forbid scripts by a policy of their own. What is shown here is without it, so that it is the escaping that is
tried, and the policy is what still holds should that fail once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from crm_core.cli.running import run
from crm_core.testing.absence import missing
from crm_core.testing.conformance.report import Finding, Report, Result
from crm_core.translation import Translator

from .browser import ADDRESS, Look, look, program
from .hostile import TEXTS, Hostile, company

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
PARTS = {
    "a", "bdi", "body", "br", "circle", "code", "dd", "div", "dl", "dt", "footer", "g",
    "h1", "h2", "h3", "head", "header",
    "html", "li", "line", "main", "meta", "ol", "p", "path", "pre", "rect", "section", "span", "strong", "style", "svg",
    "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip
"""The elements that our templates are made of."""


@pytest.fixture(scope="module")
def browser() -> str:
    found = program()
    if found is None:
        missing("there is no Chromium: on Debian, apt install chromium")
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """All pages by name, as they are written, in both languages."""
    folder = tmp_path_factory.mktemp("hostile")
    with company(folder, raw="\x00") as made:
        yield dict(_written(made, folder))


def _written(made: Hostile, folder: Path) -> Iterator[tuple[str, str]]:
    for language in ("en", "zh_CN"):

        def crm(*args: object, language: str = language) -> None:
            code = run(["--build", str(made.build), "--lang", language, *map(str, args)])
            assert code == 0, args

        out = folder / language
        out.mkdir()
        for number in made.ids["account"]:
            crm("show", "account", number, "--html", out / f"account-{number}.html")
        for login in made.logins:
            crm("--user", login, "today", "--html", out / f"today-{login}.html")
        crm("quality", "--html", out / "quality.html")
        crm("duties", "--html", out / "duties.html")
        crm("build", "fields", "--all", "--html", out / "fields.html")
        crm("build", "graph", "--to", out / "graph.svg")
        if language == "en":
            crm("build", "rehearse", "--to", made.build, "--html", out / "rehearsal.html", "--sample", 2)
        for number in made.ids["handover"]:
            crm("handover", "briefing", number, "--all", "--to", out / f"handover-{number}")
        (out / "conformance.html").write_text(_conformance(language), encoding="utf-8")
        for file in sorted(out.rglob("*.*")):
            yield "-".join(file.relative_to(folder).parts), file.read_text(encoding="utf-8")


def _conformance(language: str) -> str:
    findings = tuple(Finding(text, "{text}", text, "{text}", {"text": text}) for text in TEXTS)
    result = Result(TEXTS[3], TEXTS[4], "failed", findings, findings, TEXTS[5])
    return Report(TEXTS[0], TEXTS[1], TEXTS[2], (result,)).html(Translator(language))


@pytest.fixture(scope="module")
def shown(browser: str, pages: Mapping[str, str]) -> Look:
    return look(browser, {name: POLICY.sub("", text) for name, text in pages.items()})


def test_a_page_that_is_not_escaped_is_found(browser: str) -> None:
    """The browser does run what is written here, and the harness sees it: else the others could not fail."""
    body = "".join(f"<p>{text}</p><p title=\"{text}\"></p><p title='{text}'></p>" for text in TEXTS)
    page = f"<!DOCTYPE html><html><head><title>T</title></head><body>{body}</body></html>"
    found = look(browser, {"bad.html": page})
    seen = found.pages["bad.html"]
    assert found.asked.count(ADDRESS) > 3
    assert {"script", "img", "iframe"} <= set(seen.names)
    assert {name for _, name, _ in seen.handlers} >= {"onload", "onmouseover", "onfocus"}


def test_the_policy_stops_scripts_where_the_escaping_fails(browser: str, pages: Mapping[str, str]) -> None:
    policy = next(found[0] for text in pages.values() if (found := POLICY.search(text)))
    body = "".join(f"<p>{text}</p>" for text in TEXTS)
    page = f"<!DOCTYPE html><html><head>{policy}<title>T</title></head><body>{body}</body></html>"
    found = look(browser, {"bad.html": page})
    assert found.asked == ()
    assert "script" in found.pages["bad.html"].names


def test_every_page_has_a_policy_that_allows_no_script(pages: Mapping[str, str]) -> None:
    for name, text in pages.items():
        if name.endswith(".html"):
            [policy] = POLICY.findall(text)
            assert "default-src 'none'" in policy, name
            assert "script-src" not in policy, name
            assert text.index("Content-Security-Policy") < text.index("<style"), name


def test_there_are_pages_of_every_kind(pages: Mapping[str, str]) -> None:
    kinds = ("account-", "today-", "quality", "duties", "fields", "rehearsal", "conformance", "index.html", "graph.svg")
    assert [kind for kind in kinds if not any(kind in name for name in pages)] == []
    assert any(re.search(r"handover-\d+-\d+-", name) for name in pages)


def test_nothing_ran_and_nothing_was_loaded(shown: Look) -> None:
    assert shown.asked == ()
    assert [name for name, page in shown.pages.items() if page.handlers] == []


def test_no_element_came_in_from_the_data(shown: Look) -> None:
    assert {name: extra for name, page in shown.pages.items() if (extra := set(page.names) - PARTS)} == {}


def test_links_lead_to_mail_telephone_and_the_pages_beside(shown: Look) -> None:
    for name, page in shown.pages.items():
        for _, attribute, value in page.links:
            assert attribute == "href", name
            assert re.match(r"mailto:|tel:|\d+-[\w-]*\.html$", value), (name, value)


def test_styles_are_ours(shown: Look) -> None:
    for name, page in shown.pages.items():
        assert [style for style in page.styles if not re.fullmatch(r"width: \d+%|--hue: \d+", style)] == [], name


def test_what_is_hostile_is_shown_as_the_text_that_it_is(shown: Look) -> None:
    seen = {text for text in TEXTS for page in shown.pages.values() if text in page.text}
    # What would turn a line round or clear a screen is written out; the rest is shown as it is.
    assert set(TEXTS) - seen == {text for text in TEXTS if "\u202e" in text}
    assert any("\\u202egnp.exe\\u2066" in page.text for page in shown.pages.values())
    for name, page in shown.pages.items():
        assert any(text[:20] in page.text for text in (*TEXTS, "\\u202egnp.exe")), name
        assert "\x00" not in page.text and "\u202e" not in page.text, name

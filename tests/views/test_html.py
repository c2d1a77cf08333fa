"""Pages of HTML: whatever is in the data, they stay well-formed, carry no script and load nothing."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, UndefinedError

from crm_core.fields import Money
from crm_core.hooks.values import Failed, Panel, TimelineEntry
from crm_core.translation import Translator
from crm_core.translation.extract import extract, template_texts
from crm_core.views.html import page, rendering

HOSTILE = [
    "<script>alert(1)</script>", "</style><script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>", "{{ 7 * 7 }}", "{% raw %}", "&lt;b&gt;", "\u202egnp.exe", "\x00\x1b[2J", "</title>",
    "javascript:alert(1)", "]]>", "<!--", "海尔 <b>采购</b>",
]  # fmt: skip
PAGE = """{% extends "base.html" %}{% import "macros.html" as m with context %}{% block body %}
<h1>{{ text }}</h1>{{ m.badge(text, "good") }}{{ m.number(text, text, text) }}{{ m.facts([(text, text)]) }}
{{ m.table([text], [[text], [7]]) }}{{ m.panel(panel) }}{{ m.timeline([entry], {1: text}, {}, entry.at) }}
{{ m.point("email", text) }}{{ m.point("mobile", text, "given") }}{{ m.point("wechat", text, "withdrawn") }}
{{ m.columns([(text, 3), (text, 0)], text) }}{{ m.meter(0.25) }}{{ m.failed([failed]) }}
{% call m.card(text, text, "bad", true, true) %}{{ text }}{% endcall %}{% endblock %}"""
MOMENT = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
def template(monkeypatch):
    """Renders a template that is no file."""

    def render(source, title="Title", language="en", **values):
        environment = rendering._environment()
        loader = environment.loader
        inner = DictLoader({"page.html": source})

        class Both(type(loader)):
            def get_source(self, environment, name):
                return inner.get_source(environment, name) if name == "page.html" else super().get_source(
                    environment, name
                )  # fmt: skip

        monkeypatch.setattr(environment, "loader", Both(rendering.TEMPLATES))
        environment.cache.clear()
        try:
            return page("page.html", title, language, **values)
        finally:
            monkeypatch.undo()
            environment.cache.clear()

    return render


def everything(text):
    return {
        "text": text,
        "panel": Panel(account_id=1, name="x", title=text, lines=((text, text),), rows=((text,), (text,)), plugin=text),
        "entry": TimelineEntry(at=MOMENT, account_id=1, kind=text, title=text, text=text, record_type="x", record_id=1,
                               user_id=1),
        "failed": Failed(text, text, text),
    }  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_text(template, text, read_html):
    html = template(PAGE, title=text, **everything(text))
    reader = read_html(html)
    assert "<script" not in html and "onerror=alert(1)>" not in html.replace("&gt;", "")
    shown = "".join(reader.text)
    visible = text.replace("\x00", "\\x00").replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert shown.count(visible) > 20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(max_size=40))
def test_whatever_the_text_the_page_is_well_formed(read_html, text):
    environment = rendering._environment()
    context = {"title": text, "language": "en", "translate": rendering._unchanged, "tz": dt.UTC, **everything(text)}
    source = PAGE.replace('{% extends "base.html" %}', "").replace("{% block body %}", "").replace("{% endblock %}", "")
    read_html("<body>" + environment.from_string(source).render(context) + "</body>")


def test_a_page_stands_by_itself_and_speaks_its_language(template, read_html):
    translator = Translator("zh_CN")
    source = '{% extends "base.html" %}{% block body %}{{ _("Account") }} {{ "won_back"|choice }}{% endblock %}'
    html = template(source, "海尔", "zh_CN", translate=translator.text)
    assert html.startswith("<!DOCTYPE html>")
    assert '<html lang="zh-CN">' in html and "客户 赢回" in html and "<title>海尔</title>" in html
    assert "prefers-color-scheme: dark" in html and "@media print" in html and "PingFang SC" in html
    assert "default-src 'none'" in html
    assert "http://" not in html and "https://" not in html
    read_html(html)


def test_values_are_shown_as_people_write_them(template):
    from zoneinfo import ZoneInfo

    source = (
        '{% extends "base.html" %}{% block body %}[{{ absent }}][{{ at|moment }}][{{ at|day }}][{{ midnight|moment }}]'
        "[{{ day|day }}][{{ absent|moment }}][{{ absent|day }}][{{ money.amount }}][{{ stage }}][{{ stage|choice }}]"
        '[{{ ""|choice }}][{{ _("{count} left", count=3) }}]{% endblock %}'
    )
    from crm_core.domain.accounts import Stage

    html = template(
        source, absent=None, tz=ZoneInfo("Asia/Shanghai"), at=MOMENT,
        midnight=dt.datetime(2026, 3, 1, 16, tzinfo=dt.UTC),
        day=dt.date(2026, 1, 2), money=Money("12.50", "CNY"), stage=Stage.WON_BACK,
    )  # fmt: skip
    body = html.partition("<main>")[2].partition("</main>")[0].strip()
    assert body == ("[][2026-03-01 17:30][2026-03-01][2026-03-02][2026-01-02][][][12.50][won_back][Won back][][3 left]")


def test_contact_points_lead_to_mail_and_telephone_only(template, read_html):
    source = (
        '{% extends "base.html" %}{% import "macros.html" as m with context %}{% block body %}'
        "{% for kind, value, consent in points %}{{ m.point(kind, value, consent) }}{% endfor %}{% endblock %}"
    )
    html = template(source, points=[
        ("email", 'li"@example.com?bcc=x', ""), ("mobile", "+86 138-0013", ""), ("wechat", "li", "given"),
        ("email", "no@example.com", "withdrawn"), ("phone", "javascript:1", ""),
    ])  # fmt: skip
    links = [value for name, value in read_html(html).attributes if name == "href"]
    assert links == ["mailto:li%22@example.com%3Fbcc%3Dx", "tel:+861380013", "tel:1"]


def test_a_value_that_is_not_given_is_an_error(template):
    with pytest.raises(UndefinedError):
        template('{% extends "base.html" %}{% block body %}{{ missing }}{% endblock %}')


def test_the_library_is_imported_only_for_a_page():
    code = "import sys, crm_core.views; import crm_core.views.html; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_texts_of_templates_are_translated(tmp_path):
    assert list(template_texts('{{ _("One") }}\n{{ _("Two {n}", n=1) }}{{ _(name) }}{{ other("Three") }}')) == [
        ("One", 1), ("Two {n}", 2),
    ]  # fmt: skip
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "x.html").write_text('{{ _("One") }}\n{{ _("One") }}', "utf-8")
    assert extract(tmp_path) == {"One": [f"{tmp_path.name}/pages/x.html:1", f"{tmp_path.name}/pages/x.html:2"]}

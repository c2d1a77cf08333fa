"""What the tests of views share: an organisation, and a count of statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from crm_core import Crm, Unit, User, organisation
from crm_core.testing.statements import counted


@pytest.fixture
def open_crm(database_url: str, fill_database: Any) -> Iterator[Callable[..., Crm]]:
    """Opens a build of the kernel with a small organisation: two sellers in East, one in West, a director above."""
    opened: list[Crm] = []

    def make(**sections: Any) -> Crm:
        build = {"crm": {"time_zone": "Asia/Shanghai"}, **sections}
        fill_database(_found, json.dumps(build))
        opened.append(Crm.open(build, database=database_url, check=False))
        return opened[-1]

    yield make
    for crm in opened:
        crm.close()


def _found(url: str, build: str) -> None:
    with Crm.open(json.loads(build), database=url, check=False) as crm:
        crm.migrate()
        with crm.system_session("init") as session:
            top = session.add_one(Unit(name="All"))
            east, west = (session.add_one(Unit(name=name, parent_id=top.id)) for name in ("East", "West"))
            for login, unit, role in (
                ("li.wei", east, "sales"), ("wang.fang", east, "sales"), ("zhao.min", west, "sales"),
                ("chen.yi", top, "manager"),
            ):  # fmt: skip
                session.add(User(login=login, name=login.title()))
                session.flush()
                organisation.join(session, login, unit, role=role, since_always=True)


@pytest.fixture
def crm(open_crm: Callable[..., Crm]) -> Crm:
    return open_crm()


@pytest.fixture
def statements() -> Callable[[Crm], Any]:
    return counted


VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Checks that tags nest, and gathers what a browser would see."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(html):
    """A page as a browser reads it; fails where it is not well-formed, has a script, or would load something."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "base"} & set(reader.tags)
    for name, value in reader.attributes:
        assert not name.startswith("on"), name
        assert name != "src"
        if name == "href":
            assert value.startswith(("mailto:", "tel:", "#")), value
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style
    return reader


@pytest.fixture
def read_html() -> Callable[[str], Reader]:
    return read

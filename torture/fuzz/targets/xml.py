"""Columns of XML: a document is read as another reader reads it, or refused."""

from __future__ import annotations

import random
from xml.etree import ElementTree  # the other reader that ours is compared with  # nosec B405

from crm_core.errors import CrmError
from crm_core.exchange import run_import
from crm_core.exchange.drafting import draft
from crm_core.exchange.transforms.xml import texts, xml
from torture.fuzz.scene import SceneTarget, sometimes
from torture.fuzz.target import Loss, Refused
from torture.fuzz.targets.tables import accounted_for
from torture.fuzz.texts import text

__all__ = ["Xml"]

_NAMES = ("a", "b", "Address", "City", "n:a", "é", "a.b", "a-b", "xml", "_")
_ODD = (
    "<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY e "x">]>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">', "&e;", "&lt;",
    "&#x41;", "&#0;", "&#xFFFF;", "<![CDATA[x]]>", "<!-- x -->", "<?xml version='1.0'?>", "<?xml version='1.1'?>",
    "<?xml encoding='utf-16'?>", "<?x y?>", "<?xml version='1.0' encoding='GB18030'?>",
    "<?xml version='1.0' standalone='yes'?>", "]]>", "<", "&", "\x0b",
)  # fmt: skip


class Xml(SceneTarget):
    """The transform ``xml``, and what a draft makes of a column of XML."""

    name = "xml"
    stores = False
    words = tuple(
        each.encode() for each in (*_ODD, "<a>", "</a>", "<a/>", '<a b="c">', ' xmlns="u"', ' xmlns:n="u"', "/>")
    )

    def seeds(self) -> list[bytes]:
        """Documents as databases hold them."""
        return [
            b'<Survey xmlns="http://acme.example/s"><Annual>800000</Annual>'
            b'<Bank kind="x">Acme</Bank><Bank>B</Bank></Survey>',
            "<?xml version='1.0'?><a><b><c>上海</c></b><!-- x --><d><![CDATA[<&>]]></d></a>".encode(),
        ]  # fmt: skip

    def make(self, chance: random.Random) -> bytes:
        """A document with what documents have, and now and then with what they must not have."""
        head = chance.choice(("",) * 60 + _ODD)
        return (head + self._element(chance, chance.randint(0, 4))).encode("utf-8", "replace")

    def _element(self, chance: random.Random, depth: int) -> str:
        name = chance.choice(_NAMES)
        given = " xmlns:n='u'" if ":" in name and chance.random() < 0.9 else ""
        if chance.random() < 0.3:
            word = self._clean(chance).replace("&", "").replace("<", "").replace('"', "")
            given += f' {chance.choice(_NAMES[5:])}="{word}"'
        inside = "".join(
            self._element(chance, depth - 1) if depth and chance.random() < 0.6 else self._word(chance)
            for _ in range(chance.randint(0, 3))
        )
        if chance.random() < 0.02:
            inside = "<a>" * 2000 + inside + "</a>" * 2000
        return f"<{name}{given}>{inside}</{name}>"

    def _word(self, chance: random.Random) -> str:
        if chance.random() < 0.1:
            return chance.choice(_ODD)
        return self._clean(chance).replace("&", "&amp;").replace("<", "&lt;")

    def _clean(self, chance: random.Random) -> str:
        """A text, mostly without what no document may hold."""
        found = text(chance, 2)
        if chance.random() < 0.03:
            return found
        return "".join(char for char in found if char >= " " and char != "\uffff").replace("]]>", "")

    def attempt(self, data: bytes) -> str:
        """Read it here and by another reader, now and then as a cell of a table, too."""
        # As a file is decoded whose encoding does not fit; a lone surrogate cannot come from one.
        source = data.decode("utf-8", "replace")
        texts.cache_clear()
        try:
            found = texts(source)
        except ValueError as error:
            if sometimes(data, 10):
                self._as_a_cell(source)
            raise Refused(str(error)) from None
        other = _texts(source)
        if dict(found) != other:
            differ = {name for name in {*found, *other} if found.get(name, "?") != other.get(name, "?")}
            raise Loss("a document is read otherwise by another reader",
                       str([(name, found.get(name), other.get(name)) for name in sorted(differ)[:3]]))  # fmt: skip
        for path, value in [*found.items()][:3]:
            if xml(source, path=path) != value:
                raise Loss("a text is not found at its path", path)
        if sometimes(data, 10):
            self._as_a_cell(source)
        return f"{len(found) > 1} {any('@' in each for each in found)} {None in found.values()}"

    def _as_a_cell(self, source: str) -> None:
        scene = self.scene
        quoted = source.replace('"', '""')
        path = scene.file("in.csv", f'id,about\r\n1,"{quoted}"\r\n'.encode())
        step = {"column": "about", "transform": [{"name": "xml", "path": "a/b"}], "default": "none"}
        mapping = {
            "source": {"system": "old", "encoding": "utf-8"},
            "section": [{"record": "account", "file": path.name, "key": "id", "fields": {"name": step}}],
        }
        report = run_import(scene.crm, mapping, scene.folder, dry_run=True)
        accounted_for(report)
        try:
            draft(scene.crm.build, path)
        except CrmError as error:
            error.text()


def _texts(source: str) -> dict[str, str | None]:
    """The same by ElementTree, which our reader does not use; without comments, and by local names."""
    text = source.encode("utf-8") if "encoding" not in source[:200] else source
    root = ElementTree.fromstring(text)  # what ours took, without entities  # nosec B314
    found: dict[str, str | None] = {}
    stack: list[tuple[ElementTree.Element, tuple[str, ...], bool]] = [(root, (), False)]
    while stack:
        element, path, done = stack.pop()
        if done:
            inner = (element.text or "") + "".join(each.tail or "" for each in element)
            found.setdefault("/".join(path), inner.strip() or None)
            continue
        for name, value in element.attrib.items():
            found.setdefault("/".join([*path, "@" + _local(name)]), value)
        stack.append((element, path, True))
        stack += [(each, (*path, _local(each.tag)), False) for each in reversed(element)]
    return found


def _local(name: str) -> str:
    return name.rpartition("}")[2]

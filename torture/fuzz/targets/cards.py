"""Address books: every card is taken or told, and what is taken comes back when it is exported and read again."""

from __future__ import annotations

import base64
import quopri
import random
import re
from pathlib import Path

from crm_core.exchange.cards import CardReport, export_cards, import_cards
from torture.fuzz.scene import SceneTarget, sometimes
from torture.fuzz.target import Loss
from torture.fuzz.targets.entries import check_counts, one_line
from torture.fuzz.texts import encoded, text

__all__ = ["Cards"]

_NAMES = (
    "FN", "N", "NICKNAME", "ORG", "TITLE", "ROLE", "TEL", "TEL", "EMAIL", "EMAIL", "ADR", "URL", "IMPP", "NOTE", "BDAY",
    "LANG", "KIND", "UID", "REV", "PHOTO", "LABEL", "AGENT", "CATEGORIES", "X-WECHAT", "X-QQ", "X-SOCIALPROFILE",
    "X-ABLABEL", "X-ABSHOWAS", "X-CRM-OTHER", "GEO", "TZ", "KEY", "GENDER", "ANNIVERSARY", "X-MS-IMADDRESS", "XML",
)  # fmt: skip
_TYPES = (
    "", "", ";TYPE=work", ";TYPE=HOME,cell", ";WORK;VOICE", ";type=pref", ";PREF=1", ";TYPE=\"work,fax\"",
    ";TYPE=pager", ";VALUE=uri", ";LANGUAGE=zh", ";X-SERVICE-TYPE=qq", ";CHARSET=GBK", ";CHARSET=utf-8",
    ";CHARSET=nothing", ";SORT-AS=\"a:b;c\"", ";ALTID=1", ";TYPE=", ";=", ";", ";TYPE=^n",
)  # fmt: skip
_VALUES = (
    "+86 138 0000 1234", "tel:+86-21-1;ext=5", "min@acme.example", "mailto:a@b.cn", "broken@", "1980-02-29", "19800229",
    "--0229", "1980", "2023-02-30T00:00:00Z", "individual", "org", "group", "COMPANY", "zh", "urn:uuid:1",
    "contact-3-x@crm-core", "Acme Bearings", "Wang Min", ";;Street 1;Ulm;;89073;DE", ";;;;;;中国", "李;伟;;先生;",
    ";;;;", ",;,", "http://acme.example", "_$!<HomePage>!$_", "xmpp:a@b", "wechat:li", "data:image/png;base64,AAAA",
    "VCARD",
)  # fmt: skip
_PIECES = (
    *(f"{name}:" for name in _NAMES), *_TYPES[2:], *_VALUES, "BEGIN:VCARD\r\n", "END:VCARD\r\n", "VERSION:2.1\r\n",
    "VERSION:3.0\r\n", "VERSION:4.0\r\n", ";ENCODING=QUOTED-PRINTABLE", ";ENCODING=b", ";BASE64", "=\r\n", "\r\n ",
    "item1.", "=E4=B8=8A", "\\,", "\\;", "\\n",
)  # fmt: skip


class Cards(SceneTarget):
    """vCard 2.1, 3.0 and 4.0."""

    name = "vcards"
    words = tuple(each.encode() for each in _PIECES)

    def seeds(self) -> list[bytes]:
        """One card of each version."""
        return [
            b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E6=9D=8E;=E4=BC=9F;;;\r\n"
            b"TEL;CELL:+8613800001234\r\nORG:Acme Bearings;Sales\r\nTITLE:Buyer\r\n"
            b"NOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0A=\r\n"
            b"b\r\nEND:VCARD\r\n",
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Wang Min\r\nN:Wang;Min;;;\r\n"
            b"item1.EMAIL;type=pref:min@acme.example\r\n"
            b"item1.X-ABLabel:_$!<Work>!$_\r\nADR;TYPE=work:;;Street 1;Ulm;;89073;Germany\r\nORG:Acme Bearings\r\n"
            b"BDAY:1980-02-29\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\r\n SkZJRg==\r\nEND:VCARD\r\n",
            b"BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:org\r\nFN:Acme Bearings\r\n"
            b'TEL;VALUE=uri;TYPE="voice,work":tel:+49-731-1\r\n'
            b"NOTE:one\\ntwo\\, three\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:4.0\r\nFN:Li Wei\r\n"
            b"FN;ALTID=1:\xe6\x9d\x8e\xe4\xbc\x9f"
            b"\r\nLANG:zh\r\nEND:VCARD\r\n",
        ]

    def make(self, chance: random.Random) -> bytes:
        """Cards with properties of all kinds, now and then one inside of another."""
        lines: list[str] = []
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            lines += self._card(chance, 0)
        content = "\n".join(lines) + chance.choice(("\n", "", "\n\n"))
        return encoded(chance, content)

    def _card(self, chance: random.Random, depth: int) -> list[str]:
        version = chance.choice(("2.1", "3.0", "4.0", "3.0", "4.0", "5", ""))
        lines = ["BEGIN:VCARD", f"VERSION:{version}"]
        if chance.random() < 0.9:
            lines.append(f"FN:{chance.choice(('Wang Min', text(chance)))}")
        for _ in range(chance.randint(0, 9)):
            lines += self._property(chance).split("\n")
        if depth < 2 and chance.random() < 0.05:
            lines += ["AGENT:", *self._card(chance, depth + 1)]
        if chance.random() < 0.97:
            lines.append("END:VCARD")
        return lines

    def _property(self, chance: random.Random) -> str:
        group = chance.choice(("", "", "", "item1.", "place2.", "a-b."))
        head = group + chance.choice(_NAMES) + chance.choice(_TYPES) + chance.choice(_TYPES)
        value = chance.choice(_VALUES) if chance.random() < 0.6 else text(chance)
        match chance.randrange(8):
            case 0:
                coded = quopri.encodestring(value.encode("utf-8", "replace")).decode("ascii")
                return f"{head};ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:{coded}"
            case 1:
                return f"{head};ENCODING=b:{base64.b64encode(value.encode('utf-8', 'replace')).decode()}"
            case 2:
                folded = re.sub("(.{20})", "\\1\n ", value.replace("\n", ""))
                return f"{head}:{folded}"
        return f"{head}:{one_line(value)}"

    def attempt(self, data: bytes) -> str:
        """Take it in; let it out in both versions; take that in again, here and elsewhere."""
        scene = self.scene
        path = scene.file("in.vcf", data)
        scene.put_back()
        if sometimes(data, 40):
            scene.command("import", str(path), "--dry-run", "--rejects", str(scene.folder / "told.csv"))
        report = import_cards(scene.crm, path, rejects_path=scene.folder / "rejects.csv")
        check_counts(data, "VCARD", "cards", len(report.cards), report)
        if report.cards and sometimes(data, 3):
            self._come_again(path, report)
        if report.cards and sometimes(data[::-1], 2):
            self._go_round("3.0" if sometimes(data[1:], 2) else "4.0")
        told = {each.partition(":")[0] for card in report.cards for each in card.untaken}
        return f"{len(report.cards) > 0} {report.rejected > 0} {sorted(told)[:4]}"

    def _come_again(self, path: Path, first: CardReport) -> None:
        again = import_cards(self.scene.crm, path)
        if again.change_set is not None or again.count("unchanged") != len(again.cards):
            raise Loss("the same file changes something when it comes again", f"{again.as_json()}")
        if len(again.cards) != len(first.cards):
            raise Loss("the same file is taken otherwise when it comes again")

    def _go_round(self, version: str) -> None:
        crm, path = self.scene.crm, self.scene.folder / "out.vcf"
        with crm.system_session("fuzz", read_only=True) as session:
            count = export_cards(session, None, path, version=version)  # type: ignore[arg-type]
        first = path.read_bytes()
        back = import_cards(crm, path, dry_run=True)
        if back.rejected or back.read != count or back.count("unchanged") != count:
            reasons = "; ".join(each.reason for each in back.first_rejects)
            raise Loss(f"an export ({version}) is not what is here already", f"{reasons} {first.decode()[:3000]}")
        before = _cards(first)
        self.scene.put_back()
        elsewhere = import_cards(crm, path)
        with crm.system_session("fuzz", read_only=True) as session:
            export_cards(session, None, path, version=version)  # type: ignore[arg-type]
        after = _cards(path.read_bytes())
        if elsewhere.rejected or before - after:
            raise Loss(f"a card ({version}) that is read again elsewhere is another one", _difference(before, after))


def _cards(data: bytes) -> set[str]:
    """Cards without what is about the copy (its keys, when it was changed), and without an order of their lines."""
    unfolded = data.decode().replace("\r\n ", "")
    cards = re.findall("BEGIN:VCARD\r\n(.*?)END:VCARD\r\n", unfolded, re.DOTALL)
    return {"\r\n".join(sorted(_lines(each))) for each in cards}


def _lines(card: str) -> list[str]:
    lines = [each for each in card.split("\r\n") if not each.startswith(("UID:", "REV:"))]
    groups: dict[str, list[str]] = {}
    for number, line in enumerate(lines):
        group = re.match(r"(way|place)\d+\.", line)
        groups.setdefault(group[0] if group else str(number), []).append(line[group.end() :] if group else line)
    return [" | ".join(each) for each in groups.values()]


def _difference(before: set[str], after: set[str]) -> str:
    return f"{sorted(before - after)[:2]} became {sorted(after - before)[:2]}"

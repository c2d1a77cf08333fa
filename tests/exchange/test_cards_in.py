"""Address books as people: every card whole, or rejected with the reason, and nothing passed over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from crm_core.assembly import Crm
from crm_core.domain import contacts, dated, ownership
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import CrmError, PermissionDenied, ValidationError
from crm_core.exchange.cards import CardReport, import_cards, importing
from crm_core.exchange.cards.model import Person
from crm_core.exchange.cards.people import person_of
from crm_core.exchange.cards.reading import read_card
from crm_core.exchange.content_lines import Line, components, file_encoding, unfolded
from crm_core.fields import Address

Take = Callable[..., CardReport]

FILES = {
    # read, taken, rejected: in two cards nobody is named, and in one a text breaks off inside of a character
    "John_Doe_ANDROID.vcf": (6, 3, 3), "John_Doe_GMAIL.vcf": (1, 1, 0), "John_Doe_IPHONE.vcf": (1, 1, 0),
    "John_Doe_MS_OUTLOOK.vcf": (1, 1, 0), "fullcontact.vcf": (1, 1, 0), "gmail-list.vcf": (3, 3, 0),
}  # fmt: skip


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


@pytest.fixture
def take(crm: Crm, tmp_path: Path) -> Take:
    def take_(*texts: str | bytes, **options: Any) -> CardReport:
        path = tmp_path / "people.vcf"
        path.write_bytes(b"".join(text.encode() if isinstance(text, str) else text for text in texts))
        return import_cards(crm, path, **options)

    return take_


def people(path: Path) -> list[Person | str]:
    encoding = file_encoding(path)
    found: list[Person | str] = []
    for component, _ in components(path, encoding, ["VCARD"]):
        try:
            found.append(person_of(read_card(component, encoding)) if not component.problem else str(component.problem))
        except CrmError as error:
            found.append(str(error))
    return found


def one(tmp_path: Path, text: str | bytes) -> Person:
    path = tmp_path / "one.vcf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (person,) = people(path)
    assert isinstance(person, Person), person
    return person


ENDLESS = {
    "a name": ["N:" + "x" * 4_000_000],
    "labels": [line for n in range(50_000) for line in (f"a{n}.TEL:{n}", f"a{n}.X-ABLABEL:x")],
    "companies": [line for n in range(50_000) for line in (f"a{n}.ORG:Acme {n}", f"b{n}.TITLE:Head")],
    "messengers": [f"X-QQ:{n}" for n in range(100_000)],
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("lines", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_is_endless_in_a_card_takes_as_long_as_it_is(tmp_path: Path, lines: list[str]) -> None:
    one(tmp_path, card("FN:Wei", *lines))


def points(crm: Crm) -> set[tuple[str, str, str | None]]:
    with crm.system_session("test", read_only=True) as session:
        return {(each.kind.value, each.value, each.label) for each in session.scalars(select(ContactPoint))}


class TestSharedFiles:
    @pytest.mark.parametrize("name", FILES)
    def test_whole_or_rejected_and_nothing_dropped(
        self, crm: Crm, shared_data: Path, tmp_path: Path, name: str
    ) -> None:
        path = shared_data / "vcard" / name
        report = import_cards(crm, path, rejects_path=tmp_path / "rejects.jsonl")
        assert (report.read, len(report.cards), report.rejected) == FILES[name]
        assert (tmp_path / "rejects.jsonl").exists() == (report.rejected > 0)
        # Every property of every card that was taken is in the database, or told.
        kept = {"BEGIN", "END", "VERSION", "N", "FN", "TEL", "EMAIL", "URL", "ADR", "IMPP", "X-MS-IMADDRESS", "ORG",
                "TITLE", "ROLE", "BDAY", "NOTE", "UID", "X-ABLABEL"}  # fmt: skip
        for component, _ in components(path, file_encoding(path), ["VCARD"]):
            taken = next((each for each in report.cards if each.line == component.number), None)
            if taken is not None:
                told = {text.partition(":")[0] for text in taken.untaken}
                for each in read_card(component, "utf-8").properties:
                    assert each.name in kept | told, each
        assert import_cards(crm, path).change_set is None

    def test_what_becomes_of_one(self, crm: Crm, shared_data: Path) -> None:
        report = import_cards(crm, shared_data / "vcard" / "John_Doe_IPHONE.vcf")
        (taken,) = report.cards
        assert taken.untaken == (
            "NICKNAME: There is no field for another name.", "PRODID: It is about the card, not about a person.",
            "X-ABADR: There is no field for it.", "X-ABADR: There is no field for it.",
            "PHOTO: Pictures, sounds and keys are not kept.",
        )  # fmt: skip
        with crm.system_session("test", read_only=True) as session:
            contact = session.scalars(select(Contact)).one()
            place = session.scalars(select(Affiliation)).one()
            account = session.scalars(select(Account)).one()
        assert (contact.name, contact.family_name, contact.given_name, contact.salutation, contact.birthday) == (
            "Mr. John Richter James Doe Sr.", "Doe", "John", "Mr.", dt.date(2012, 6, 6),
        )  # fmt: skip
        assert (account.name, place.title, place.department) == ("IBM", "Money Counter", "Accounting")
        assert account.address == Address(
            street="Street4; Building 6; Floor 8", city="New York", postal_code="12345", country="US"
        )
        assert points(crm) == {
            ("email", "john.doe@ibm.com", None), ("mobile", "905-555-1234", None), ("phone", "905-666-1234", "home"),
            ("phone", "905-777-1234", "work"), ("fax", "905-888-1234", "home"), ("fax", "905-999-1234", "work"),
            ("other", "905-111-1234", "pager"), ("phone", "905-222-1234", "assistantphone"),
            ("other", "http://www.ibm.com", "homepage url"),
            ("other", "Silicon Alley 5,, 12345 New York, New York, United States of America", "home address"),
        }  # fmt: skip


class TestReading:
    def test_a_line_in_another_encoding_says_what_to_do(self, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        path.write_bytes(card("FN:李伟", "NOTE:好").encode().replace("好".encode(), "好".encode()[:2]))
        (component,) = (each for each, _ in components(path, "utf-8", ["VCARD"]))
        with pytest.raises(ValidationError, match=r"Line 4: it is not written in utf-8\. .* such as CHARSET=GBK"):
            read_card(component, "utf-8")

    def test_a_card_without_its_end_takes_no_other_with_it(self, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        path.write_text("BEGIN:VCARD\nVERSION:3.0\nFN:A\n\n" + card("FN:B") + card("FN:C", "AGENT:", card("FN:D")))
        first, second, third = people(path)
        assert isinstance(first, str) and "It has no end: END:VCARD is missing." in first
        assert isinstance(second, Person) and isinstance(third, Person)
        assert (second.name, second.number, third.name) == ("B", 5, "C")

    @pytest.mark.parametrize("first", ["NOTE:", "PHOTO;ENCODING=b:", "NOTE;ENCODING=QUOTED-PRINTABLE:=", "X"])
    @pytest.mark.timeout(60)  # put together one by one they are copied two hundred thousand times
    def test_many_folded_lines_are_put_together_once(self, first: str) -> None:
        end = b"=" if first.endswith("=") else b""
        count = 200_000
        lines = [Line(1, first.encode()), *(Line(2, b" " + b"abcdefgh" * 8 + end) for _ in range(count))]
        (whole,) = unfolded(lines)
        assert len(whole.data.rstrip(b"=")) == len(first.rstrip("=")) + 64 * count

    def test_quoted_printable_and_character_sets(self, tmp_path: Path) -> None:
        gbk = "李".encode("gbk")
        quoted = "".join(f"={byte:02X}" for byte in "王小明".encode("gbk"))
        text = (
            b"BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=GBK:" + gbk + b";" + "伟".encode("gbk") + b"\nEND:VCARD\n"
            b"BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=gb2312;ENCODING=QUOTED-PRINTABLE:" + quoted.encode() + b";;;;\n"
            b"NOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0Ab=\n  c\nEND:VCARD\n"
            b"BEGIN:VCARD\nVERSION:2.1\nFN;QUOTED-PRINTABLE:"
            + quoted.encode()
            + b"\nTEL;CELL;PREF:13800001234\nEND:VCARD\n"
        )
        path = tmp_path / "a.vcf"
        path.write_bytes(text)
        first, second, third = people(path)
        assert isinstance(first, Person) and isinstance(second, Person) and isinstance(third, Person)
        assert (first.name, first.fields) == ("李伟", {"family_name": "李", "given_name": "伟"})
        assert (second.name, second.note) == ("王小明", "a\nbc")
        assert third.name == "王小明" and third.points[0].kind is PointKind.MOBILE and third.points[0].preferred

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
    def test_encodings_of_files(self, tmp_path: Path, encoding: str) -> None:
        text = card("FN:李伟", "ORG:北京机床厂;采购部", "NOTE:你好，世界。很高兴认识您", version="3.0")
        person = one(tmp_path, text.encode(encoding))
        assert (person.name, person.places[0].account, person.places[0].department) == ("李伟", "北京机床厂", "采购部")

    def test_folding_escapes_and_groups(self, tmp_path: Path) -> None:
        person = one(tmp_path, card(
            r"FN:A\, B\; C\\D", "NOTE:one\\ntw", " o\\", " nthree", 'item1.TEL;TYPE="work,voice":+86 10 1',
            "item1.X-ABLabel:Front desk", "TEL;VALUE=uri;TYPE=cell:tel:+86-138-0000-1234;ext=5",
            "EMAIL;PREF=1:mailto:a@b.cn", version="4.0"))  # fmt: skip
        assert (person.name, person.note) == ("A, B; C\\D", "one\ntwo\nthree")
        assert [(each.kind.value, each.value, each.label, each.preferred) for each in person.points] == [
            ("phone", "+86 10 1", "Front desk", False), ("mobile", "+86-138-0000-1234 ext. 5", None, False),
            ("email", "a@b.cn", None, True),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("lines", "name", "local"),
        [
            (["N:李;伟;;;", "FN:伟 李"], "李伟", None),
            (["N:李;伟;;;"], "李伟", None),
            (["N:欧阳;小 红;;;", "FN:欧阳小红"], "欧阳小红", None),
            (["N:Li;Wei;;Dr.;", "FN:Dr. Wei Li"], "Dr. Wei Li", None),
            (["N:Li;Wei;James;Dr.;Jr."], "Dr. Wei James Li Jr.", None),
            (["FN:Wei Li", "FN:李伟"], "Wei Li", "李伟"),
            (["NICKNAME:Lao Li"], "Lao Li", None),
        ],
    )
    def test_names(self, tmp_path: Path, lines: list[str], name: str, local: str | None) -> None:
        person = one(tmp_path, card(*lines))
        assert (person.name, person.fields.get("local_name")) == (name, local)
        assert person.untaken == ()

    def test_several_places(self, tmp_path: Path) -> None:
        person = one(
            tmp_path,
            card(
                "FN:A",
                "b.ORG:Two",
                "a.ORG:One;Sales;East",
                "a.TITLE:Head",
                "b.TITLE:Adviser",
                "ROLE:buyer",
                "TITLE:Third",
            ),
        )
        assert [(each.account, each.department, each.title, each.role) for each in person.places] == [
            ("Two", None, "Adviser", "buyer"), ("One", "Sales, East", "Head", None),
        ]  # fmt: skip
        assert [str(each) for each in person.untaken] == ["TITLE: There is no company that it belongs to."]

    def test_ways(self, tmp_path: Path) -> None:
        person = one(
            tmp_path,
            card(
                "FN:A",
                "X-WECHAT:liwei",
                "IMPP:wechat:liwei2",
                "X-QQ:12345",
                "IMPP;X-SERVICE-TYPE=Skype:skype:a",
                "URL:a.cn",
                "X-SOCIALPROFILE;type=linkedin:http://x",
                "EMAIL:X400/a",
                f"URL:{'x' * 300}",
                "EMAIL:",
                "TEL;TYPE=pager:1",
                "TEL;TYPE=cell,work:see below",
            ),
        )
        assert [(each.kind.value, each.value, each.label) for each in person.points] == [
            ("wechat", "liwei", None), ("wechat", "liwei2", None), ("other", "skype:a", "skype"),
            ("other", "a.cn", "url"), ("other", "X400/a", "mail"), ("other", "1", "pager"),
            ("other", "see below", "tel"), ("other", "12345", "qq"), ("other", "http://x", "linkedin"),
        ]  # fmt: skip
        assert [str(each) for each in person.untaken] == ["URL: It has 300 characters; at most 254 fit."]

    @pytest.mark.parametrize(
        ("line", "value"), [("X-WECHAT:a:b", "a:b"), ("X-WECHAT:wechat:a", "a"), ("X-WECHAT:wechat:", "wechat:")]
    )
    def test_a_colon_in_a_wechat_name(self, tmp_path: Path, line: str, value: str) -> None:
        (point,) = one(tmp_path, card("FN:A", line)).points
        assert (point.kind, point.value) == (PointKind.WECHAT, value)

    def test_days(self, tmp_path: Path) -> None:
        for text, day in (
            ("1980-03-22", 22),
            ("19800322T120000Z", 22),
            ("--0412", None),
            ("1980", None),
            ("1980-13-01", None),
        ):
            person = one(tmp_path, card("FN:A", f"BDAY:{text}"))
            assert person.fields.get("birthday") == (day and dt.date(1980, 3, day))
            assert len(person.untaken) == (day is None)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (card("TEL:1"), "The card names nobody"),
            (card("KIND:group", "FN:Friends"), "The card is about a group"),
            (card("FN:A", "no property"), "Line 4: it is no property"),
            (card("FN;CHARSET=klingon:A"), "nobody knows the character set 'klingon'"),
            (card("NOTE;ENCODING=BASE64:äöü", "FN:A"), "it is no base64"),
            (card("FN;ENCODING=X-A:A"), "nobody knows the encoding 'X-A'"),
            (b"BEGIN:VCARD\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=80\nEND:VCARD\n", "it is not written in UTF-8"),
            ("BEGIN:VCARD\nFN:A\n", "END:VCARD is missing"),
            ("BEGIN:VCARD\nFN:A\nEND:VCALENDAR\n", "It begins as VCARD and ends as VCALENDAR"),
            ("BEGIN:VCALENDAR\nX:1\nEND:VCALENDAR\n", "A VCALENDAR is nothing that is imported here"),
            ("hello\nworld\n", "These lines stand outside of everything"),
        ],
    )
    def test_what_is_rejected(self, tmp_path: Path, text: str | bytes, reason: str) -> None:
        path = tmp_path / "a.vcf"
        path.write_bytes((text.encode() if isinstance(text, str) else text) + card("FN:Next").encode())
        first, *rest = people(path)
        assert isinstance(first, str) and reason in first
        if "missing" not in reason:
            assert [each.name for each in rest if isinstance(each, Person)] == ["Next"]

    def test_one_that_is_far_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        path.write_bytes(b"BEGIN:VCARD\nPHOTO:" + b"x" * (17 << 20) + b"\nEND:VCARD\n" + card("FN:B").encode())
        first, second = people(path)
        assert "at most 16777216 are read" in str(first) and isinstance(second, Person)

    @given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
    def test_any_bytes_are_read_or_rejected(self, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
        path = tmp_path_factory.mktemp("any") / "a.vcf"
        path.write_bytes(b"BEGIN:VCARD\nVERSION:2.1\n" + data + b"\nEND:VCARD\n")
        people(path)


class TestImport:
    def test_the_journal_goes_with_each_batch(self, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
        logs: list[int] = []
        looked_up = importing.Known.of

        def of(session: Any, people: Any, system: str) -> Any:
            logs.append(len(session.writer.log))
            return looked_up(session, people, system)

        monkeypatch.setattr(importing, "_BATCH", 2)
        monkeypatch.setattr(importing.Known, "of", of)
        assert len(take(*(card(f"UID:{each}", f"FN:A {each}") for each in range(6))).cards) == 6
        assert logs == [0, 0, 0]

    def test_dry_run_apply_undo(self, crm: Crm, take: Take) -> None:
        text = card("UID:1", "FN:李伟", "ORG:北京机床厂", "TITLE:经理", "TEL;TYPE=cell:13800001234")
        tried = take(text, dry_run=True)
        assert (tried.count("created"), tried.accounts, tried.affiliations, tried.points, tried.change_set) == (
            1,
            1,
            1,
            1,
            None,
        )
        done = take(text)
        assert done.as_json()["cards"][0]["what"] == "created"
        assert take(text).count("unchanged") == 1
        assert done.change_set is not None
        with crm.system_session("test") as session:
            session.undo(done.change_set)
        with crm.system_session("test", read_only=True) as session:
            for cls in (Contact, Account, Affiliation, ContactPoint, ExternalRef):
                assert session.count(cls) == 0

    def test_a_card_that_is_known_has_the_last_word(self, crm: Crm, take: Take) -> None:
        take(card("UID:1", "FN:Wei Li", "ORG:Acme", "TITLE:Buyer", "BDAY:19800101", "EMAIL:wei@acme.cn"))
        report = take(card("UID:1", "FN:Wei Li-Smith", "ORG:Acme", "TITLE:Head", "BDAY:19800102", "TEL:+862112345678"))
        assert (report.count("updated"), report.points, report.accounts) == (1, 1, 0)
        with crm.system_session("test", read_only=True) as session:
            contact = session.scalars(select(Contact)).one()
            rows = session.scalars(select(Affiliation), execution_options={"all_dates": True}).all()
        assert (contact.name, contact.birthday) == ("Wei Li-Smith", dt.date(1980, 1, 2))
        assert sorted((row.title or "", row.valid_to is None) for row in rows) == [("Buyer", False), ("Head", True)]
        assert len(points(crm)) == 2  # what a card does not say is not taken away

    def test_one_without_a_key_fills_what_is_empty(self, crm: Crm, take: Take) -> None:
        with crm.system_session("x") as session:
            contact = session.add_one(Contact(name="李伟", birthday=dt.date(1980, 1, 1)))
            account = session.add_one(Account(name="Acme", address=Address(city="Bern")))
            session.add(ContactPoint(contact_id=contact.id, kind=PointKind.MOBILE, value="+8613800001234"))
            session.add(Affiliation(contact_id=contact.id, account_id=account.id, title="Buyer"))
        report = take(card("FN:李伟", "TEL;TYPE=cell:+86 138 0000 1234", "BDAY:19900101", "N:李;伟;;;", "ORG:Acme",
                           "TITLE:Head", "ADR;TYPE=work:;;Street 1;Ulm;;;Germany"))  # fmt: skip
        (taken,) = report.cards
        assert (taken.id, taken.what) == (contact.id, "updated")
        assert set(taken.untaken) == {
            "BDAY: The person has another one already.",
            "TITLE: The person has another one already.",
        }
        with crm.system_session("x", read_only=True) as session:
            contact = session.scalars(select(Contact)).one()
            place = session.scalars(select(Affiliation)).one()
            account = session.scalars(select(Account)).one()
        assert (contact.birthday, contact.family_name, place.title) == (dt.date(1980, 1, 1), "李", "Buyer")
        assert account.address == Address(city="Bern")
        assert ("other", "Street 1, Ulm, Germany", "work address") in points(crm)

    def test_doubles_are_told(self, crm: Crm, take: Take) -> None:
        with crm.system_session("x") as session:
            contact = session.add_one(Contact(name="Wei Li"))
            session.add(ContactPoint(contact_id=contact.id, kind=PointKind.EMAIL, value="wei@acme.cn"))
        report = take(card("FN:Somebody Else", "EMAIL:wei@acme.cn"))
        assert (report.count("created"), report.duplicates) == (1, 1)
        assert report.first_duplicates[0].other_name == "Wei Li"

    def test_companies(self, crm: Crm, take: Take) -> None:
        report = take(
            card("FN:A", "ORG:Acme Ltd"), card("FN:B", "ORG:ACME Limited"),
            card("FN:Acme Ltd", "KIND:org", "TEL:+862112345678", "BDAY:20000101"),
            card("ORG:Only a company"), card("FN:C", "ORG:Acme Ltd;Sales", "ORG:Acme Ltd"),
        )  # fmt: skip
        assert (report.rejected, report.accounts, report.affiliations) == (0, 1, 3)
        assert [each.record for each in report.cards] == ["contact", "contact", "account", "account", "contact"]
        assert report.cards[2].untaken == ("BDAY: It does not fit a company, or that has another one.",)
        with crm.system_session("x", read_only=True) as session:
            assert sorted(session.scalars(select(Account.name))) == ["Acme Ltd", "Only a company"]

    @pytest.mark.parametrize(
        ("lines", "untaken"),
        [
            (("FN:A", "X-MS-CARDPICTURE;TYPE=JPEG;ENCODING=BASE64:", " /9j/4AAQSkZJRg=="), {
                "X-MS-CARDPICTURE: Pictures, sounds and keys are not kept."}),
            (("FN:A", "PHOTO;ENCODING=b:AAAA", "LOGO:http://x.cn/a.png", "NICKNAME:B"), {
                "PHOTO: Pictures, sounds and keys are not kept.", "LOGO: Pictures, sounds and keys are not kept.",
                "NICKNAME: There is no field for another name."}),
            (("FN:A", "REV:1", "GENDER:F", "RELATED:x"), {
                "REV: It is about the card, not about a person.", "GENDER: There is no field for it.",
                "RELATED: There is no field for it."}),
            (("FN:A", "AGENT:", "BEGIN:VCARD", "FN:B", "END:VCARD"), {
                "AGENT: A card inside of a card is not taken; give it to the import by itself."}),
            (("FN:A", "KIND:device"), {"KIND: It is taken for a person, not for: device."}),
            (("FN:A", "ORG:Acme", "TITLE:Head", "ORG:Acme", "TITLE:Buyer", "ROLE:r", "ROLE:s"), {
                "ORG: It names a company twice.", "TITLE: It names a company twice.",
                "ROLE: It names a company twice."}),
            (("FN:Acme", "FN:上海轴承", "KIND:org"), {"FN: It does not fit a company, or that has another one."}),
            (("FN:Acme", "KIND:org", "ORG:Acme;Sales", "TITLE:Head", "ORG:Beta"), {
                "ORG: The card is about a company, which has no: Sales.",
                "TITLE: The card is about a company, which has no: Head.",
                "ORG: The card is about a company itself, not: Beta."}),
            (("FN:A", "TEL;TYPE=work:+8613800001234", "a.TEL:+8613800001234", "a.X-ABLABEL:Car"), {
                "phone: It is here already, and is called: work."}),
        ],
    )  # fmt: skip
    def test_nothing_is_passed_over_without_a_reason(self, take: Take, lines: Any, untaken: set[str]) -> None:
        report = take(card("UID:1", *lines))
        assert set(report.cards[0].untaken) == untaken

    def test_what_a_known_company_or_place_does_not_take_is_told(self, crm: Crm, take: Take) -> None:
        take(card("UID:1", "FN:Acme", "KIND:org"))
        report = take(card("UID:1", "FN:Beta", "KIND:org"))
        assert report.cards[0].untaken == ("FN: The company has another name here: Acme.",)
        report = take(card("UID:2", "FN:B", "ORG:Gamma", "TITLE:Head"), companies="known")
        assert report.cards[0].untaken == (
            "ORG: There is no account Gamma.", "TITLE: There is no account Gamma.",
        )  # fmt: skip

    def test_only_known_companies(self, crm: Crm, take: Take) -> None:
        report = take(card("FN:A", "ORG:Acme", "ADR;TYPE=work:;;Street 1;Ulm;;;Germany"), companies="known")
        assert report.cards[0].untaken == ("ORG: There is no account Acme.",)
        assert (report.accounts, report.affiliations) == (0, 0)
        assert points(crm) == {("other", "Street 1, Ulm, Germany", "work address")}

    def test_a_company_that_may_be_one_of_several(self, crm: Crm, take: Take, tmp_path: Path) -> None:
        with crm.system_session("x") as session:
            session.add_all([Account(name="Acme"), Account(name="Acme")])
        report = take(card("FN:A", "ORG:Acme", "TEL:1"), card("FN:B"), rejects_path=tmp_path / "r.csv")
        assert (report.rejected, report.count("created")) == (1, 1)
        assert "Several accounts are called Acme" in report.first_rejects[0].reason
        assert "ORG:Acme" in (tmp_path / "r.csv").read_text()
        assert points(crm) == set()  # the card is rejected as a whole

    def test_who_left_does_not_come_back(self, crm: Crm, take: Take) -> None:
        take(card("UID:1", "FN:A", "ORG:Acme"))
        with crm.system_session("x") as session:
            dated.end(session, session.scalars(select(Affiliation)).one())
        report = take(card("UID:1", "FN:A", "ORG:Acme"))
        assert report.cards[0].untaken == ("ORG: The person is not at Acme any more, or not yet.",)
        assert report.change_set is None

    def test_the_same_card_twice(self, take: Take) -> None:
        report = take(card("UID:1", "FN:A"), card("UID:1", "FN:B"))
        assert (report.count("created"), report.rejected) == (1, 1)
        assert "stands in line 1 already" in report.first_rejects[0].reason

    def test_the_erased_stay_erased(self, crm: Crm, take: Take) -> None:
        take(card("UID:1", "FN:A"))
        with crm.system_session("x") as session:
            contacts.erase(session, session.scalars(select(Contact)).one(), reason="asked for")
        report = take(card("UID:1", "FN:A"))
        assert "was erased" in report.first_rejects[0].reason and report.change_set is None

    def test_values_that_no_field_takes_cost_the_card(self, crm: Crm, take: Take) -> None:
        report = take(card(f"FN:{'x' * 300}", "ORG:Acme"), card("FN:B", f"N:{'x' * 90};B;;;"))
        assert (report.rejected, report.accounts, report.change_set) == (2, 0, None)

    def test_many_batches(self, crm: Crm, take: Take) -> None:
        heard: list[Any] = []
        texts = [card(f"UID:{number}", f"FN:Person {number}", f"ORG:Company {number % 7}") for number in range(450)]
        report = take(*texts, progress=heard.append)
        assert (report.count("created"), report.accounts, report.affiliations) == (450, 7, 450)
        assert [each.rows for each in heard] == [200, 400, 450] and heard[-1].share == 1.0


class TestAccess:
    @pytest.fixture
    def crm(self, open_crm: Callable[..., Crm]) -> Crm:
        crm = open_crm({"crm": {"time_zone": "Asia/Shanghai"}, "roles": {
            "importer": {"permissions": {"system.import": "all", "external_ref.*": "all", "account.*": "own",
                                         "*.read": "own", "contact.*": "own", "affiliation.*": "own",
                                         "contact_point.*": "own"}},
            "blind": {"permissions": {"system.import": "all", "external_ref.*": "all", "account.*": "own",
                                      "contact.create": "own", "contact.read": "own", "affiliation.*": "own",
                                      "contact_point.create": "own"}},
        }})  # fmt: skip
        with crm.system_session("init") as session:
            unit = session.add_one(Unit(name="East"))
            for login, role in (("li", "importer"), ("wang", "blind"), ("qi", "reader")):
                user = session.add_one(User(login=login, name=login))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role=role))
            hidden = session.add_one(Account(name="Acme"))
            person = session.add_one(Contact(name="Wei Li"))
            session.add(Affiliation(account_id=hidden.id, contact_id=person.id))
            session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="wei@acme.cn"))
            ownership.assign(session, hidden, to="qi")
        return crm

    def test_what_is_out_of_sight_is_not_there(self, crm: Crm, take: Take) -> None:
        report = take(card("FN:Wei Li", "EMAIL:wei@acme.cn", "ORG:Acme"), login="li")
        assert (report.count("created"), report.accounts, report.duplicates) == (1, 1, 0)
        assert take(card("FN:Wei Li", "EMAIL:wei@acme.cn", "ORG:Acme"), login="li").change_set is None

    def test_a_key_of_somebody_out_of_sight(self, crm: Crm, take: Take) -> None:
        with crm.system_session("x") as session:
            person = session.scalars(select(Contact)).one()
            session.add(ExternalRef(system="vcard", record_type="contact", key="1", record_id=person.id))
        report = take(card("UID:1", "FN:Wei Li"), login="li")
        assert "belongs to no contact that may be changed here" in report.first_rejects[0].reason

    def test_who_sees_no_contact_points_adds_none(self, crm: Crm, take: Take) -> None:
        report = take(card("FN:B", "EMAIL:b@acme.cn", "ORG:B", "NOTE:x"), login="wang")
        assert report.rejected == 0, report.first_rejects
        assert report.cards[0].untaken == ("email: Whoever imports may not see contact points.",)

    def test_who_may_import(self, crm: Crm, take: Take) -> None:
        with pytest.raises(PermissionDenied, match="may not import data"):
            take(card("FN:A"), login="qi")


def test_statements_grow_only_with_the_cards_that_bring_something(crm: Crm, take: Take) -> None:
    counts = []
    for number in (10, 60):
        texts = [
            card(f"UID:{each}", f"FN:Person {each}", f"ORG:Company {each % 5}", f"EMAIL:p{each}@x.cn")
            for each in range(number)
        ]
        take(*texts)
        said: list[str] = []
        event.listen(crm.store.engine, "before_cursor_execute", lambda *args, said=said: said.append(args[2]))
        assert take(*texts).count("unchanged") == number
        # A card of its own: a savepoint, and its end.
        counts.append(len([each for each in said if "SAVEPOINT" not in each.upper()]))
    assert counts[1] <= counts[0] + 5, counts

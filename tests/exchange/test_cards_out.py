"""People as an address book: what others read of it, what nobody may read, and what comes of it when it comes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vobject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from crm_core.assembly import Crm
from crm_core.domain import contacts, dated, ownership
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import ExchangeError
from crm_core.exchange.cards import export_cards, import_cards

# Spaces at the ends, and several in a row, are no part of a name.
WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\x00"), min_size=1, max_size=20
).map(lambda text: " ".join(text.split())).filter(bool)  # fmt: skip
NOTES = st.lists(WORDS, min_size=1, max_size=3).map("\n".join)


@pytest.fixture
def company(crm: Crm) -> Crm:
    with crm.system_session("init") as session:
        unit = session.add_one(Unit(name="East"))
        for login, role in (("li", "sales"), ("wang", "sales")):
            user = session.add_one(User(login=login, name=login))
            session.add(Membership(user_id=user.id, unit_id=unit.id, role=role))
        acme, other = (session.add_one(Account(name=name)) for name in ("Acme; Sons, Ltd", "Other"))
        ownership.assign(session, acme, to="li")
        ownership.assign(session, other, to="wang")
        wei = session.add_one(Contact(name="李伟", family_name="李", given_name="伟", local_name="Li Wei",
                                      birthday=dt.date(1980, 2, 29), note="secret\nx", language="zh"))  # fmt: skip
        session.add_all([
            Affiliation(account_id=acme.id, contact_id=wei.id, title="经理", department="采购部", primary=True),
            Affiliation(account_id=other.id, contact_id=wei.id, role="adviser"),
            ContactPoint(contact_id=wei.id, kind=PointKind.MOBILE, value="+8613800001234", preferred=True),
            ContactPoint(contact_id=wei.id, kind=PointKind.PHONE, value="+86 21 1", label="前台"),
            ContactPoint(contact_id=wei.id, kind=PointKind.EMAIL, value="wei@acme.cn", label="work"),
            ContactPoint(contact_id=wei.id, kind=PointKind.WECHAT, value="liwei"),
            ContactPoint(contact_id=wei.id, kind=PointKind.OTHER, value="Street 1, Ulm", label="home address"),
            ContactPoint(contact_id=wei.id, kind=PointKind.OTHER, value="http://a.cn", label="url"),
            ContactPoint(contact_id=wei.id, kind=PointKind.OTHER, value="12345", label="qq"),
        ])  # fmt: skip
    return crm


def written(crm: Crm, path: Path, login: str | None = None, where: str | None = None, **options: Any) -> list[Any]:
    session = crm.session(login, read_only=True) if login else crm.system_session("test", read_only=True)
    with session:
        export_cards(session, where, path, **options)
    text = path.read_bytes().decode()
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n")) and "\n" not in text.replace("\r\n", "")
    return list(vobject.readComponents(text))


class TestWhatOthersRead:
    @pytest.mark.parametrize("version", ["3.0", "4.0"])
    def test_a_person(self, company: Crm, tmp_path: Path, version: str) -> None:
        (card,) = written(company, tmp_path / "a.vcf", version=version)
        assert card.version.value == version
        assert (card.fn.value, card.n.value.family, card.n.value.given) == ("李伟", "李", "伟")
        assert [each.value for each in card.contents["tel"]] == ["+8613800001234", "+86 21 1"]
        assert card.email.value == "wei@acme.cn" and card.email.params == {"TYPE": ["work"]}
        assert [each.value for each in card.contents["org"]] == [["Acme; Sons, Ltd", "采购部"], ["Other"]]
        assert (card.title.value, card.role.value, card.note.value) == ("经理", "adviser", "secret\nx")
        assert card.bday.value == ("1980-02-29" if version == "3.0" else "19800229")
        assert card.adr.value.street == "Street 1, Ulm" and card.url.value == "http://a.cn"
        assert card.uid.value.startswith("contact-") and card.uid.value.endswith("@crm-core")

    def test_the_key_stays(self, company: Crm, tmp_path: Path) -> None:
        (first,) = written(company, tmp_path / "a.vcf")
        with company.system_session("x") as session:
            session.scalars(select(Contact)).one().name = "New"
        (second,) = written(company, tmp_path / "a.vcf")
        assert first.uid.value == second.uid.value and second.fn.value == "New"

    def test_only_places_that_hold(self, company: Crm, tmp_path: Path) -> None:
        with company.system_session("x") as session:
            place = session.scalars(select(Affiliation).where(Affiliation.primary)).one()
            dated.end(session, place)
        (card,) = written(company, tmp_path / "a.vcf")
        assert card.org.value == ["Other"] and "title" not in card.contents


class TestAccess:
    def test_everybody_has_their_own_address_book(self, company: Crm, tmp_path: Path) -> None:
        for login, names in (("li", [["Acme; Sons, Ltd", "采购部"]]), ("wang", [["Other"]])):
            (card,) = written(company, tmp_path / "a.vcf", login)
            assert [each.value for each in card.contents["org"]] == names
        with company.system_session("x") as session:
            session.delete_many(Affiliation, [session.scalars(select(Affiliation.id).where(Affiliation.primary)).one()])
        assert written(company, tmp_path / "a.vcf", "li") == []

    def test_contact_points_need_their_permission(self, open_crm: Callable[..., Crm], tmp_path: Path) -> None:
        crm = open_crm({"crm": {}, "roles": {"blind": {"permissions": {
            "account.read": "all", "contact.read": "all", "affiliation.read": "all"}}}})  # fmt: skip
        with crm.system_session("init") as session:
            unit, user = session.add_one(Unit(name="East")), session.add_one(User(login="li", name="Li"))
            session.add(Membership(user_id=user.id, unit_id=unit.id, role="blind"))
            account, person = session.add_one(Account(name="A")), session.add_one(Contact(name="B"))
            session.add(Affiliation(account_id=account.id, contact_id=person.id))
            session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="b@a.cn"))
            person.note = "secret"
        (card,) = written(crm, tmp_path / "a.vcf", "li")
        assert card.org.value == ["A"] and not {"email", "note"} & set(card.contents)

    def test_a_constant_number_of_statements(self, company: Crm, tmp_path: Path) -> None:
        counts = []
        for number in (1, 3, 200):
            with company.system_session("x") as session:
                account = session.scalars(select(Account)).first()
                assert account is not None
                for each in range(number):
                    contact = session.add_one(Contact(name=f"Person {each}"))
                    session.add(Affiliation(account_id=account.id, contact_id=contact.id))
                    session.add(ContactPoint(contact_id=contact.id, kind=PointKind.EMAIL, value=f"{each}@x.cn"))
            said: list[str] = []

            def note(*args: Any, said: list[str] = said) -> None:
                said.append(args[2])

            event.listen(company.store.engine, "before_cursor_execute", note)
            with company.session("li", read_only=True) as session:
                export_cards(session, None, tmp_path / "a.vcf")
            event.remove(company.store.engine, "before_cursor_execute", note)
            counts.append(len(said))
        assert counts[1] == counts[2] > 0


class TestRoundTrip:
    def test_a_card_that_comes_back_is_known(self, company: Crm, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        written(company, path)
        report = import_cards(company, path)
        assert (report.count("unchanged"), report.change_set) == (1, None)
        path.write_text(
            path.read_text().replace("liwei", "liwei2").replace("FN:李伟", "FN:李伟伟").replace("伟;;;", "伟伟;;;")
        )
        report = import_cards(company, path)
        assert (report.count("updated"), report.points) == (1, 1)
        with company.system_session("x", read_only=True) as session:
            assert session.scalars(select(Contact.name)).one() == "李伟伟"

    def test_a_card_of_another_address_book_goes_back_under_its_own_key(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        path.write_text("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:1\\;2\r\nFN:Wei\r\nEND:VCARD\r\n"
                        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Nameless\r\nEND:VCARD\r\n")  # fmt: skip
        import_cards(crm, path)
        with crm.system_session("x", read_only=True) as session:
            export_cards(session, None, path, order="name")
        keys = [line for line in path.read_text().splitlines() if line.startswith("UID")]
        assert keys[0].endswith("@crm-core") and keys[1] == "UID:urn:uuid:1\\;2"
        report = import_cards(crm, path)
        assert (report.count("unchanged"), report.change_set) == (2, None)

    @pytest.mark.parametrize(
        "line",
        [
            "EMAIL:wechat:li",
            "X-MS-IMADDRESS:weixin:li",
            "NICKNAME:A\u00a0\u3000B",
            "IMPP:wechat:li",
            "X-CRM-OTHER;TYPE=pager:tel:123",
        ],
    )
    def test_what_looks_like_something_else_is_known_when_it_comes_back(
        self, crm: Crm, tmp_path: Path, line: str
    ) -> None:
        path = tmp_path / "a.vcf"
        name = "" if line.startswith("NICKNAME") else "FN:Wei\r\n"
        path.write_text(f"BEGIN:VCARD\r\nVERSION:3.0\r\n{name}{line}\r\nEND:VCARD\r\n", encoding="utf-8")
        import_cards(crm, path)
        for version in ("3.0", "4.0"):
            with crm.system_session("x", read_only=True) as session:
                export_cards(session, None, path, version=version)
            report = import_cards(crm, path)
            assert (report.count("unchanged"), report.change_set) == (1, None), report.cards

    def test_a_card_with_signs_that_no_line_may_hold_is_known_when_it_comes_back(
        self, crm: Crm, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.vcf"
        path.write_bytes(
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:\x07Wei\x7f\r\nTEL:1\x001\r\nNOTE:a\tb\\nc\x1b\r\nEND:VCARD\r\n"
        )
        import_cards(crm, path)
        with crm.system_session("x", read_only=True) as session:
            person = session.scalars(select(Contact)).one()
            assert (person.name, person.note, session.scalars(select(ContactPoint.value)).one()) == (
                "Wei", "a\tb\nc", "11",
            )  # fmt: skip
            export_cards(session, None, path)
        report = import_cards(crm, path)
        assert (report.count("unchanged"), report.change_set) == (1, None)

    def test_what_is_left_of_the_key_of_an_erased_person_is_not_given_away(self, crm: Crm, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        path.write_text("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:wei@acme.cn\r\nFN:Wei\r\nEND:VCARD\r\n")
        import_cards(crm, path)
        with crm.system_session("x") as session:
            contacts.erase(session, session.scalars(select(Contact)).one(), reason="asked for")
        with crm.system_session("x", read_only=True) as session:
            export_cards(session, None, path)
        (key,) = [line for line in path.read_text().splitlines() if line.startswith("UID")]
        assert key.endswith("@crm-core")

    def test_the_key_of_another_database_is_not_ours(self, company: Crm, tmp_path: Path) -> None:
        path = tmp_path / "a.vcf"
        written(company, path)
        text = path.read_text()
        mark = text.partition("UID:contact-")[2].partition("@")[0].partition("-")[2]
        path.write_text(
            text.replace(mark, "0" * 16).replace("李伟", "Somebody").replace("wei@", "x@").replace("1234", "99")
        )
        report = import_cards(company, path)
        assert report.count("created") == 1

    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        max_examples=30,
        deadline=None,
    )
    @given(
        name=WORDS, family=st.none() | WORDS, note=st.none() | NOTES,
        birthday=st.none() | st.dates(), version=st.sampled_from(["3.0", "4.0"]),
        ways=st.lists(
            st.tuples(st.sampled_from(PointKind), WORDS,
                      st.none() | st.sampled_from(["home", "work", "前台", "home url", "address", "work address"])),
            max_size=4, unique_by=lambda way: way[:2],
        ),
        place=st.none() | st.tuples(WORDS, st.none() | WORDS, st.none() | WORDS, st.none() | WORDS),
    )  # fmt: skip
    def test_what_comes_back_is_what_went(
        self, crm: Crm, tmp_path_factory: pytest.TempPathFactory, name: str, family: str | None,
        note: str | None, birthday: dt.date | None, version: Any, ways: Any, place: Any,
    ) -> None:  # fmt: skip
        path = tmp_path_factory.mktemp("cards") / "a.vcf"
        self.empty(crm)
        with crm.system_session("x") as session:
            person = session.add_one(Contact(name=name, family_name=family, note=note, birthday=birthday))
            for number, (kind, text, label) in enumerate(ways):
                value = f"{number}@x.cn" if kind is PointKind.EMAIL else text
                if kind in (PointKind.PHONE, PointKind.MOBILE, PointKind.FAX):
                    value = f"138 0013 800{number}"
                session.add(ContactPoint(contact_id=person.id, kind=kind, label=label, value=value))
            if place:
                account = session.add_one(Account(name=place[0]))
                session.add(Affiliation(account_id=account.id, contact_id=person.id, title=place[1], role=place[2],
                                        department=place[3]))  # fmt: skip
        before = self.contents(crm)
        with crm.system_session("x", read_only=True) as session:
            export_cards(session, None, path, version=version)
        self.empty(crm)
        report = import_cards(crm, path)
        assert report.rejected == 0, report.first_rejects
        assert {text.partition(":")[0] for card in report.cards for text in card.untaken} <= {"REV"}
        assert self.contents(crm) == before

    @pytest.mark.parametrize("label", ["address", "work address", "Lieferung address", "home address"])
    def test_an_address_of_the_person_is_elsewhere_not_that_of_the_company(
        self, crm: Crm, tmp_path: Path, label: str
    ) -> None:
        with crm.system_session("x") as session:
            person, account = session.add_one(Contact(name="王伟")), session.add_one(Account(name="Acme"))
            session.add(Affiliation(account_id=account.id, contact_id=person.id))
            session.add(
                ContactPoint(contact_id=person.id, kind=PointKind.OTHER, label=label, value="中山路 1, 200001 上海")
            )
        with crm.system_session("x", read_only=True) as session:
            export_cards(session, None, tmp_path / "a.vcf")
        self.empty(crm)
        import_cards(crm, tmp_path / "a.vcf")
        with crm.system_session("x", read_only=True) as session:
            point = session.scalars(select(ContactPoint)).one()
            assert (point.label, point.value) == (label, "中山路 1, 200001 上海")
            assert session.scalars(select(Account)).one().address is None

    def empty(self, crm: Crm) -> None:
        with crm.system_session("x") as session:
            for cls in (ContactPoint, Affiliation, ExternalRef, Contact, Account):
                session.delete_many(cls, session.scalars(select(cls.id)).all())

    def contents(self, crm: Crm) -> Any:
        with crm.system_session("x", read_only=True) as session:
            people = [
                (each.name, each.family_name, each.note, each.birthday) for each in session.scalars(select(Contact))
            ]
            points = {(each.kind, each.value) for each in session.scalars(select(ContactPoint))}
            query = select(Account.name, Affiliation.title, Affiliation.role, Affiliation.department)
            places = [
                tuple(row) for row in session.execute(query.join(Affiliation, Affiliation.account_id == Account.id))
            ]
        return people, points, places


def test_where_nothing_can_be_written(company: Crm, tmp_path: Path) -> None:
    with (
        company.system_session("x", read_only=True) as session,
        pytest.raises(ExchangeError, match="cannot be written"),
    ):
        export_cards(session, None, tmp_path / "no" / "a.vcf")

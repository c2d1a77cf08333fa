"""Whatever is written in whatever script is found by any part of it, and by nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from crm_core.domain.accounts import Account
from crm_core.errors import ValidationError
from crm_core.fields.folding import HAN
from crm_core.store import visibility
from crm_core.store.search.syllables import SYLLABLES, divided
from crm_core.store.search.terms import terms_of
from crm_core.store.search.texts import Form, body_of, fold_text, tokens_of

SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCxyzÄÖÜßéñçøŁİı",
    "абвгдеЖЗИЙё",
    "αβγδΣς",
    "海尔集团单曾欧阳重庆银行二儿物流有限公司",
    "臺灣電腦龍龜裏",
    "かがパピーぷ",
    "한국어각",
    "\u0627\u0628\u062a\u062b\u062c",
    "\u0915\u0916\u093f\u0940\u0941",
    "\u0e44\u0e17\u0e22\u0e01\u0e33",
    "\U0001f600\U0001f469\u200d\U0001f4bb",
    "-_.@+/()'\"\\%*:^~&|!?#",
    "０１２３ＡＢｃ",
    "0123456789",
    "ﬁℌ①㎏",
    "\u0301\u0308\u200b\u00ad",
    "  \t\n\u3000",
)
TEXT = st.lists(
    st.one_of(
        st.sampled_from(SCRIPTS).flatmap(lambda script: st.text(st.sampled_from(script), max_size=6)),
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=4),
    ),
    max_size=6,
).map("".join)


def meets(term, body):
    """Whether the index would give a document as a candidate, and the recheck let it pass."""
    tokens = set(tokens_of(body))

    def has(token):
        return any(each.startswith(token.text) for each in tokens) if token.prefix else token.text in tokens

    return any(
        all(has(token) for token in way.tokens) and all(pattern in body for pattern in way.patterns)
        for way in term.ways
    )


@st.composite
def parts(draw):
    """A text, and a part of one of its folded words that has two characters or more."""
    text = draw(TEXT)
    words = [word for word in fold_text(text).split() if len(word) > 1]
    assume(words)
    word = draw(st.sampled_from(words))
    start = draw(st.integers(0, len(word) - 2))
    return text, word[start : draw(st.integers(start + 2, len(word)))]


@settings(max_examples=300)
@given(parts())
@example(("İstanbul", "is"))
@example(("ΑΣ Σας", "ασ"))
def test_any_part_of_two_characters_is_found(given_):
    text, part = given_
    assert fold_text(part) == part
    for title in (True, False):
        body = body_of([("before", Form()), (text, Form(title=title)), ("after", Form())])
        (term,) = terms_of(part)
        assert term.ways[0].patterns == (part,)
        assert meets(term, body)


@given(TEXT)
def test_folding_twice_changes_nothing(text):
    folded = fold_text(text)
    assert fold_text(folded) == folded
    assert not any(unicodedata.category(char) == "Cc" or "A" <= char <= "Z" for char in folded)


def test_every_character_folds_to_something_stable():
    for code in range(0x110000):
        if not 0xD800 <= code < 0xE000:
            folded = fold_text(chr(code))
            assert fold_text(folded) == folded, hex(code)


ACCOUNTS = st.lists(TEXT.map(lambda text: text[:60]), min_size=1, max_size=6)


def holds(name, word):
    """Plain Python's idea of whether a name holds a folded word."""
    folded = fold_text(name)
    if word in folded:
        return True
    digits = "".join(str(unicodedata.decimal(char)) for char in folded if char.isdecimal())
    number = "".join(char for char in word if char.isdecimal())
    if number and len(digits) >= 5 and number in digits and set(word) <= set("0123456789+()./#*-"):
        return True
    from pypinyin import lazy_pinyin

    for match in HAN.finditer(folded):
        spoken = [each for each in lazy_pinyin(match.group()) if each.isascii() and each.isalpha()]
        sounds = len(word) > 1 and not set(word).isdisjoint("aeiouv")
        if sounds and any("".join(spoken[start:]).startswith(word) for start in range(len(spoken))):
            return True
        for initials in ("".join(each[0] for each in spoken), "".join("r" if each == "er" else each[0]
                                                                      for each in spoken)):  # fmt: skip
            if 2 <= len(word) <= 8 and word.isascii() and word.isalpha() and word in initials:
                return True
    return False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(names=ACCOUNTS, data=st.data())
def test_the_database_finds_what_plain_python_finds(store, names, data):
    with store.session(principal="test") as session:
        ids = session.add_many(Account, [{"name": name} for name in names])
        session.check()
        session.writer.flush_journal()
        words = [word for name in names for word in fold_text(name).split()]
        spoken = ["haier", "hr", "jituan", "jt", "shan", "zhongqing", "chongqing", "youxian", "13", "0123", "ong"]
        query = data.draw(
            st.lists(
                st.one_of(
                    st.sampled_from([*words, *spoken]).flatmap(
                        lambda word: st.integers(0, max(len(word) - 2, 0)).map(lambda start: word[start : start + 4])
                    ),
                    TEXT.map(lambda text: text[:3]),
                ),
                min_size=1,
                max_size=2,
            ).map(" ".join)
        )
        try:
            terms = terms_of(query)
        except ValidationError:
            session.rollback()
            return
        assume(all(" " not in term.text for term in terms))
        found = {hit.record_id for hit in session.search(query, types=["account"], limit=100)}
        wanted = {
            id_ for id_, name in zip(ids, names, strict=True) if all(holds(name, term.text) for term in terms)
        }  # fmt: skip
        assert found == wanted, (query, terms)
        session.rollback()


@pytest.mark.parametrize(("letters", "ways"), [
    ("xian", [("xian",), ("xi", "an"), ("xia", "n"), ("xi", "a", "n")]),
    ("haie", [("hai", "e")]),
    ("hr", []),
    ("acme", []),
    ("zh", []),
    ("wangj", [("wang", "j")]),
])  # fmt: skip
def test_letters_are_read_as_syllables(letters, ways):
    assert divided(letters) == ways


@given(st.lists(st.sampled_from(sorted(SYLLABLES - {"e", "a", "o", "ei", "ai"})), min_size=1,
                max_size=3))  # fmt: skip
def test_joined_syllables_are_found_by_a_reading_that_fits(spoken):
    joined = "".join(spoken)
    assume(not set("aeiouv").isdisjoint(joined))
    assert any("".join(way) == joined for way in divided(joined))


def test_somebody_who_sees_very_many_finds_the_same(store, monkeypatch):
    """Both shapes of visibility; and the fall-back of the lazy one, when the best are mostly one and the same."""
    from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
    from crm_core.domain.organisation import Membership, Unit, User
    from crm_core.domain.ownership import Ownership

    with store.session(principal="init") as session:
        unit = session.add_one(Unit(name="East"))
        user = session.add_one(User(login="li", name="Li"))
        session.add(Membership(user_id=user.id, unit_id=unit.id, role="manager"))
        for number in range(30):
            account = session.add_one(Account(name=f"Acme {number:02}"))
            if number % 3:
                session.add(Ownership(account_id=account.id, user_id=user.id))
            person = session.add_one(Contact(name=f"Person {number:02}"))
            for role in range(8):
                session.add(Affiliation(account_id=account.id, contact_id=person.id, role=f"acme buyer {role}"))
            session.add(ContactPoint(contact_id=person.id, kind=PointKind.OTHER, value=f"the office of buyer {number}"))
    answers = []
    for border in (10**6, 0):
        monkeypatch.setattr(visibility, "WIDE", border)
        with store.session("li", read_only=True) as session:
            assert session.visibility.wide == (border == 0)
            answers.append([session.search(query, limit=limit) for query in ("acme", "buyer", "acme buyer", "person 2")
                            for limit in (1, 3, 20, 500)])  # fmt: skip
    assert answers[0] == answers[1]
    assert [len(hits) for hits in answers[0][4:8]] == [1, 3, 20, 20]
    statements = []
    event.listen(store.engine, "before_cursor_execute", lambda _c, _x, text, *_: statements.append(text))
    with store.session("li", read_only=True) as session:
        session.search("buyer", limit=20)
    assert len([text for text in statements if "best" in text]) == 2  # the lazy one, and the whole

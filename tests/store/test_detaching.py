"""Old parts of the journal are detached and attached again: nothing is lost, and nothing is answered wrongly."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import insert, select, text

from crm_core.domain import contacts
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact, ContactPoint, PointKind
from crm_core.domain.duties import Duty
from crm_core.errors import Conflict, NotFound, PastDetached, StillNeeded, StoreError
from crm_core.store import consumers, feed, ids, merging
from crm_core.store.feed import Position
from crm_core.store.migrations import drift, kernel_source
from crm_core.store.partitions import detaching, keeping
from crm_core.store.partitions.attaching import attach
from crm_core.store.partitions.detaching import detach
from crm_core.store.partitions.layout import WIDTH, number_of
from crm_core.store.partitions.listing import parts
from crm_core.store.partitions.whole import out_of_reach
from crm_core.store.tables import FEED_POSITION, JOB, LAST_LOOK
from crm_core.testing.statements import counted
from crm_core.views import duties
from tests.store.journal_support import Note
from tests.store.partition_support import EPOCH, opened, rows, write

LATER = EPOCH + dt.timedelta(days=400)
MIDDLE = EPOCH + dt.timedelta(days=200)


@pytest.fixture
def store(database_url, clock):
    with opened(database_url, clock) as store:
        if store.dialect == "sqlite":
            pytest.skip("SQLite keeps the journal in one table")
        yield store


def change(store, note, **values):
    with store.session(principal="test", reason="a change") as session:
        for name, value in values.items():
            setattr(session.get(Note, note), name, value)
    return session.last_change_set


def new_part(store, clock, moment=LATER):
    """A part that begins at a moment, as for a process that starts then."""
    clock.now = moment
    begun = keeping.begin(store).begun
    store._ids = ids.IdPool()
    return begun


def two_years(store, clock):
    """A note of each of two years, of which the older one was changed in both, and a change set of the first year."""
    _, old = write(store, "first")
    clock.turn(days=10)
    first = change(store, old, name="second")
    new_part(store, clock)
    change(store, old, name="third")
    _, new = write(store, "new")
    return old, new, first


def journal(store):
    """All that the journal holds."""
    with store.engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).all()
            for table in ("crm_change_set", "crm_change", "crm_journal_part")
        ]


def names(store, note):
    with store.session(principal="test", read_only=True) as session:
        found = session.history(Note, note)
        return [event.change.after["name"] for event in found], found.begins


def as_of(store, moment, note):
    with store.session(principal="test", as_of=moment) as session:
        record = session.get(Note, note)
        listed = {each.id: each.name for each in session.list(Note, limit=10_000)}
    assert listed.get(note) == (None if record is None else record.name)
    return None if record is None else record.name


@pytest.mark.parametrize("in_file", [False, True])
def test_what_is_attached_again_is_as_it_was(store, clock, tmp_path, in_file):
    old, new, _ = two_years(store, clock)
    before, listed = journal(store), parts(store)
    done = detach(store, LATER, to=tmp_path if in_file else None)
    assert (done.numbers, done.cut, done.change_sets, done.changes, done.looked_before) == ((0,), LATER, 2, 2, 0)
    assert [len(each) for each in journal(store)] == [2, 2, 1]
    file = tmp_path / "journal-part-0.gz"
    part = parts(store)[0]
    assert (part.number, part.state, part.first_at, part.last_at) == (0, "file" if in_file else "kept", EPOCH,
                                                                      EPOCH + dt.timedelta(days=10))  # fmt: skip
    assert (part.change_sets, part.changes, part.detached_at) == (2, 2, LATER) and part.bytes > 0
    assert part.file == (str(file) if in_file else None)
    assert done.written == ((str(file),) if in_file else ())
    assert drift(store.engine, kernel_source()) == []
    assert attach(store, 0, dry_run=True).changes == 2 and len(journal(store)[2]) == 1
    attach(store, file if in_file else 0)
    assert journal(store) == before
    assert [(each.number, each.state, each.changes) for each in parts(store)] == [
        (each.number, each.state, each.changes) for each in listed
    ]
    assert names(store, old) == (["first", "second", "third"], None)
    assert as_of(store, MIDDLE, old) == "second"
    with store.session(principal="test") as session:
        session.undo(change(store, new, name="newer"))
    assert drift(store.engine, kernel_source()) == []


def test_the_detached_past_is_asked_for_in_vain_rather_than_answered_wrongly(store, clock):
    old, new, first = two_years(store, clock)
    detach(store, LATER)
    assert names(store, old) == (["third"], LATER)
    assert names(store, new) == (["new"], None)
    for moment in (EPOCH, MIDDLE, LATER - dt.timedelta(microseconds=1)):
        for ask in (lambda s: s.get(Note, old), lambda s: s.get(Note, new), lambda s: s.list(Note)):
            with store.session(principal="test", as_of=moment) as session, pytest.raises(PastDetached, match="2027-02"):
                ask(session)
    assert as_of(store, LATER, old) == "third"
    clock.turn(days=1)
    change(store, old, name="fourth")
    assert as_of(store, LATER, old) == "third"
    with store.session(principal="test") as session:
        with pytest.raises(PastDetached, match=r"in part 0 of the journal"):
            session.undo(first)
        with pytest.raises(NotFound) as caught:
            session.undo(WIDTH + 999)
        assert not isinstance(caught.value, PastDetached)
    with (
        store.session(principal="test", read_only=True) as session,
        pytest.raises(PastDetached, match="no journal_"),
    ):
        session.history(Note, 77)


def test_a_version_that_only_the_detached_past_knows_is_not_made_up(store, clock):
    _, note = write(store)
    new_part(store, clock)
    write(store)
    detach(store, LATER)
    clock.turn(days=1)
    change(store, note, name="changed")
    with store.session(principal="test", as_of=LATER) as session:
        record = session.get(Note, note)
        assert (record.name, record.version) == ("kept", None)


def test_what_was_brought_back_is_known_to_have_had_a_past(store, clock):
    _, note = write(store)
    with store.session(principal="test") as session:
        session.delete(session.get(Note, note))
    deleted = session.last_change_set
    new_part(store, clock)
    with store.session(principal="test") as session:
        session.undo(deleted)
    with store.session(principal="test") as session:  # a second version within its first change set is no past
        new = session.add_one(Note(name="new"))
        session.flush()
        new.name = "newer"
    detach(store, LATER)
    assert names(store, note) == (["kept"], LATER)
    assert names(store, new.id) == (["newer"], None)


def test_only_who_asks_for_a_past_that_is_cut_needs_a_statement_more(store, clock):
    old, new, _ = two_years(store, clock)

    def asked(note):
        with store.session(principal="test", read_only=True) as session, counted(SimpleNamespace(store=store)) as sent:
            session.history(Note, note)
        return len(sent)

    whole = asked(new)
    assert asked(old) == whole
    detach(store, LATER)
    assert asked(new) == whole
    assert asked(old) == whole + 1


def test_what_came_late_with_an_old_id_stays_and_goes_home_again(store, clock, database_url):
    with opened(database_url, clock) as other:
        write(other, "early")  # and keeps the rest of its block
        write(store)
        new_part(store, clock)
        write(store)
        clock.turn(hours=1)
        late, note = write(other, "late")
        before = journal(store)
        detach(store, LATER)
        assert rows(store, "crm_change_set_rest") == rows(store, "crm_change_rest") == 1
        assert names(store, note) == (["late"], None)
        later, after = write(other, "later still")
        assert number_of(late) == number_of(later) == 0
        assert as_of(store, clock.now, after) == "later still"
        assert keeping.keep(store).made == ()  # the range of a part that is away is not made anew
    attach(store, 0)
    assert rows(store, "crm_change_set_rest") == rows(store, "crm_change_rest") == 0
    assert [len(each) - len(was) for each, was in zip(journal(store), before, strict=True)] == [1, 1, 0]


def test_all_that_stands_in_the_way_is_told_and_nothing_is_changed(store, clock):
    _, _, first = two_years(store, clock)
    clock.turn(days=10)
    store.policy.duties["yearly"] = Duty(name="yearly", every_days=365)
    with store.engine.begin() as connection:
        feed.advance(connection, "slow", Position(1, 1))
        feed.advance(connection, "quick", feed.end(connection))
        waiting = {"id": 9, "name": "feed.deliver", "state": "dead", "attempts": 1, "run_at": EPOCH,
                   "created_at": EPOCH, "touched_at": EPOCH}  # fmt: skip
        connection.execute(insert(JOB).values(**waiting, arguments=json.dumps({"plugin": "odd", "change_set": first})))
        connection.execute(insert(LAST_LOOK).values(user_id=5, what="today", at=EPOCH, seen=""))
    before = journal(store)
    found = detach(store, LATER, dry_run=True)
    assert [each.path for each in found.obstacles] == ["slow", "odd", "duties.yearly"]
    assert found.looked_before == 1
    with pytest.raises(StillNeeded, match="still needed") as caught:
        detach(store, LATER)
    assert caught.value.problems == found.obstacles
    assert journal(store) == before
    del store.policy.duties["yearly"]
    with store.engine.begin() as connection:
        connection.execute(JOB.update().values(state="dropped"))
        connection.execute(FEED_POSITION.delete().where(FEED_POSITION.c.consumer == "slow"))
    assert not detach(store, LATER, dry_run=True).obstacles
    assert journal(store) == before


def test_a_part_goes_only_with_all_that_was_recorded_in_it(store, clock):
    two_years(store, clock)
    with pytest.raises(NotFound, match="recorded before 2027-02-04"):
        detach(store, LATER - dt.timedelta(seconds=1))
    two = new_part(store, clock, LATER + dt.timedelta(days=300))
    assert detach(store, clock.now, dry_run=True).numbers == (0,)  # nothing is written to the last one yet
    write(store)
    assert detach(store, clock.now, dry_run=True).numbers == (0, 1)
    assert two == 2 and detach(store, LATER).numbers == (0,)
    assert detach(store, clock.now).cut == clock.now
    attach(store, 0)
    with store.session(principal="test", as_of=MIDDLE) as session, pytest.raises(PastDetached):
        session.list(Note)  # what came between is still away


def test_nobody_is_told_again_of_what_comes_back(store, clock):
    two_years(store, clock)
    with store.engine.begin() as connection:
        feed.advance(connection, "told", feed.end(connection))
    detach(store, LATER)
    attach(store, 0)
    with store.engine.begin() as connection:
        assert feed.read(connection, store.types, feed.position(connection, "told")) == []
        (told,) = consumers.consumers(connection)
    detach(store, LATER)
    with store.engine.begin() as connection:  # as in a database that was restored on another server
        connection.execute(text("UPDATE crm_change_set_p0 SET place = place + 1000000000"))
    attach(store, 0)
    with store.engine.begin() as connection:
        assert feed.read(connection, store.types, told.position) == []


def test_a_file_that_is_not_whole_or_not_ours_is_refused(store, clock, tmp_path):
    two_years(store, clock)
    with pytest.raises(StoreError, match="no folder"):
        detach(store, LATER, to=tmp_path / "nowhere")
    detach(store, LATER)
    before = journal(store)
    (tmp_path / "journal-part-0.gz").touch()
    with pytest.raises(StoreError, match=r"a file .* already"):
        detach(store, LATER, to=tmp_path)
    attach(store, 0)
    whole = journal(store)
    for dry_run in (False, True):
        with pytest.raises(StoreError, match=r"a file .* already"):
            detach(store, LATER, to=tmp_path, dry_run=dry_run)
    assert journal(store) == whole  # known before anything is taken out
    detach(store, LATER)
    (tmp_path / "journal-part-0.gz").unlink()
    assert journal(store) == before and parts(store)[0].state == "kept"
    (file,) = detach(store, LATER, to=tmp_path).written
    content = (tmp_path / "journal-part-0.gz").read_bytes()
    damaged = tmp_path / "damaged.gz"
    packed = content.index(b"\0", 10) + 1  # behind the name that gzip keeps
    for middle in (0, *range(packed, len(content), 5)):
        damaged.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(StoreError, match="no whole part"):
            attach(store, damaged)
    damaged.write_bytes(content[:-30])
    with pytest.raises(StoreError, match="no whole part"):
        attach(store, damaged)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE crm_journal_part SET changes = 3"))
    with pytest.raises(StoreError, match="not the part 0"):
        attach(store, tmp_path / "journal-part-0.gz")
    with pytest.raises(NotFound, match="not detached"):
        attach(store, 1)
    with pytest.raises(NotFound, match="no file"):
        attach(store, tmp_path / "nowhere.gz")
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE crm_journal_part SET changes = 2"))
    moved = tmp_path / "moved.gz"
    (tmp_path / "journal-part-0.gz").rename(moved)
    with pytest.raises(NotFound, match="no longer"):
        attach(store, 0)
    assert attach(store, moved).changes == 2
    assert file.endswith("journal-part-0.gz")


def test_a_file_that_was_written_anew_is_refused_though_its_own_sum_is_right(store, clock, tmp_path):
    two_years(store, clock)
    (file,) = map(Path, detach(store, LATER, to=tmp_path).written)
    assert file.stat().st_mode & 0o777 == 0o600
    lines = gzip.decompress(file.read_bytes()).replace(b"second", b"forged").splitlines(keepends=True)
    rows_of_it = b"".join(line for line in lines if not line.startswith(b"\\#"))
    said = json.loads(lines[-1][2:]) | {"sha256": hashlib.sha256(rows_of_it).hexdigest()}
    file.write_bytes(gzip.compress(b"".join(lines[:-1]) + b"\\#" + json.dumps(said).encode() + b"\n"))
    with pytest.raises(StoreError, match="not the part 0"):
        attach(store, file)


DYING = """
import datetime as dt, os, pathlib, signal, sys
from crm_core.store.partitions import detaching, files
from tests.store import journal_support as support

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

{step} = die
store = support.Store(sys.argv[1], support.all_types())
detaching.detach(store, dt.datetime.fromisoformat(sys.argv[2]), to=pathlib.Path(sys.argv[3]))
"""


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("detaching.insert", "used"),  # the tables are taken out, and nothing is committed
        ("detaching._kept", "kept"),
        ("files.flush", "kept"),  # before the file has its name
        ("detaching.update", "kept"),  # the file is there, and the database does not know
    ],
)
def test_whoever_is_killed_loses_nothing_and_the_next_call_ends_it(
    store, clock, database_url, tmp_path, step, state
):  # fmt: skip
    old, _, _ = two_years(store, clock)
    before = journal(store)
    work = [sys.executable, "-c", DYING.replace("{step}", step), database_url, LATER.isoformat(), str(tmp_path)]
    ended = subprocess.run(work, check=False, cwd=Path(__file__).parents[2], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert parts(store)[0].state == state
    file = tmp_path / "journal-part-0.gz"
    assert file.exists() == (step == "detaching.update")
    assert detach(store, LATER, to=tmp_path, dry_run=True).written == (str(file),)
    assert detach(store, LATER, to=tmp_path).written == (str(file),)
    assert [*tmp_path.iterdir()] == [file] and parts(store)[0].state == "file"
    attach(store, 0)
    assert journal(store) == before
    assert names(store, old) == (["first", "second", "third"], None)


def test_a_part_that_somebody_attached_meanwhile_is_not_dropped(store, clock, tmp_path, monkeypatch):
    two_years(store, clock)
    before = journal(store)
    kept = detaching._kept

    def attached_meanwhile(*given):
        found = kept(*given)
        attach(store, 0)
        return found

    monkeypatch.setattr(detaching, "_kept", attached_meanwhile)
    assert detach(store, LATER, to=tmp_path).written == ()
    assert journal(store) == before and not [*tmp_path.iterdir()]


def test_a_disk_that_refuses_is_told_with_what_is_done_already(store, clock, tmp_path, monkeypatch):
    two_years(store, clock)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("crm_core.store.partitions.files.flush", full)
        with pytest.raises(StoreError, match=r"No space left on device\. The part is detached"):
            detach(store, LATER, to=tmp_path)
    assert parts(store)[0].state == "kept" and not [*tmp_path.iterdir()]
    assert len(detach(store, LATER, to=tmp_path).written) == 1


def person(store):
    with store.session(principal="test", reason="Eusebia Quillfeather came") as session:
        contact = session.add_one(Contact(name="Eusebia Quillfeather", note="likes tulips"))
        point = session.add_one(ContactPoint(contact_id=contact.id, kind=PointKind.EMAIL, value="old@example.org"))
        other = session.add_one(Contact(name="Somebody Else"))
    with store.session(principal="test") as session:
        session.get(ContactPoint, point.id).value = "quill@example.com"
    return contact.id, point.id, other.id


SECRETS = ("Eusebia", "tulips", "old@example.org", "quill@example.com", "new@example.net")


def held(store, *tables):
    with store.engine.connect() as connection:
        found = "\n".join(str(row) for table in tables for row in connection.execute(text(f"SELECT * FROM {table}")))
    return {secret for secret in SECRETS if secret in found}


JOURNAL = ("crm_change", "crm_change_set")


def test_an_erasure_reaches_the_parts_that_are_kept(store, clock):
    contact, _, _ = person(store)
    new_part(store, clock)
    write(store)
    detach(store, LATER)
    away = ("crm_change_p0", "crm_change_set_p0")
    assert held(store, *away) == set(SECRETS[:4])
    with store.session(principal="test") as session:
        contacts.erase(session, session.require(Contact, contact), reason="asked for it")
        assert out_of_reach(session) == []
    assert held(store, *away, *JOURNAL) == set()
    assert parts(store)[0].state == "kept"
    attach(store, 0)
    assert held(store, *JOURNAL) == set()


def test_an_erasure_that_would_have_to_wait_gives_up_and_changes_nothing(store, clock):
    contact, _, _ = person(store)
    new_part(store, clock)
    write(store)
    detach(store, LATER)
    before = journal(store)
    with store.engine.begin() as other:
        other.execute(select(Contact.id).where(Contact.id == contact).with_for_update())
        with store.session(principal="test") as session, pytest.raises(Conflict, match="Nothing was changed"):
            contacts.erase(session, session.require(Contact, contact), reason="asked for it")
    assert journal(store) == before and parts(store)[0].state == "kept"


def test_an_erasure_says_what_it_cannot_reach_and_is_made_up_for(store, clock, tmp_path):
    contact, point, other = person(store)
    new_part(store, clock)
    with store.session(principal="test") as session:
        session.get(ContactPoint, point).value = "new@example.net"
    with store.session(principal="test") as session:  # it was theirs while that was written
        session.get(ContactPoint, point).contact_id = other
    clock.turn(days=1)
    (file,) = detach(store, LATER, to=tmp_path).written
    with store.session(principal="test") as session:
        contacts.erase(session, session.require(Contact, contact), reason="asked for it")
        assert out_of_reach(session) == [file]
    assert held(store, *JOURNAL) <= {"new@example.net"}  # only as what the other one has now
    assert attach(store, 0).erased >= 3
    assert held(store, *JOURNAL) <= {"new@example.net"}


def test_an_erasure_is_known_though_its_own_part_is_away(store, clock, tmp_path):
    contact, _, _ = person(store)
    new_part(store, clock)
    write(store)
    detach(store, LATER, to=tmp_path)
    before = journal(store)
    with store.session(principal="test") as session:
        contacts.erase_texts(session, session.require(Contact, contact), "note", reason="asked for it")
    with store.session(principal="test") as session:
        contacts.erase(session, session.require(Contact, contact), reason="asked for it")
    new_part(store, clock, LATER + dt.timedelta(days=300))
    write(store)
    assert detach(store, clock.now, dry_run=True).change_sets == 1
    assert detach(store, clock.now, to=tmp_path).change_sets == 1  # what was erased stays known
    attach(store, 0)
    assert held(store, *JOURNAL) == set()
    attach(store, 1)
    assert held(store, *JOURNAL) == set()
    assert rows(store, "crm_change_rest") == rows(store, "crm_change_set_rest") == 0
    assert len(journal(store)[0]) == len(before[0]) + 2 + 2 + 1


def test_an_erased_text_does_not_come_back(store, clock, tmp_path):
    contact, _, _ = person(store)
    new_part(store, clock)
    write(store)
    detach(store, LATER, to=tmp_path)
    with store.session(principal="test") as session:
        contacts.erase_texts(session, session.require(Contact, contact), "note", reason="asked for it")
    assert attach(store, 0).erased == 1
    assert held(store, *JOURNAL) == {"Eusebia", "old@example.org", "quill@example.com"}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_detached_and_attached_the_journal_is_whole_in_the_end(store, clock, tmp_path, seed):
    chance = random.Random(seed)
    _, note = write(store, "0")
    said: list[tuple[dt.datetime, int, str]] = [(clock.now, note, "0")]
    done = []

    def check(*moments):
        cut = max((row.cut for row in journal(store)[2]), default=EPOCH)
        for moment, id_, name in moments:
            if moment >= cut:
                assert as_of(store, moment, id_) == name, done
            else:
                with pytest.raises(PastDetached):
                    as_of(store, moment, id_)

    for number in range(1, 15):
        clock.turn(days=1)
        step = chance.choice(("write", "change", "change", "begin", "detach", "file", "attach"))
        done.append(step)
        away = [each.number for each in parts(store) if each.state in ("kept", "file")]
        if step == "write":
            _, note = write(store, str(number))
        elif step == "change":
            change(store, note, name=str(number))
        elif step == "begin" and keeping.begin(store).begun is not None:
            store._ids = ids.IdPool()
        elif step == "attach" and away:
            attach(store, chance.choice(away))
        elif step in ("detach", "file"):
            (folder := tmp_path / str(number)).mkdir()
            with suppress(NotFound):  # there is no old part
                detach(store, clock.now, to=folder if step == "file" else None)
        if step in ("write", "change"):
            said.append((clock.now, note, str(number)))
        check(*said[-1:], *chance.sample(said, min(len(said), 2)))
    for each in parts(store):
        if each.state in ("kept", "file"):
            attach(store, each.number)
    check(*said)
    found = [name for id_ in sorted({id_ for _, id_, _ in said}) for name in names(store, id_)[0]]
    assert sorted(found, key=int) == [name for _, _, name in said]
    assert rows(store, "crm_change_rest") == rows(store, "crm_change_set_rest") == 0


def test_nobody_notices_that_parts_come_and_go(store, clock, database_url):
    """Writers and readers go on meanwhile: none of them fails, and nothing is lost."""
    written: dict[int, str] = {}
    over = threading.Event()
    failed: list[BaseException] = []

    def work(name, other):
        try:
            number = 0
            while not over.is_set():
                number += 1
                _, note = write(other, f"{name} {number}")
                change(other, note, name=f"{name} {number} again")
                written[note] = f"{name} {number} again"
                with other.session(principal="test", read_only=True) as session:
                    assert session.get(Note, note).name == written[note]
                    assert session.history(Note, note)[-1].change.after == {"name": written[note]}
        except BaseException as error:
            failed.append(error)

    write(store)
    # One after the other: each writes the catalogue when it is opened.
    others = ExitStack()
    threads = [
        threading.Thread(target=work, args=(name, others.enter_context(opened(database_url, clock))))
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            clock.turn(days=1)
            assert keeping.begin(store).begun is not None
            store._ids = ids.IdPool()
            clock.turn(days=1)
            write(store)
            numbers = detach(store, clock.now).numbers
            assert numbers
            for number in numbers:
                attach(store, number)
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
        others.close()
    assert not failed, [str(each) for each in failed]
    assert len(written) > 10
    changes = sum(each.changes for each in parts(store))
    assert changes == 2 * len(written) + 5
    for note, name in written.items():
        assert names(store, note) == ([name.removesuffix(" again"), name], None)


def test_what_else_is_worked_out_from_the_journal_is_refused_as_well(store, clock):
    with store.session(principal="test") as session:
        kept, gone = (session.add_one(Account(name=name)).id for name in ("Acme", "Acme Ltd"))
    with store.session(principal="test") as session:
        merging.merge(session, session.get(Account, kept), session.get(Account, gone))
    new_part(store, clock)
    write(store)
    clock.turn(days=1)
    store.policy.duties["weekly"] = Duty(name="weekly", every_days=1)
    detach(store, LATER)
    with store.session(principal="test") as session:
        with pytest.raises(PastDetached, match="merge under the id"):
            merging.split(session, gone)
        with pytest.raises(PastDetached, match="cannot be looked at"):
            duties.report(session, at=MIDDLE)
        assert duties.report(session).whole is not None
    attach(store, 0)
    with store.session(principal="test") as session:
        merging.split(session, gone)
    with store.session(principal="test", read_only=True) as session:
        assert session.get(Account, gone) is not None

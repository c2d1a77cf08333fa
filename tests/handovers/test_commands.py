"""``crm handover`` and ``crm user``: from the draft to the undo, as people and as programs read it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_core import Contact, ContactPoint, Crm
from crm_core.cli.application import Application
from crm_core.cli.running import run

from .conftest import Company, detach_before, found


@attrs.frozen
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    (tmp_path / "crm.toml").write_text(
        f'[crm]\ndatabase = "{database_url}"\ntime_zone = "Asia/Shanghai"\n[pools.all]\nroles = ["sales"]\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    with Crm.open(tmp_path / "crm.toml", check=False) as crm:
        crm.migrate()
        yield found(crm)


@pytest.fixture
def crm(here: Company, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def ran(*args: str, user: str | None = None, lang: str = "en") -> Ended:
        code = run([*(("--user", user) if user else ()), "--lang", lang, *args], Application({}))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return ran


def drafted(crm: Callable[..., Ended], *args: str) -> str:
    return str(crm("handover", "draft", "li", *args, "--json", user="zhou").json["id"])


class TestTheWholeWay:
    def test_draft_offer_answer_do_take_back_undo(self, crm: Callable[..., Ended], here: Company) -> None:
        ended = crm("user", "deactivate", "li")
        assert (ended.code, ended.err.strip()) == (
            7, "li is still responsible for 6 accounts. Hand them over first: crm handover draft li --to LOGIN.",
        )  # fmt: skip
        rule = ("--rule", "address.city == 'Shanghai'", "wang")
        split = ("--split", "0.25", "--split-until", "2099-01-01")
        made = crm(
            "handover", "draft", "li", *rule, "--to", "sun", "--reason", "leaves", *split, "--offer", "--json",
            user="zhou",
        ).json  # fmt: skip
        assert (made["leaver"], made["state"], made["reason"], made["split_share"]) == (
            "li",
            "offered",
            "leaves",
            "0.25",
        )
        assert [item["successor"] for item in made["items"]] == ["wang", "sun", "wang", "sun", "sun", "sun"]
        id_ = str(made["id"])
        assert crm("user", "deactivate", "li").code == 0
        assert crm("user", "activate", "li", "--json").json["users"][0]["active"] is True

        assert [
            each["id"] for each in crm("handover", "list", "--waiting", "--json", user="sun").json["handovers"]
        ] == [made["id"]]
        refused = crm("handover", "refuse", id_, "--account", "Firm 1", "--note", "too far", user="sun")
        assert "too far" in refused.out and "Refused" in refused.out
        assert len(crm("handover", "accept", id_, "--json", user="sun").json["items"]) == 3
        assert crm("handover", "accept", id_, user="wang").code == 0
        early = crm("handover", "do", id_, user="zhou")
        assert early.code == 7 and "not accepted yet: 1 of 6." in early.err
        assert crm("handover", "assign", id_, "--to", "wang", user="zhou").code == 0
        assert crm("handover", "offer", id_, user="zhou").code == 0
        assert crm("handover", "accept", id_, user="wang").code == 0

        rehearsal = crm("handover", "do", id_, "--dry-run", user="zhou")
        assert "Accounts that go over: 6" in rehearsal.out and "dry run" in rehearsal.err
        assert set(here.owners().values()) == {"li"}
        deed = crm("handover", "do", id_, "--reason", "Li leaves", "--json", user="zhou").json
        assert (deed["items"], deed["moved"], deed["dry_run"]) == (6, {"activity": 6}, False)
        assert list(here.owners().values()) == ["wang", "wang", "wang", "sun", "sun", "sun"]
        assert here.latest().id == deed["change_set"]

        assert crm("handover", "take-back", id_, user="zhou").code == 2
        tried = crm("handover", "take-back", id_, "--account", "Firm 0", "--dry-run", user="zhou")
        assert "Accounts taken back: 1." in tried.out and "dry run" in tried.err
        taken = crm("handover", "take-back", id_, "--account", "Firm 0", "--json", user="zhou").json
        assert taken["records"] == {"ownership": 2, "activity": 1}
        assert next(iter(here.owners().values())) == "li"
        assert crm("handover", "undo", id_, "--dry-run", "--json").json["change_set"] is None
        assert "Accounts taken back: 5." in crm("handover", "undo", id_).out
        assert set(here.owners().values()) == {"li"}
        shown = crm("handover", "show", id_, "--json").json
        assert (shown["state"], {item["state"] for item in shown["items"]}) == ("undone", {"undone"})
        assert {each["kind"] for each in shown["open"]} == {"visit", "promise"}
        text = crm("handover", "show", id_).out
        assert all(part in text for part in ("Firm 0", "Undone", "See 0", "Promise"))

    def test_a_draft_is_tried_and_cancelled(self, crm: Callable[..., Ended], here: Company) -> None:
        tried = crm("handover", "draft", "li", "--to-pool", "--where", "name == 'Firm 1'", "--dry-run", user="zhou")
        assert "the pool" in tried.out and "dry run" in tried.err
        assert crm("handover", "list", "--json").json["handovers"] == []
        id_ = drafted(crm, "--in-turn", "wang", "--in-turn", "sun", "--effective", "2099-01-01")
        text = crm("handover", "list", "--state", "drafted").out
        assert "2099-01-01" in text and "6 Drafted" in text
        assert "The handover" in crm("handover", "cancel", id_, "--dry-run", user="zhou").out
        assert crm("handover", "cancel", id_, "--reason", "stays", user="zhou").code == 0
        assert crm("handover", "list", "--state", "drafted", "--json").json["handovers"] == []

    def test_rules_count_in_the_order_in_which_they_are_given(self, crm: Callable[..., Ended], here: Company) -> None:
        def goes(*args: str) -> list[str]:
            items = crm("handover", "draft", "li", *args, "--to", "zhou", "--dry-run", "--json", user="zhou").json[
                "items"
            ]
            return ["the pool" if item["to_pool"] else item["successor"] for item in items]

        first = ("--rule", "name == 'Firm 0'", "wang")
        pool = ("--rule-to-pool", "address.city == 'Shanghai'")
        last = ("--rule=address.city in ('Shanghai', 'Suzhou')", "sun")
        assert goes(*first, *pool, *last) == ["wang", "sun", "the pool", "zhou", "zhou", "sun"]
        assert goes(*pool, *first, *last) == ["the pool", "sun", "the pool", "zhou", "zhou", "sun"]
        assert goes(*last, *pool, *first) == ["sun", "sun", "sun", "zhou", "zhou", "sun"]
        assert goes(*first, "--message", "--rule-to-pool", *last) == ["wang", "sun", "sun", "zhou", "zhou", "sun"]
        assert goes(*pool, "--rule-to-pool", "name == 'Firm 3'") == [
            "the pool", "zhou", "the pool", "the pool", "zhou", "zhou",
        ]  # fmt: skip
        assert crm("handover", "draft", "li", "--rule-to-pool", user="zhou").code == 2

    def test_an_answer_is_rehearsed(self, crm: Callable[..., Ended], here: Company) -> None:
        id_ = drafted(crm, "--to", "wang", "--where", "name == 'Firm 1'", "--offer")
        for verb, said in (("accept", "Accepted"), ("refuse", "Refused")):
            tried = crm("handover", verb, id_, "--dry-run", user="wang")
            assert said in tried.out and "dry run" in tried.err, verb
            assert crm("handover", verb, id_, "--dry-run", "--json", user="wang").json["dry_run"] is True
            assert [each["state"] for each in crm("handover", "show", id_, "--json").json["items"]] == ["offered"]
        assert crm("handover", "accept", id_, "--json", user="wang").json["dry_run"] is False
        assert [each["state"] for each in crm("handover", "show", id_, "--json").json["items"]] == ["accepted"]

    def test_a_day_to_come_is_told(self, crm: Callable[..., Ended], here: Company) -> None:
        id_ = drafted(crm, "--to", "wang", "--effective", "2099-01-01", "--offer")
        crm("handover", "accept", id_, user="wang")
        ended = crm("handover", "do", id_, user="zhou")
        assert "effective from 2099-01-01" in ended.out and "handover.due" in ended.out

    def test_what_is_wrong_is_told(self, crm: Callable[..., Ended], here: Company) -> None:
        id_ = drafted(crm, "--to", "wang", "--where", "name == 'Firm 1'")
        for args, code in (
            (("assign", id_), 2),
            (("assign", id_, "--to", "sun", "--account", "Firm 2"), 6),
            (("draft", "li", "--to", "wang", "--split", "7"), 2),
            (("draft", "li", "--to", "wang", "--to-pool"), 2),
            (("accept", id_), 6),
            (("show", "999"), 6),
            (("briefing", id_), 2),
            (("briefing", id_, "Firm 2"), 6),
            (("risks", "--of", "li", "--unit", "East"), 2),
        ):
            ended = crm("handover", *args, user="zhou")
            assert (ended.code, "Traceback" in ended.err) == (code, False), (args, ended)
        assert "Firm 2" in crm("handover", "assign", id_, "--to", "sun", "--account", "Firm 2").err

    def test_chinese(self, crm: Callable[..., Ended], here: Company) -> None:
        id_ = drafted(crm, "--to", "wang", "--offer")
        out = crm("handover", "list", lang="zh_CN").out + crm("handover", "briefing", id_, "Firm 0", lang="zh_CN").out
        assert "交接" in out and "承诺" in out and "What" not in out
        assert "dry run" not in crm("handover", "cancel", id_, "--dry-run", lang="zh_CN").err
        assert "Known" not in crm("handover", "risks", lang="zh_CN").out


class TestWhatCannotBeDrafted:
    def test_a_pool_is_refused_at_once_where_there_is_none(self, crm: Callable[..., Ended], here: Company) -> None:
        file = Path("crm.toml")
        file.write_text(file.read_text("utf-8").partition("[pools")[0], encoding="utf-8")
        rule = ("--rule-to-pool", "name == 'Nobody is called so'", "--to", "wang")
        for args in (rule, ("--to-pool",)):
            ended = crm("handover", "draft", "li", *args, user="zhou")
            assert ended.code == 7 and "This build has no pools" in ended.err and "[pools.NAME]" in ended.err
        assert "[pools.NAME]。" in crm("handover", "draft", "li", *rule, user="zhou", lang="zh_CN").err
        assert crm("handover", "list", "--json").json["handovers"] == []
        id_ = drafted(crm, "--to", "wang")
        ended = crm("handover", "assign", id_, "--account", "Firm 0", "--to-pool", user="zhou")
        assert ended.code == 7 and "This build has no pools" in ended.err

    def test_half_a_split_is_refused_by_the_names_of_the_options(
        self, crm: Callable[..., Ended], here: Company
    ) -> None:
        for args in (("--split", "0.2"), ("--split-until", "2099-01-01")):
            for verb in (("draft", "li", "--to", "wang"), ("assign", "1", "--to", "wang")):
                for lang in ("en", "zh_CN"):
                    ended = crm("handover", *verb, *args, user="zhou", lang=lang)
                    assert ended.code == 2 and "--split-until" in ended.err and "split_until" not in ended.err


class TestSplits:
    def test_which_share_stays_until_when(self, crm: Callable[..., Ended], here: Company) -> None:
        plain = drafted(crm, "--to", "wang", "--where", "name == 'Firm 0'")
        assert "share kept" not in crm("handover", "show", plain).out
        split = ("--split", "0.250", "--split-until", "2099-01-01")
        id_ = drafted(crm, "--to", "wang", "--where", "name == 'Firm 1'", *split, "--offer")
        shown = " ".join(crm("handover", "show", id_).out.split())
        assert "share kept until" in shown and "0.25 2099-01-01" in shown
        assert crm("handover", "splits", "--json").json["splits"] == []
        crm("handover", "accept", id_, user="wang")
        crm("handover", "do", id_, user="zhou")
        (each,) = crm("handover", "splits", "--json", user="zhou").json["splits"]
        assert (each["account"], each["leaver"], each["successor"]) == ("Firm 1", "li", "wang")
        assert (float(each["share"]), each["until"]) == (0.25, "2098-12-31T16:00:00.000000+00:00")
        row = " ".join(crm("handover", "splits", user="zhou").out.split())
        assert "Firm 1 Owner li wang 0.25" in row and "2099-01-01" in row
        assert crm("handover", "splits", "--at", "2099-01-01", "--json").json == {
            "at": "2098-12-31T16:00:00.000000+00:00", "splits": [],
        }  # fmt: skip
        assert crm("handover", "splits", "--json", user="sun").json["splits"] == []
        assert "保留的分成" in crm("handover", "splits", lang="zh_CN").out


class TestBriefings:
    def test_as_text_json_html_and_a_folder(self, crm: Callable[..., Ended], here: Company) -> None:
        id_ = drafted(crm, "--to", "sun", "--offer", "--where", "address.city == 'Suzhou'")
        text = crm("handover", "briefing", id_, "Firm 1", user="sun")
        assert text.code == 0
        for part in ("Firm 1", "Buyer 1, buyer", "Send sample 1", "Visit: See 1", "Call: Call 1", "Li, Owner"):
            assert part in text.out
        assert "Firm 5" not in text.out
        (each,) = crm("handover", "briefing", id_, "Firm 1", "--json", user="sun").json["briefings"]
        assert [person["name"] for person in each["people"]] == ["Buyer 1"]
        assert crm("handover", "briefing", id_, "Firm 1", "--html", "one.html", user="sun").code == 0
        assert "Send sample 1" in Path("one.html").read_text("utf-8")
        ended = crm("handover", "briefing", id_, "--all", "--to", "out", "--json", user="sun")
        assert ended.json == {"folder": "out", "briefings": 2}
        names = sorted(path.name for path in Path("out").iterdir())
        assert names[-1] == "index.html" and len(names) == 3
        assert all(name in (Path("out") / "index.html").read_text("utf-8") for name in names[:2])
        assert crm("handover", "briefing", id_, "--all", user="sun").out.count("Who is who") == 2


class TestRisksAndUsers:
    def test_risks_by_user_and_unit(self, crm: Callable[..., Ended], here: Company) -> None:
        with here.crm.session("li") as session:
            buyer = session.list(Contact, order="name", limit=1)[0]
            session.add(ContactPoint(contact_id=buyer.id, kind="email", value="a@example.com"))
        with here.crm.session("li") as session:
            session.list(ContactPoint)[0].value = "b@example.com"
        report = crm("handover", "risks", "--of", "li", "--json").json["report"]
        assert [(each["kind"], each["name"], each["accounts"]) for each in report] == [("user", "Li", 6)]
        assert report[0]["counts"] == {"changed_before_leaving": 1}
        assert report[0]["tells_orders"] is False
        ended = crm("handover", "risks", "--of", "li")
        assert "–" in ended.out and "No plugin of this build tells of orders" in ended.err
        assert "订单" in crm("handover", "risks", "--of", "li", lang="zh_CN").err
        text = crm("handover", "risks", "--unit", "East", "--details", "--days", "1", "--before", "7").out
        assert (
            "▸ East" in text
            and "Changed value of Buyer 0, by Li" in text.replace("Value", "value")
            and "Nothing held for long" in text
        )

    def test_what_is_detached_is_said_to_be_missing(self, crm: Callable[..., Ended], here: Company) -> None:
        if here.crm.store.dialect != "postgresql":
            pytest.skip("only PostgreSQL has parts of the journal")
        detach_before(here.crm, days=3)
        missing = "is detached from the database, and is not shown."
        assert missing in (ended := crm("handover", "risks")).out + ended.err
        assert missing not in (ended := crm("handover", "risks", "--before", "1")).out + ended.err

    def test_users_come_and_go(self, crm: Callable[..., Ended], here: Company) -> None:
        made = crm("user", "add", "chen.jie", "--name", "陈洁", "--email", "c@example.com", "--unit", "West", "--role",
                   "sales", "--json").json["users"][0]  # fmt: skip
        assert (made["login"], made["places"]) == ("chen.jie", [{"unit": "West", "role": "sales"}])
        assert crm("user", "add", "chen.jie").code == 7
        assert crm("user", "add", "other", "--unit", "West").code == 2
        day = (dt.date.today() - dt.timedelta(days=3)).isoformat()
        assert "East (manager)" in crm("user", "join", "chen.jie", "East", "manager", "--from", day).out
        assert "West" not in crm("user", "leave", "chen.jie", "West", "--reason", "moved").out
        assert crm("user", "deactivate", "chen.jie", "--reason", "left").code == 0
        assert "chen.jie" not in crm("user", "list").out
        assert "chen.jie" in crm("user", "list", "--all").out
        assert crm("user", "leave", "chen.jie", "East", "--at", "2099-01-01").code == 0

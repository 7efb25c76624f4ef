"""What an audit finds in a real Redis: anything that was changed, and what came of each request."""

import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis
from story import Story

from deploybot import ledger as ledger_module
from deploybot.approvals import ApprovalRequest
from deploybot.audit import Audit, Examined
from deploybot.chain import seal
from deploybot.changes import Change
from deploybot.cli.audit_report import jsonl, markdown
from deploybot.errors import StoreUnavailableError
from deploybot.events import (
    ApiMessageReceived,
    ApprovalRequested,
    Cancelled,
    Event,
    Finished,
    Resumed,
)
from deploybot.ledger import RedisLedger
from deploybot.next_step import Deploy
from deploybot.store import THREADS, RedisStore, stream_key
from deploybot.thread import Thread

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KEY = b"k" * 32


@pytest.fixture
def store(connection: redis.Redis) -> RedisStore:
    return RedisStore(connection, key=KEY, now=lambda: NOON)


@pytest.fixture
def ledger(connection: redis.Redis) -> RedisLedger:
    return RedisLedger(connection)


def keep(store: RedisStore, *events: Event, thread_id: str = "t1") -> Thread:
    thread = store.load(thread_id)
    for event in events:
        thread = store.append(thread, event)
    return thread


def said(number: int, text: str = "hello") -> ApiMessageReceived:
    return ApiMessageReceived(at=NOON, by="ann", delivery=f"api:{number}", text=text)


def to_production(service: str = "backend") -> Deploy:
    return Deploy(service=service, ref="main", environment="production", reason="asked for")


def requests(story: Story) -> list[ApprovalRequest]:
    return [event.request for event in story.thread.events if isinstance(event, ApprovalRequested)]


def examined(ledger: RedisLedger, thread_id: str = "t1") -> tuple[Examined, list[Change]]:
    found = Examined(thread_id)
    return found, list(Audit(ledger, KEY).changes(found))


# -- seals -------------------------------------------------------------------------


def change_a_letter(connection: redis.Redis) -> None:
    rows = connection.xrange(stream_key("t1"))
    connection.delete(stream_key("t1"))
    for number, (entry_id, fields) in enumerate(rows, start=1):
        if number == 3:
            fields[b"e"] = fields[b"e"].replace(b"hello 3", b"hallo 3")
        connection.xadd(stream_key("t1"), fields, id=entry_id)


def change_a_seal(connection: redis.Redis) -> None:
    rows = connection.xrange(stream_key("t1"))
    connection.delete(stream_key("t1"))
    for number, (entry_id, fields) in enumerate(rows, start=1):
        if number == 3:
            fields[b"m"] = b"0" * 64
        connection.xadd(stream_key("t1"), fields, id=entry_id)


def remove_from_the_middle(connection: redis.Redis) -> None:
    connection.xdel(stream_key("t1"), "3-0")


def remove_the_end(connection: redis.Redis) -> None:
    connection.xdel(stream_key("t1"), "3-0", "4-0", "5-0")


def write_over_the_end(connection: redis.Redis) -> None:
    rows = connection.xrange(stream_key("t1"))
    connection.delete(stream_key("t1"))
    for number, (entry_id, fields) in enumerate(rows, start=1):
        body, mac = (fields[b"e"], fields[b"m"]) if number < 3 else (b"{}", b"1" * 64)
        connection.xadd(stream_key("t1"), {"e": body, "m": mac}, id=entry_id)


def bring_one_from_another_thread(connection: redis.Redis) -> None:
    (_, other) = connection.xrange(stream_key("t2"))[2]
    rows = connection.xrange(stream_key("t1"))
    connection.delete(stream_key("t1"))
    for number, (entry_id, fields) in enumerate(rows, start=1):
        connection.xadd(stream_key("t1"), other if number == 3 else fields, id=entry_id)


def swap_two(connection: redis.Redis) -> None:
    rows = connection.xrange(stream_key("t1"))
    connection.delete(stream_key("t1"))
    order = [0, 1, 3, 2, 4]
    for number, at in enumerate(order, start=1):
        connection.xadd(stream_key("t1"), rows[at][1], id=f"{number}-0")


def add_a_field(connection: redis.Redis) -> None:
    rows = connection.xrange(stream_key("t1"))
    connection.delete(stream_key("t1"))
    for number, (entry_id, fields) in enumerate(rows, start=1):
        more = {b"x": b"1"} if number == 3 else {}
        connection.xadd(stream_key("t1"), {**fields, **more}, id=entry_id)


@pytest.mark.parametrize(
    "tamper",
    [
        change_a_letter,
        change_a_seal,
        remove_from_the_middle,
        remove_the_end,
        write_over_the_end,
        bring_one_from_another_thread,
        swap_two,
        add_a_field,
    ],
)
def test_whatever_is_changed_the_first_bad_entry_is_named(
    connection: redis.Redis,
    store: RedisStore,
    ledger: RedisLedger,
    tamper: Callable[[redis.Redis], None],
) -> None:
    keep(store, *(said(number, f"hello {number}") for number in range(1, 6)))
    keep(store, *(said(number, f"hello {number}") for number in range(6, 11)), thread_id="t2")
    whole, _ = examined(ledger)

    tamper(connection)
    found, _ = examined(ledger)
    other, _ = examined(ledger, "t2")

    assert (whole.events, whole.bad) == (5, None)
    assert found.bad is not None
    assert (found.events, found.bad.number) == (2, 3)
    assert other.bad is None


def test_what_is_sealed_and_could_not_have_happened_is_found(
    connection: redis.Redis, store: RedisStore, ledger: RedisLedger
) -> None:
    thread = keep(store, said(1))
    (forged,) = seal(KEY, thread, [Resumed(at=NOON, by="ann")])
    connection.xadd(stream_key("t1"), {"e": forged.body, "m": forged.mac}, id="2-0")

    found, _ = examined(ledger)

    assert found.bad is not None
    assert found.bad.number == 2
    assert "cannot follow" in found.bad.text


def test_an_event_of_a_newer_version_is_named_and_not_called_forged(
    connection: redis.Redis, store: RedisStore, ledger: RedisLedger
) -> None:
    thread = keep(store, said(1))
    body = json.dumps({"kind": "of_tomorrow"}).encode()
    mac = seal_of(body, thread)
    connection.xadd(stream_key("t1"), {"e": body, "m": mac}, id="2-0")

    found, _ = examined(ledger)

    assert found.bad is not None
    assert "does not know" in found.bad.text


def seal_of(body: bytes, thread: Thread) -> str:
    from deploybot.chain import _mac  # noqa: PLC0415 - what only a holder of the key can make

    return _mac(KEY, thread.head, body)


def test_a_wrong_key_opens_nothing(store: RedisStore, ledger: RedisLedger) -> None:
    keep(store, said(1))
    found = Examined("t1")

    list(Audit(ledger, b"another key" * 4).changes(found))

    assert found.bad is not None
    assert found.bad.number == 1


def test_a_store_that_goes_away_is_not_called_a_forgery(
    store: RedisStore, ledger: RedisLedger
) -> None:
    class Dead:
        def page(self, *_: object) -> None:
            raise StoreUnavailableError("gone")

        def shown_in(self, _: str) -> dict[str, tuple[str, ...]]:
            return {}

    with pytest.raises(StoreUnavailableError):
        list(Audit(Dead(), KEY).changes(Examined("t1")))


# -- all threads -------------------------------------------------------------------


def test_every_thread_comes_once_whatever_moves_meanwhile(
    store: RedisStore, ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "PAGE", 3)  # so that a few threads are several pages
    names = [f"t{number}" for number in range(10)]
    for number, name in enumerate(names):
        keep(store, said(number), thread_id=name)

    with ledger.threads() as threads:
        seen = []
        for thread_id in threads:
            seen.append(thread_id)
            keep(store, said(100 + len(seen)), thread_id="t9")

    assert sorted(seen) == names
    assert threads.count == 10


def test_threads_written_to_at_one_moment_are_all_taken(
    connection: redis.Redis, ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "PAGE", 2)  # so that a few threads are several pages
    for number in range(7):
        connection.zadd(THREADS, {f"t{number}": 5})

    with ledger.threads() as threads:
        assert sorted(threads) == [f"t{number}" for number in range(7)]


def test_a_hidden_thread_is_found_and_a_removed_one_is_missed(
    connection: redis.Redis, store: RedisStore, ledger: RedisLedger
) -> None:
    keep(store, said(1), thread_id="hidden")
    keep(store, said(2), thread_id="removed")
    connection.zrem(THREADS, "hidden")
    connection.delete(stream_key("removed"))

    with ledger.threads() as threads:
        found = {name: examined(ledger, name)[0] for name in threads}

    assert found.keys() == {"hidden", "removed"}
    assert found["hidden"].bad is None
    assert found["removed"].bad is not None


def test_a_long_thread_takes_no_more_memory_than_a_short_one(
    store: RedisStore, ledger: RedisLedger
) -> None:
    keep_many(store, "short", 1200)
    keep_many(store, "long", 6000)

    short, long = peak(ledger, "short"), peak(ledger, "long")

    assert long < 1.2 * short


def keep_many(store: RedisStore, thread_id: str, count: int) -> None:
    thread = store.load(thread_id)
    for start in range(0, count, 200):
        thread = store.append(
            thread, *(said(start + n, "word " * 40) for n in range(199)),
            Finished(at=NOON, by="agent:deploy", message="done"),
        )  # fmt: skip


def peak(ledger: RedisLedger, thread_id: str) -> int:
    examined(ledger, thread_id)
    tracemalloc.start()
    found, _ = examined(ledger, thread_id)
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.bad is None
    return highest


# -- requests ----------------------------------------------------------------------


def test_the_export_tells_who_asked_saw_denied_approved_and_how_it_ended(
    store: RedisStore, ledger: RedisLedger
) -> None:
    story = Story(thread_id="t1").verified_on_staging()
    story.model_will(to_production("frontend"), to_production())
    story.person_says("deploy it to production", by="ann")
    story.denies("can you deploy the `backend` first?", by="ben")
    story.approves(by="mia")
    keep(store, *story.thread.events)
    for request in requests(story):
        store.note_sent("t1", f"slack:card:{request.id}", "{}")
        store.note_sent("t1", f"email:card:{request.id}:mia", "{}")

    found, changes = examined(ledger)

    assert found.bad is None
    first, second = changes
    assert (first.how, second.how) == ("denied", "live")
    assert [(said.by, said.said, said.words) for said in first.words] == [
        ("ben", "denied", "can you deploy the `backend` first?")
    ]
    assert [(said.by, said.said, said.over) for said in second.words] == [
        ("mia", "approved", "api")
    ]
    assert second.requesters == ("ann",)
    assert second.asked == "deploy it to production"
    assert second.shown_in == ("email", "slack")
    [run] = second.runs
    assert (run.service, run.outcome, run.live) == ("backend", "live", run.sha)
    assert second.digest == requests(story)[1].digest
    assert json.loads(jsonl(second))["runs"][0]["steps"]
    assert "``can you deploy the `backend` first?``" in markdown(first)


def test_the_last_request_of_a_thread_stands_open_until_somebody_answers(
    store: RedisStore, ledger: RedisLedger
) -> None:
    story = Story(thread_id="t1").verified_on_staging()
    story.model_will(to_production()).person_says("deploy it", by="ann")
    keep(store, *story.thread.events)

    _, [change] = examined(ledger)

    assert change.how == "open"
    assert change.ended is None
    assert change.concerns("backend", "production")
    assert change.concerns("", "")
    assert not change.concerns("frontend", "production")


@pytest.mark.parametrize("how", ["cancelled", "spoken over"])
def test_a_request_that_somebody_ended_was_withdrawn(
    store: RedisStore, ledger: RedisLedger, how: str
) -> None:
    story = Story(thread_id="t1").verified_on_staging()
    story.model_will(to_production()).person_says("deploy it", by="ann")
    if how == "cancelled":
        story.inbox.hear("t1", Cancelled(at=story.clock.now(), by="eve"))
    else:
        story.person_says("wait, no", by="eve")
    keep(store, *story.thread.events)

    _, [change] = examined(ledger)

    assert change.how == "withdrawn"

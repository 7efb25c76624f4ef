"""Rows 20 to 22 of the matrix: the store is killed and comes back, with all it had, with less, or in a bad state."""

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from faults.lean_company import now
from faults.matrix import in_full
from faults.whole_company import WholeCompany

from deploybot.embedded import _program
from deploybot.events import (
    ApprovalGranted,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
)
from deploybot.inbound.slack_buttons import APPROVE
from deploybot.redis_safety import client

pytestmark = pytest.mark.slow

PHASES = ("store.append.before", "store.claim.after", "target.step.after", in_full("target.end.after"), in_full("slack.post.before"))  # fmt: skip


@pytest.mark.row(20)
@pytest.mark.parametrize("point", PHASES)
def test_the_store_is_killed_and_restarted_in_each_phase(company: WholeCompany, point: str) -> None:
    company.failing.arm(f"{point}:stall=1@1")

    thread_id = company.asks_for()
    company.until(lambda: company.failing.happened, "it comes that far")
    company.restart_store()
    end = company.ends(thread_id)

    assert isinstance(end, DeploySucceeded | DeployOutcomeUnknown)
    assert company.kinds(thread_id)[0] == "slack_message_received"
    assert len(company.of(thread_id, DeployStarted)) == 1


@pytest.mark.row(20)
@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
def test_the_store_is_killed_and_restarted_at_any_moment(company: WholeCompany, seed: int) -> None:
    chance = random.Random(seed)

    thread_id = company.asks_for()
    threading.Event().wait(chance.uniform(0, 1))  # most of the story is over after a second
    company.restart_store()

    company.ends(thread_id)
    assert len(company.of(thread_id, DeployStarted)) == 1


def _kept(company: WholeCompany, folder: Path) -> Callable[[], None]:
    """Keep what the store holds now; return what puts it in the place of what it holds then."""
    company.comes_to_rest()
    company.forget_alarms()
    data, kept = company.folder / "redis/appendonlydir", folder / "kept"
    shutil.copytree(data, kept)

    def older_data() -> None:
        shutil.rmtree(data)
        shutil.copytree(kept, data)

    return older_data


@pytest.mark.row(21)
def test_a_store_that_lost_what_it_acknowledged_is_noticed_and_production_is_paused(
    hall, tmp_path
) -> None:
    company = hall.company()
    older_data = _kept(company, tmp_path)
    lost = company.approved()
    company.ends(lost)
    company.comes_to_rest()
    live, effects = company.live("production", "backend"), company.effects()

    try:
        company.restart_store(older_data)
        gone = company.kinds(lost)
        wrong = company.wrong()
        thread_id = company.asks_for("backend", "production")
        company.until(lambda: "The store has lost" in company.channel(), "people are alarmed")
        company.until(company.store.holds, "production is paused")
        held = company.store.holds()
        company.until(
            lambda: company.thread(thread_id).status in ("awaiting_input", "in_line"), "it stops"
        )

        assert gone == []
        assert any(sentence.startswith("I2:") for sentence in wrong)
        assert [(hold.environment, hold.owner) for hold in held] == [("production", "deploybot")]
        assert company.of(thread_id, DeployStarted) == []
        assert company.effects() == effects
        assert company.live("production", "backend") == live

        company.says("ann", "unlock production")
        company.until(lambda: not company.store.holds(), "an approver frees it")
        again = company.approved()
        assert isinstance(company.ends(again), DeploySucceeded)
    finally:
        hall.tear_down()


@pytest.mark.row(21)
def test_a_click_on_a_card_that_the_store_has_lost_pauses_production_until_an_approver_frees_it(
    hall, tmp_path
) -> None:
    company = hall.company()
    older_data = _kept(company, tmp_path)
    lost = company.asks_for("backend", "production")
    request = company.request_of(lost)
    live, effects = company.live("production", "backend"), company.effects()

    try:
        company.restart_store(older_data)
        wrong = company.wrong()
        status = company.clicks("ben", request, APPROVE)
        company.until(lambda: "The store has lost what it had" in company.channel(), "an alarm")
        held = company.store.holds()
        told = company.channel()
        thread_id = company.asks_for("backend", "production")
        company.until(
            lambda: company.thread(thread_id).status in ("awaiting_input", "in_line"), "it stops"
        )

        assert status == 200
        assert any(sentence.startswith(f"I2: Slack shows a head of {lost}") for sentence in wrong)
        assert [(hold.environment, hold.owner) for hold in held] == [("production", "deploybot")]
        assert f"somebody answered the card of request {request.id}" in told
        assert "so your answer changed nothing and nothing was approved" in told
        assert company.kinds(lost) == []
        assert company.of(thread_id, DeployStarted) == []
        assert company.effects() == effects
        assert company.live("production", "backend") == live

        company.says("ann", "unlock production")
        company.until(lambda: not company.store.holds(), "an approver frees it")
        company.clicks("ben", request, APPROVE)
        again = company.approved()
        assert isinstance(company.ends(again), DeploySucceeded)
        assert company.store.holds() == ()
    finally:
        hall.tear_down()


TAKES_NOTHING, ANSWERS = "The store takes nothing now", "The store answers again"
OFF = "Nothing here goes by it"
STATES = ("full", "wants a password", "loading", in_full("a replica"), in_full("without a disk"))  # fmt: skip
ONE_MORE = b"*2\r\n$4\r\nINCR\r\n$5\r\nread!\r\n"
MANY = 300_000


@contextmanager
def _loading(company: WholeCompany) -> Iterator[None]:
    """Kill the store, and have it read a long log slowly for as long as the block lasts."""
    slowly = company.folder / "a-slow-server"
    slowly.write_text(f'#!/bin/sh\nexec "{_program()}" "$@" --key-load-delay 100\n')
    slowly.chmod(0o755)

    def much_to_read() -> None:
        (log,) = (company.folder / "redis/appendonlydir").glob("*.incr.aof")
        with log.open("ab") as file:
            file.write(ONE_MORE * MANY)

    def is_loading() -> bool:
        with suppress(redis.ConnectionError):
            return bool(admin.info("persistence")["loading"])
        return False

    with (
        closing(client(company.url)) as admin,
        ThreadPoolExecutor(1) as beside,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("deploybot.embedded._program", lambda: str(slowly))
        is_back = beside.submit(company.restart_store, much_to_read)
        company.until(is_loading, "the store reads its log")
        try:
            yield
            assert is_loading(), "it has read everything too early"
        finally:
            admin.config_set("key-load-delay", 0)
            is_back.result()
            admin.delete("read!")
            admin.bgrewriteaof()  # so that whoever restarts it need not read all that


@contextmanager
def _state(company: WholeCompany, state: str) -> Iterator[None]:
    """Bring the server into a state in which it takes no writes, and out of it again."""
    if state == "loading":
        with _loading(company):
            yield
        return
    admin = redis.Redis.from_url(company.url)
    dump = company.folder / "redis/dump.rdb"
    try:
        match state:
            case "full":
                admin.config_set("maxmemory", 1)
            case "a replica":
                admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            case "without a disk":
                dump.mkdir()  # so that no snapshot can be put there
                admin.config_set("save", "3600 1")
                with suppress(redis.ResponseError):
                    admin.bgsave()
                company.until(
                    lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err",
                    "the disk fails",
                )
            case _:
                admin.config_set("requirepass", "another-password")
                admin.auth("another-password")
                admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        yield
    finally:
        admin.config_set("maxmemory", 0)
        admin.execute_command("REPLICAOF", "NO", "ONE")
        admin.config_set("requirepass", "")
        if state == "without a disk":
            admin.config_set("save", "")
            dump.rmdir()
        admin.close()


@pytest.mark.row(22)
@pytest.mark.parametrize("state", STATES)
def test_a_store_that_takes_nothing_is_told_of_directly_and_what_runs_comes_to_its_end(
    company: WholeCompany, state: str
) -> None:
    before, alarms = company.effects(), company.channel().count(TAKES_NOTHING)
    backs = company.channel().count(ANSWERS)
    hold = company.set("hold")
    thread_id = company.approved()
    company.until(lambda: company.effects() > before, "the build runs")

    with _state(company, state):
        status = company.push_status()
        hold.unlink()
        company.until(lambda: company.channel().count(TAKES_NOTHING) > alarms, "people hear")
        company.until(
            lambda: company.journal_ends("backend", "production"), "it comes to its end there"
        )
    end = company.ends(thread_id)
    company.until(lambda: company.channel().count(ANSWERS) > backs, "people hear that, too")

    assert status == 503
    assert isinstance(end, DeploySucceeded)
    assert len(company.of(thread_id, ApprovalGranted)) == 1
    assert company.live("production", "backend") == end.sha
    assert company.channel().count(TAKES_NOTHING) == alarms + 1


@pytest.mark.row(31)
@pytest.mark.parametrize("seconds", [600, in_full(-600)])
def test_with_a_wrong_clock_everything_goes_by_the_stores_and_people_are_told(
    company: WholeCompany, seconds: int
) -> None:
    right = company.environ
    company.forget_alarms()
    alarms = company.channel().count(OFF)
    path = f"{Path(__file__).parent / 'wrong_clock'}:{right['PYTHONPATH']}"
    company.moves_to({**right, "PYTHONPATH": path, "WRONG_BY": str(seconds)})
    try:
        thread_id = company.asks_for("backend", "production")
        request = company.request_of(thread_id)
        lasts = (request.expires_at - now()).total_seconds()
        status = company.clicks("ben", request, APPROVE)
        end = company.ends(thread_id)
        company.until(lambda: company.channel().count(OFF) > alarms, "people are told")
    finally:
        company.moves_to(right)

    way = "ahead of" if seconds > 0 else "behind"
    assert f"is {abs(seconds)} s {way} the store's" in company.channel()
    assert status == 200
    assert request.rule.expires_seconds - 60 < lasts <= request.rule.expires_seconds
    assert isinstance(end, DeploySucceeded)
    assert abs((end.at - now()).total_seconds()) < 60

"""Two hundred who follow one thread while the web process is killed, stopped and started again."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic

import pytest
from web_process import SECRET_KEY, WebProcess, lone_web_process, token_of

from deploybot.events import ApiMessageReceived
from deploybot.redis_safety import client
from deploybot.store import RedisStore

pytestmark = pytest.mark.slow

FOLLOWERS = 200
EVENTS = 90
WITHIN = 60.0


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (tests have no bootstrap)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebProcess, RedisStore]]:
    with lone_web_process(tmp_path_factory.mktemp("f")) as (web, url):
        yield web, RedisStore(client(url), key=SECRET_KEY.encode(), now=now)


def grow(store: RedisStore, thread_id: str, number: int) -> None:
    for _ in range(number):
        thread = store.load(thread_id)
        text = f"{len(thread.events) + 1}"
        said = ApiMessageReceived(at=now(), by="ann", delivery=f"{thread_id}:{text}", text=text)
        store.append(thread, said, wake=False)


class Follower:
    """Somebody who comes again with the last id whenever the stream breaks."""

    def __init__(self, port: int, thread_id: str) -> None:
        self._port, self._thread_id = port, thread_id
        self._moved = asyncio.Event()
        self.got: list[tuple[int, str]] = []
        self.breaks = 0

    async def follow(self, until: int) -> None:
        while len(self.got) < until:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._once(until)
            self.breaks += len(self.got) < until
            await asyncio.sleep(0.1)

    async def reaches(self, number: int) -> None:
        while len(self.got) < number:
            self._moved.clear()
            await self._moved.wait()

    async def _once(self, until: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            last = self.got[-1][0] if self.got else 0
            writer.write(
                f"GET /api/threads/{self._thread_id}/events HTTP/1.1\r\nHost: bot\r\n"
                f"Authorization: Bearer {token_of('ann')}\r\nLast-Event-ID: {last}\r\n\r\n".encode()
            )
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            seq = 0
            while len(self.got) < until:
                line = (await reader.readuntil(b"\n")).decode().rstrip()
                field, _, value = line.partition(": ")
                if field == "id":
                    seq = int(value)
                elif field == "data" and seq:
                    self.got.append((seq, json.loads(value)["text"]))
                    self._moved.set()
                elif not line:
                    seq = 0
        finally:
            writer.close()


def test_every_follower_gets_every_event_once_and_in_order_across_a_kill_and_a_restart(
    scene: tuple[WebProcess, RedisStore],
) -> None:
    web, store = scene
    grow(store, "t1", 10)
    followers = [Follower(web.port, "t1") for _ in range(FOLLOWERS)]

    async def reached(number: int) -> None:
        await asyncio.gather(*(follower.reaches(number) for follower in followers))

    async def play() -> None:
        async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as group:
            for follower in followers:
                group.create_task(follower.follow(EVENTS))
            await reached(10)
            await asyncio.to_thread(grow, store, "t1", 20)
            await asyncio.to_thread(web.kill)
            await asyncio.to_thread(grow, store, "t1", 20)
            await asyncio.to_thread(web.start)
            await reached(50)
            await asyncio.to_thread(grow, store, "t1", 20)
            assert await asyncio.to_thread(web.stop) == 0
            await asyncio.to_thread(web.start)
            await asyncio.to_thread(grow, store, "t1", 20)

    asyncio.run(play())

    wanted = [(number, str(number)) for number in range(1, EVENTS + 1)]
    assert all(follower.got == wanted for follower in followers)
    assert min(follower.breaks for follower in followers) >= 2


def test_a_stop_is_not_held_up_by_those_who_follow(scene: tuple[WebProcess, RedisStore]) -> None:
    web, store = scene
    grow(store, "t2", 1)
    follower = Follower(web.port, "t2")

    async def play() -> float:
        task = asyncio.create_task(follower.follow(2))
        await follower.reaches(1)
        began = monotonic()
        assert await asyncio.to_thread(web.stop) == 0
        took = monotonic() - began
        task.cancel()
        return took

    assert asyncio.run(play()) < 4.0
    assert "Traceback" not in web.log()
    web.start()

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from deploybot.errors import InboundError
from deploybot.web import body
from deploybot.web.body import LARGE, TOGETHER, limited

MB = 1_000_000


def request(chunks: AsyncIterator[bytes], **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        async for chunk in chunks:
            return {"type": "http.request", "body": chunk, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw}, receive)


async def parts(size: int, count: int = 1, *, arrived: list[int] | None = None):
    for number in range(count):
        if arrived is not None:
            arrived.append(number)
        yield b"x" * size


async def never():
    await asyncio.Event().wait()
    yield b""


def test_a_body_comes_as_it_was_sent():
    assert asyncio.run(limited(request(parts(10, 3)), 30)) == b"x" * 30


def test_one_that_says_that_it_is_too_large_is_not_even_read():
    arrived: list[int] = []

    with pytest.raises(InboundError, match="larger than 30 bytes; nothing was stored") as refused:
        asyncio.run(limited(request(parts(10, 9, arrived=arrived), content_length="90"), 30))

    assert refused.value.status == 413
    assert arrived == []


def test_one_that_is_too_large_and_says_nothing_is_read_no_further():
    arrived: list[int] = []

    with pytest.raises(InboundError) as refused:
        asyncio.run(limited(request(parts(10, 1000, arrived=arrived)), 30))

    assert refused.value.status == 413
    assert len(arrived) == 4


def test_one_that_never_arrives_is_given_up():
    with pytest.raises(InboundError, match=r"did not arrive within 0.01 s.*Send it again") as late:
        asyncio.run(limited(request(never()), 30, seconds=0.01))

    assert late.value.status == 408


def test_all_large_ones_together_have_a_limit_and_small_ones_always_room():
    async def both() -> list[object]:
        holding = asyncio.Event()

        async def slow():
            for _ in range(TOGETHER // MB - 1):
                yield b"x" * MB
            holding.set()
            await asyncio.sleep(0)
            await asyncio.Event().wait()

        first = asyncio.create_task(limited(request(slow()), TOGETHER))
        await holding.wait()
        small = await limited(request(parts(LARGE - 1)), LARGE)
        large = await asyncio.gather(
            limited(request(parts(MB, 5)), 10 * MB), return_exceptions=True
        )
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        again = await limited(request(parts(MB, 5)), 10 * MB)
        return [len(small), *large, len(again)]

    small, large, again = asyncio.run(both())

    assert small == LARGE - 1
    assert isinstance(large, InboundError)
    assert large.status == 503
    assert "Send the same again" in str(large)
    assert again == 5 * MB
    assert body._Held.now == 0

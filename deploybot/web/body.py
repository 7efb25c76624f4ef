"""The raw body of a request, up to a limit and within a time; what it means is the routes' task."""

import asyncio

from starlette.requests import Request

from deploybot.errors import InboundError

LARGE = 256_000
"""Bytes from which on a body counts against what all of them may hold at once."""
TOGETHER = 64_000_000
"""Bytes that all large bodies may hold in this process while they arrive: nobody is known yet."""
PATIENCE = 30.0
"""Seconds that a body may take to arrive."""


class _Held:
    """How much unverified senders make this process hold now; one event loop, so no lock."""

    now = 0


async def limited(request: Request, limit: int, *, seconds: float = PATIENCE) -> bytes:
    """Return the body as it came.

    Raises InboundError: 413 for one longer than `limit` bytes, before it is read if it says so;
    408 for one that does not arrive in time; 503 while others' large ones leave no room.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _too_large(limit)
    held = 0
    try:
        async with asyncio.timeout(seconds):
            chunks: list[bytes] = []
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
                if size > LARGE:
                    _Held.now += size - held
                    held = size
                    if _Held.now > TOGETHER:
                        raise InboundError(
                            "Too many large requests arrive at once; nothing was stored. "
                            "Send the same again in a few seconds.",
                            status=503,
                        )
            return b"".join(chunks)
    except TimeoutError:
        text = (
            f"The request did not arrive within {seconds:g} s; nothing was stored. Send it again."
        )
        raise InboundError(text, status=408) from None
    finally:
        _Held.now -= held


def headers_of(request: Request) -> list[tuple[str, str]]:
    """Return all headers, doubles included; bytes that are not ASCII stay what they are."""
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
    ]


def _too_large(limit: int) -> InboundError:
    text = f"The request is larger than {limit} bytes; nothing was stored."
    return InboundError(text, status=413)

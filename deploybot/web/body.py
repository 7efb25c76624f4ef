"""The raw body of a request, up to a limit; what it means is the routes' task."""

from starlette.requests import Request

from deploybot.errors import InboundError


async def limited(request: Request, limit: int) -> bytes:
    """Return the body as it came; a longer one than `limit` bytes is refused (InboundError, 413)."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise InboundError(
                f"The request is larger than {limit} bytes; nothing was stored.", status=413
            )
        chunks.append(chunk)
    return b"".join(chunks)


def headers_of(request: Request) -> list[tuple[str, str]]:
    """Return all headers, doubles included; bytes that are not ASCII stay what they are."""
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
    ]

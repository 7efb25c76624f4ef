"""Floods a web process with garbage at every inbound route, so many requests a second; a process of its own.

`python tests/flood.py HOST:PORT SECONDS RATE SEED` prints one JSON line: what was sent, and what came back.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

CONNECTIONS = 48
ROUTES = (
    "/slack/events",
    "/github/webhook",
    "/email/inbound",
    "/api/threads",
    "/api/threads/t0123456789abcdef/decision",
    "/api/environments/production/services/backend/lock",
    "/sign-in/mail",
    "/sign-in/link/0123456789",
    "/threads",
    "/threads/t0123456789abcdef/decision",
    "/threads/t0123456789abcdef/live",
)
NAUGHTY = ("\u202e", "<!channel>", "'; DROP TABLE", "../../etc/passwd", "{{7*7}}", "%00", "\x7f")


@dataclass
class Tally:
    """What became of it all; 0 stands for a connection that was closed without an answer."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    took: float = 0.0


def request(line: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    given = [("Host", "bot.example"), *headers]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in given):
        given.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in given)
    return f"{line}\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body


def _unsigned(chance: random.Random, path: str) -> bytes:
    return request(f"POST {path} HTTP/1.1", [("Content-Type", "application/json")], b"{}")


def _wrongly_signed(chance: random.Random, path: str) -> bytes:
    body = json.dumps({"type": "event_callback", "text": chance.choice(NAUGHTY)}).encode()
    return request(
        f"POST {path} HTTP/1.1",
        [
            ("Content-Type", "application/json"),
            ("X-Slack-Request-Timestamp", chance.choice((str(int(time.time())), "abc", "9" * 500))),
            ("X-Slack-Signature", f"v0={chance.randbytes(32).hex()}"),
            ("X-Hub-Signature-256", f"sha256={chance.randbytes(32).hex()}"),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", chance.randbytes(8).hex()),
            ("X-Deploybot-Signature", chance.randbytes(32).hex()),
            ("Authorization", f"Bearer {chance.randbytes(16).hex()}"),
        ],
        body,
    )


def _bytes(chance: random.Random, path: str) -> bytes:
    kind = chance.choice(("application/json", "message/rfc822", "multipart/form-data", "x/y", ""))
    size = chance.choice((0, 1, 100, 5_000, 60_000))
    return request(f"POST {path} HTTP/1.1", [("Content-Type", kind)], chance.randbytes(size))


def _chunked(chance: random.Random, path: str) -> bytes:
    part = chance.randbytes(chance.randint(1, 300))
    body = f"{len(part):x}\r\n".encode() + part + b"\r\n0\r\n\r\n"
    return request(f"POST {path} HTTP/1.1", [("Transfer-Encoding", "chunked")], body)


def _forms(chance: random.Random, path: str) -> bytes:
    body = f"payload=%7B&person={chance.choice(NAUGHTY)!r}&token=x".encode()
    kind = [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", "session=abc")]
    return request(f"POST {path} HTTP/1.1", kind, body)


def _elsewhere(chance: random.Random, path: str) -> bytes:
    where = chance.choice(
        ("/.env", "/wp-login.php", "/api/threads/%00", "//evil", "/threads/..%2f")
    )
    return request(f"GET {where}{chance.randint(0, 9**9)} HTTP/1.1", [])


def _verbs(chance: random.Random, path: str) -> bytes:
    verb = chance.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "GET"))
    return request(f"{verb} {path} HTTP/1.1", [])


def _many_headers(chance: random.Random, path: str) -> bytes:
    return request(f"POST {path} HTTP/1.1", [(f"X-{n}", "y" * 50) for n in range(80)], b"{}")


def _no_http(chance: random.Random, path: str) -> bytes:
    return chance.choice(
        (b"\x16\x03\x01\x02\x00garbage\r\n\r\n", b"GET\r\n\r\n", b"\0" * 50 + b"\r\n\r\n")
    )


KINDS: tuple[tuple[int, Callable[[random.Random, str], bytes]], ...] = (
    (4, _unsigned),
    (6, _wrongly_signed),
    (4, _bytes),
    (2, _chunked),
    (3, _forms),
    (2, _elsewhere),
    (2, _verbs),
    (1, _many_headers),
    (1, _no_http),
)


class Sender:
    """Some connections that share one pace."""

    def __init__(self, host: str, port: int, rate: float, seed: int) -> None:
        self._place = (host, port)
        self._rate = rate
        chance = random.Random(seed)
        makers = [make for often, make in KINDS for _ in range(often)]
        self._parcels = [
            make(chance, route) for route in ROUTES for make in makers for _ in range(3)
        ]
        chance.shuffle(self._parcels)
        self.tally = Tally()

    async def run(self, seconds: float) -> None:
        """Send for so long."""
        self._began = time.monotonic()
        self._ends = self._began + seconds
        await asyncio.gather(*(self._connection() for _ in range(CONNECTIONS)))
        self.tally.took = time.monotonic() - self._began

    async def _connection(self) -> None:
        reader = writer = None
        while time.monotonic() < self._ends:
            number = self.tally.sent
            self.tally.sent += 1
            await asyncio.sleep(max(0.0, self._began + number / self._rate - time.monotonic()))
            try:
                if reader is None or writer is None or writer.is_closing():
                    reader, writer = await asyncio.open_connection(*self._place)
                started = time.monotonic()
                writer.write(self._parcels[number % len(self._parcels)])
                status, stays = await asyncio.wait_for(_answer(reader), 30)
                self.tally.slowest = max(self.tally.slowest, time.monotonic() - started)
            except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError):
                status, stays = 0, False
            self.tally.statuses[status] += 1
            if not stays and writer is not None:
                writer.close()
                reader = writer = None
        if writer is not None:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    given = {}
    for line in lines:
        name, _, value = line.partition(":")
        given[name.strip().lower()] = value.strip()
    if size := int(given.get("content-length", 0)):
        await reader.readexactly(size)
    closes = given.get("connection", "").lower() == "close" or "content-length" not in given
    return int(first.split()[1]), not closes


def main() -> None:
    """Send what the arguments say."""
    place, seconds, rate, seed = sys.argv[1:5]
    host, _, port = place.partition(":")
    sender = Sender(host, int(port), float(rate), int(seed))
    os.nice(1)
    asyncio.run(sender.run(float(seconds)))
    tally = sender.tally
    answered = sum(tally.statuses.values())
    print(  # noqa: T201 - read by the test
        json.dumps(
            {
                "sent": answered,
                "rate": round(answered / tally.took),
                "statuses": dict(sorted(tally.statuses.items())),
                "slowest": round(tally.slowest, 3),
            }
        )
    )


if __name__ == "__main__":
    main()

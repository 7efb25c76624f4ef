"""GET /healthz and /readyz: whether the process is up, and whether the installation can do its work.

`ready` finds what is wrong, each under the name of what was looked at; nothing of it costs money.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, get_args

import redis
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from deploybot.errors import StoreUnavailableError
from deploybot.redis_safety import check
from deploybot.vitals import Vitals, look
from deploybot.web.deps import Deps, Part

CLOCK_LATE = 60.0
"""Seconds without a tick after which nobody would be woken in time."""
STUCK = 60.0
"""Seconds that the first of a queue may wait, but for those whose jobs may take long."""
UNREAD = 300.0
"""Seconds after which a mailbox that nobody looked at keeps people waiting."""
BUSY = frozenset({"operations", "surveys"})
UNHEARD = (
    "no process is connected to Slack by Socket Mode: start `deploybot worker`, or look at its log"
)
WRITABLE = "deploybot:writable"
REMEMBERED_SECONDS = 1.0

PARTS: tuple[Part, ...] = get_args(Part)
Reasons = dict[Part, list[str]]


def router(deps: Deps) -> APIRouter:
    """Return the two routes."""
    routes = APIRouter()

    @routes.get("/healthz")
    def healthz() -> JSONResponse:
        """Answer as long as the process does."""
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz")
    def readyz(only: Annotated[Part | None, Query()] = None) -> JSONResponse:
        """Answer 200 when all is well (or one part that is asked for), 503 with reasons otherwise."""
        found = _found(deps.ready)
        asked = PARTS if only is None else (only,)
        parts: dict[str, str] = {
            part: "unknown" if found.get("store") and part != "store" else "ok" for part in PARTS
        }
        parts |= {part: "; ".join(found[part]) for part in found if found[part]}
        reasons = [reason for part in asked for reason in found.get(part, [])]
        is_ready = all(parts[part] == "ok" for part in asked)
        body = {"status": "ready" if is_ready else "not ready", "checks": parts, "reasons": reasons}
        return JSONResponse(body, 200 if is_ready else 503)

    return routes


class Remembered:
    """Asks again only after a second: whoever calls without end costs the store next to nothing."""

    def __init__(
        self, ask: Callable[[], Reasons], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._found: Reasons = {}

    def __call__(self) -> Reasons:
        """Return what was found within the last second, or look; raises what looking raises."""
        with self._lock:
            if self._clock() >= self._until:
                self._found = self._ask()
                self._until = self._clock() + REMEMBERED_SECONDS
            return self._found


def reasons(
    connection: redis.Redis,
    *,
    allow_unsafe: bool = False,
    by_socket: bool = False,
    mailboxes: Sequence[str] = (),
) -> Reasons:
    """Say why the installation cannot work now; raises what the store raises when it is away."""
    connection.set(WRITABLE, "1", px=60_000)
    vitals = look(connection)
    unsafe = [] if allow_unsafe else [p.text for p in check(connection) if p.fatal]
    return {
        "store": unsafe,
        "clock": list(_of_the_clock(vitals)),
        "workers": [
            f"no worker serves {name}: start `deploybot worker`"
            for name, line in vitals.queues.items()
            if not line.workers
        ],
        "queues": [
            f"{name} does not move: its first wake-up has waited for {line.oldest_seconds:.0f} s"
            for name, line in vitals.queues.items()
            if name not in BUSY and (line.oldest_seconds or 0.0) > STUCK
        ],
        "slack": [UNHEARD] if by_socket and not vitals.listens else [],
        "mailboxes": list(_of_mailboxes(vitals, mailboxes)),
    }


def _of_the_clock(vitals: Vitals) -> Iterator[str]:
    age = vitals.clock_seconds
    if age is None:
        yield "the clock has never ticked: start `deploybot worker`"
    elif age > CLOCK_LATE:
        yield f"the clock has not ticked for {age:.0f} s: look at the workers' log"


def _of_mailboxes(vitals: Vitals, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        age = vitals.mailboxes.get(name)
        if age is None:
            yield f"the mailbox {name} has never been read: `deploybot doctor` says why"
        elif age > UNREAD:
            yield f"the mailbox {name} has not been read for {age:.0f} s: `deploybot doctor` says why"


def _found(ready: Callable[[], Reasons]) -> Reasons:
    try:
        return ready()
    except redis.ResponseError as error:
        return {"store": [f"the store takes no writes ({type(error).__name__})"]}
    except (StoreUnavailableError, redis.RedisError, OSError):
        return {"store": ["the store cannot be reached"]}

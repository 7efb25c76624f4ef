"""Carries signed payloads to the bot, once or again as Slack would; what they say is built in `payloads`."""

import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from deploybot.demo.workspace.ledger import Ledger
from deploybot.demo.workspace.settings import Json, WorkspaceSettings
from deploybot.demo.workspace.sockets import Sockets

_SEEN_OF_ANSWER = 20_000
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one request to the bot; `status` is None when no answer came, `ms` is its time."""

    kind: str
    name: str
    id: str
    attempt: int
    status: int | None
    ms: float
    answer: str = ""
    error: str | None = None
    no_retry: bool = False

    @property
    def ok(self) -> bool:
        """Whether the bot took it."""
        return self.status in _OK

    def shape(self) -> Json:
        """Return it for callers of the human API and for the ledger."""
        return {
            "kind": self.kind,
            "name": self.name,
            "id": self.id,
            "attempt": self.attempt,
            "status": self.status,
            "ms": self.ms,
            "answer": self.answer,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request to the bot, before it is signed."""

    kind: str
    name: str
    id: str
    body: bytes
    content_type: str
    payload: Json


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of X-Slack-Signature."""
    text = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def json_parcel(kind: str, name: str, parcel_id: str, payload: Json) -> Parcel:
    """Return a parcel with a JSON body, as events are."""
    body = json.dumps(payload).encode()
    return Parcel(kind, name, parcel_id, body, "application/json", payload)


def form_parcel(kind: str, name: str, parcel_id: str, fields: dict[str, str]) -> Parcel:
    """Return a parcel with a form body, as interactions and commands are."""
    body = urlencode(fields).encode()
    payload = json.loads(fields["payload"]) if "payload" in fields else dict(fields)
    return Parcel(kind, name, parcel_id, body, "application/x-www-form-urlencoded", payload)


class Courier:
    """Sends parcels from a small pool of threads, and events again after Slack's delays."""

    def __init__(
        self,
        settings: WorkspaceSettings,
        ledger: Ledger,
        now: Callable[[], float],
        sockets: Sockets,
    ) -> None:
        self.bot_url = settings.bot_url
        self._settings = settings
        self._ledger = ledger
        self._now = now
        self._sockets = sockets
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="courier")
        self._lock = threading.Lock()
        self._timers: set[threading.Timer] = set()
        self._held: list[Parcel] = []
        self._events: dict[str, Parcel] = {}
        self._closed = False
        self.timeout = settings.delivery_timeout
        self.holding = False
        self.duplicate_next = 0
        self.forget_next = 0

    def send(self, parcel: Parcel) -> Delivery:
        """Send once, now, and wait for the answer."""
        return self._attempt(parcel, 0, None)

    def event(self, parcel: Parcel) -> "Future[Delivery] | None":
        """Send an event from the pool, again on failure; None while events are held back."""
        with self._lock:
            if self._closed:
                return None
            self._events[parcel.id] = parcel
            if self.holding:
                self._held.append(parcel)
                return None
            twice = self.duplicate_next > 0
            self.duplicate_next -= twice
        first = self._pool.submit(self._attempt, parcel, 0, None, again=True)
        if twice:
            self._pool.submit(self._attempt, parcel, 1, "http_timeout")
        return first

    def hold(self) -> None:
        """Keep events back, like an outage between Slack and the bot."""
        with self._lock:
            self.holding = True

    def release(self) -> int:
        """Send what was kept back, in order of arrival; return how many."""
        with self._lock:
            self.holding = False
            held, self._held = self._held, []
        for parcel in held:
            self.event(parcel)
        return len(held)

    def kept(self) -> list[str]:
        """Return the ids of the events that are kept back."""
        with self._lock:
            return [parcel.id for parcel in self._held]

    def redeliver(self, event_id: str, attempt: int = 1, reason: str = "http_timeout") -> Delivery:
        """Send an earlier event again, the same bytes, newly signed; raise KeyError if unknown."""
        return self._attempt(self._events[event_id], attempt, reason)

    def raw(self, parcel: Parcel, headers: dict[str, str]) -> Delivery:
        """Send a parcel with these headers in place of the right ones, for forgeries."""
        return self._attempt(parcel, 0, None, headers=headers)

    def close(self) -> None:
        """Drop what waits and let running requests end."""
        with self._lock:
            self._closed = True
            timers = list(self._timers)
        for timer in timers:
            timer.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _attempt(
        self,
        parcel: Parcel,
        attempt: int,
        reason: str | None,
        *,
        again: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Delivery:
        started = time.perf_counter()
        with self._lock:
            forget = parcel.kind == "event" and self.forget_next > 0
            self.forget_next -= forget
        try:
            status, answer, no_retry = self._exchange(parcel, attempt, reason, headers or {})
            error = None if status in _OK else "http_error"
        except TimeoutError:
            status, answer, no_retry, error = None, "", False, "http_timeout"
        except (OSError, http.client.HTTPException) as fault:
            status, answer, no_retry, error = None, str(fault), False, "connection_failed"
        if forget:
            status, error = None, "http_timeout"
        ms = round((time.perf_counter() - started) * 1000, 1)
        delivery = Delivery(
            parcel.kind, parcel.name, parcel.id, attempt, status, ms, answer, error, no_retry
        )
        self._ledger.note("to_bot", **delivery.shape(), retry_reason=reason, payload=parcel.payload)
        if again and not delivery.ok and not no_retry:
            self._later(parcel, attempt + 1, error or "unknown_error")
        return delivery

    def _exchange(
        self, parcel: Parcel, attempt: int, reason: str | None, forged: dict[str, str]
    ) -> tuple[int, str, bool]:
        if self._settings.app_token and parcel.kind in {"event", "interaction", "command"}:
            answer = self._sockets.exchange(
                parcel.kind, parcel.payload, attempt, reason or "", self.timeout
            )
            return 200, answer, False
        if self.bot_url is None:
            raise ConnectionError("No bot_url is set, nothing was sent.")
        timestamp = str(int(self._now()))
        headers = {
            "Content-Type": parcel.content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._settings.signing_secret, timestamp, parcel.body),
        }
        if attempt:
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason or ""}
        bot = urlsplit(self.bot_url)
        kind = http.client.HTTPSConnection if bot.scheme == "https" else http.client.HTTPConnection
        connection = kind(bot.hostname or "127.0.0.1", bot.port, timeout=self.timeout)
        try:
            path = bot.path.rstrip("/") + self._settings.bot_path
            connection.request("POST", path, parcel.body, headers | forged)
            response = connection.getresponse()
            answer = response.read(_SEEN_OF_ANSWER).decode(errors="replace")
            return response.status, answer, response.headers.get("X-Slack-No-Retry") == "1"
        finally:
            connection.close()

    def _later(self, parcel: Parcel, attempt: int, reason: str) -> None:
        delays = self._settings.retry_delays
        if attempt > len(delays):
            return
        seconds = delays[attempt - 1] * self._settings.retry_scale

        def send_again() -> None:
            with self._lock:
                self._timers.discard(timer)
                if self._closed:
                    return
                self._pool.submit(self._attempt, parcel, attempt, reason, again=True)

        timer = threading.Timer(seconds, send_again)
        timer.daemon = True
        with self._lock:
            if self._closed:
                return
            self._timers.add(timer)
            timer.start()

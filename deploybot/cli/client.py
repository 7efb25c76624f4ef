"""Calls the HTTP API as the person behind a token; what is made of the answers is its callers'.

Every call that changes something carries one Idempotency-Key and is sent again with it for as long
as no answer came, so that it is done once.
"""

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import quote, urlencode

from deploy.secret import Secret
from deploybot.cli.event_stream import Message, messages
from deploybot.errors import CallerError, OperatorError

TIMEOUT = 30.0
"""Seconds that one answer may take."""
SILENCE = 60.0
"""Seconds of silence after which a stream is taken for dead; the web process sends a beat before."""
PATIENCE = 30.0
"""Seconds for which a call is sent again while nobody answers."""
LONGEST_ANSWER = 64 * 1024 * 1024
_AGAIN = (429, 502, 503, 504)

Json = dict[str, Any]

OPENED = Message("opened", "", "")
"""Not sent by anybody: a stream begins, or begins anew after it broke."""


class RefusedError(CallerError):
    """The web process said no; `status` and `reason_code` are those of its answer."""

    def __init__(self, message: str, *, status: int, reason_code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason_code = reason_code


class UnreachableError(OperatorError):
    """Nobody answers at the web process' address, or nobody who speaks this API."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes where it was meant to go, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


@dataclass(frozen=True)
class Client:
    """The API at one address, as one person.

    `waiting` is told once, in a sentence, when a call has to be sent again.
    """

    url: str
    token: Secret
    waiting: Callable[[str], None] = field(default=lambda _: None, repr=False)
    patience: float = PATIENCE
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        """Keep the token as a secret, however it was given."""
        object.__setattr__(self, "token", Secret.of(self.token))

    def get(self, path: str, **query: object) -> Json:
        """Return what stands there; raises RefusedError or UnreachableError."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        return self._call("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(self, path: str, body: Json | None = None, *, key: str = "") -> Json:
        """Do something, once; `key` makes several invocations one."""
        return self._call("POST", path, body or {}, key=key or uuid.uuid4().hex)

    def put(self, path: str, body: Json) -> Json:
        """Set something to what it may be already."""
        return self._call("PUT", path, body, key=uuid.uuid4().hex)

    def delete(self, path: str, **query: object) -> Json:
        """Take something away."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        path = f"{path}?{urlencode(given)}" if given else path
        return self._call("DELETE", path, key=uuid.uuid4().hex)

    def follow(self, thread_id: str, after: int = 0) -> Iterator[Message]:
        """Yield what happens in a thread behind event `after`, without an end.

        A stream that breaks is taken up where it broke; raises what `get` raises when it cannot be.
        """
        seen = str(after)
        while True:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": seen}
            path = thread_path(thread_id, "events")
            try:
                with self._open("GET", path, None, headers, timeout=SILENCE) as answer:
                    yield OPENED
                    for message in messages(answer):
                        seen = message.id or seen
                        yield message
            except (OSError, HTTPException):
                pass  # it broke; whether anybody is there, the next try finds out
            threading.Event().wait(0.1)

    def _call(self, method: str, path: str, body: Json | None = None, *, key: str = "") -> Json:
        headers = {"Accept": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        with self._open(method, path, body, headers, timeout=self.timeout) as answer:
            raw = answer.read(LONGEST_ANSWER)
        return _object(raw, self.url) if raw else {}

    def _open(
        self, method: str, path: str, body: Json | None, headers: dict[str, str], *, timeout: float
    ) -> IO[bytes]:
        """Return the answer, as soon as there is one."""
        deadline = time.monotonic() + self.patience
        pause = 0.1
        while True:
            try:
                return self._once(method, path, body, headers, timeout)
            except RefusedError as error:
                if error.status not in _AGAIN or time.monotonic() + pause > deadline:
                    raise
                why = str(error)
            except (OSError, HTTPException) as error:
                why = _why(error)
                if time.monotonic() + pause > deadline or _is_final(error):
                    raise UnreachableError(
                        f"{self.url} does not answer ({why}); what was sent may not have arrived. "
                        "Look whether `deploybot serve` runs there, or set DEPLOYBOT_URL."
                    ) from None
            if pause == 0.1:
                self.waiting(f"No answer yet ({why}); trying again.")
            threading.Event().wait(pause)
            pause = min(2 * pause, 2.0)

    def _once(
        self, method: str, path: str, body: Json | None, headers: dict[str, str], timeout: float
    ) -> IO[bytes]:
        sent = None if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.token.get_secret_value()}", **headers}
        given |= {"Content-Type": "application/json"} if sent is not None else {}
        request = urllib.request.Request(  # noqa: S310 - the setting's scheme is checked
            f"{self.url}{path}", sent, given, method=method
        )
        opener = urllib.request.build_opener(_NoRedirects)
        try:
            answer: IO[bytes] = opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(100_000), self.url) from None
        return answer


def thread_path(thread_id: str, *more: str) -> str:
    """Return the path of a thread, or of something below it."""
    return "/".join(("/api/threads", _quoted(thread_id), *more))


def lock_path(service: str, environment: str) -> str:
    """Return the path of the lock of a service in an environment; "" is all its services."""
    place = f"/api/environments/{_quoted(environment)}"
    return f"{place}/services/{_quoted(service)}/lock" if service else f"{place}/lock"


def _quoted(name: str) -> str:
    """Return a name as a part of a path, whatever bytes were typed."""
    return quote(name, safe="", errors="replace")


def _refusal(status: int, raw: bytes, url: str) -> RefusedError:
    """Turn an answer that is no success into the sentence that it carries."""
    try:
        problem = json.loads(raw)
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or not problem.get("detail"):
        text = f"{url} answered {status} without a reason; look whether DEPLOYBOT_URL is right."
        return RefusedError(text, status=status)
    if status == 401:
        return RefusedError(
            "The token is not known there, so nothing was done. Set DEPLOYBOT_TOKEN to yours.",
            status=status,
        )
    reason = str(problem.get("reason_code", ""))
    return RefusedError(str(problem["detail"]), status=status, reason_code=reason)


def _object(raw: bytes, url: str) -> Json:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnreachableError(
            f"What answers at {url} is not deploybot's API; set DEPLOYBOT_URL to its address."
        )
    return found


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


def _is_final(error: Exception) -> bool:
    """Tell whether another try would end the same: a name that does not exist, a bad certificate."""
    reason = getattr(error, "reason", None)
    return type(reason).__name__ in ("gaierror", "SSLCertVerificationError")

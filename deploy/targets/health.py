"""Asking a service over HTTP whether it is well, and which commit it runs; what follows is not here."""

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaitingError
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from deploy.plan import SHORT
from deploy.process import GUARD_SECONDS, pause
from deploy.target import Guard

ANSWER_SECONDS = 5.0
BETWEEN_SECONDS = 0.05
_BODY_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """What came back: the commit it named, or what was wrong with it."""

    sha: str | None = None
    problem: str | None = None


def ask(url: str, seconds: float = ANSWER_SECONDS) -> Answer:
    """GET a health page once. A good one is 200 with a JSON object whose `sha` is the commit."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection = kind(parts.netloc, timeout=seconds)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read(_BODY_BYTES)
        finally:
            connection.close()
    except (OSError, HTTPException) as error:
        return Answer(problem=f"it does not answer ({str(error) or type(error).__name__})")
    if response.status != 200:
        return Answer(problem=f"it answers {response.status}: {_said(body)}")
    try:
        told = json.loads(body)
    except ValueError:
        return Answer(problem=f"its answer is not JSON: {_said(body)}")
    sha = told.get("sha") if isinstance(told, dict) else None
    return Answer(sha=sha) if isinstance(sha, str) else Answer(problem="it does not name its sha")


def wait_until_it_runs(
    url: str, sha: str, seconds: float, guard: Guard, *, times: int = 1
) -> str | None:
    """Ask until the service says that it runs `sha`; return what was wrong if it never did.

    It must say so so many `times` in a row: while releases change places, both may answer. The
    guard is asked all along, and what it raises comes through.
    """
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(max_workers=1) as pool:
        well = 0
        while True:
            left = max(deadline - time.monotonic(), GUARD_SECONDS)
            answer = _guarded(pool.submit(ask, url, min(left, ANSWER_SECONDS)), guard)
            well = well + 1 if answer.sha == sha else 0
            if well == times:
                return None
            if well == 0 and time.monotonic() >= deadline:
                other = f"it runs {answer.sha[:SHORT]!r}" if answer.sha else answer.problem
                return f"after {seconds:g} s, {other}"
            pause(BETWEEN_SECONDS)


def _guarded(future: "Future[Answer]", guard: Guard) -> Answer:
    while True:
        guard()
        try:
            return future.result(timeout=GUARD_SECONDS)
        except StillWaitingError:
            continue


def _said(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:200]

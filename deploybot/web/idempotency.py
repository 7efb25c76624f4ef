"""What was answered to an Idempotency-Key: the same call again gets the same answer, another a 409.

That a call is done once does not rest on it: its key is also the key under which its event is
stored, so a web process that dies in the middle leaves nothing half done and nothing to do twice.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import redis
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from deploy import failpoints
from deploybot.queue import PREFIX
from deploybot.store import DEDUPE_SECONDS
from deploybot.web.bearer import Caller
from deploybot.web.problem import problem


@dataclass(frozen=True)
class Call:
    """One call that changes something: who makes it, on what, and under which key, if any."""

    caller: Caller
    method: str
    path: str
    key: str
    fresh: str
    """What stands for the key of a call without one: an id that nobody else has."""

    @property
    def delivery(self) -> str:
        """Return what the call is told apart by in the store: the caller's own key, or ours."""
        if self.key:
            return f"api:{self.caller.token}:{self.key}"
        return f"api-once:{self.caller.token}:{self.fresh}"

    def print_of(self, body: BaseModel) -> str:
        """Return the fingerprint of what is asked for, without who asks."""
        asked = f"{self.method} {self.path}\n{body.model_dump_json()}"
        return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


class Answers(Protocol):
    """Where answers are kept, by the delivery of their call."""

    def begin(self, delivery: str, fingerprint: str) -> str | None:
        """Note what is asked for, unless something is; return what is kept for this delivery."""

    def keep(self, delivery: str, record: str) -> None:
        """Put the answer in the place of what was noted."""


class MemoryAnswers:
    """Answers in this process."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def begin(self, delivery: str, fingerprint: str) -> str | None:
        """Note what is asked for, unless something is; return what is kept for this delivery."""
        kept = self._kept.setdefault(delivery, fingerprint)
        return None if kept is fingerprint else kept

    def keep(self, delivery: str, record: str) -> None:
        """Put the answer in the place of what was noted."""
        self._kept[delivery] = record


class RedisAnswers:
    """Answers in Redis, for as long as the store knows a delivery."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def begin(self, delivery: str, fingerprint: str) -> str | None:
        """Note what is asked for, unless something is; return what is kept for this delivery."""
        key = f"{PREFIX}answer:{delivery}"
        if self._redis.set(key, fingerprint, nx=True, ex=DEDUPE_SECONDS):
            return None
        found = cast(bytes | None, self._redis.get(key))
        return found.decode() if found else None

    def keep(self, delivery: str, record: str) -> None:
        """Put the answer in the place of what was noted."""
        self._redis.set(f"{PREFIX}answer:{delivery}", record, ex=DEDUPE_SECONDS)


def once(answers: Answers, call: Call, body: BaseModel, do: Callable[[], JSONResponse]) -> Response:
    """Do what is asked and keep the answer; the same again is answered from what was kept.

    A call that was begun and never answered is done again, which the store then knows; a failure
    that another try may mend is not kept.
    """
    if not call.key:
        return do()
    fingerprint = call.print_of(body)
    kept = answers.begin(call.delivery, fingerprint)
    begun, _, answered = (kept or fingerprint).partition("\n")
    if begun != fingerprint:
        return reused()
    if answered:
        return _again(answered)
    answer = do()
    failpoints.at("answer.keep.before")
    if answer.status_code < 500:
        record = {
            "status": answer.status_code,
            "type": answer.media_type,
            "location": answer.headers.get("location", ""),
            "body": bytes(answer.body).decode(),
        }
        answers.keep(call.delivery, f"{fingerprint}\n{json.dumps(record)}")
    return answer


def _again(answered: str) -> Response:
    record = json.loads(answered)
    headers = {"Idempotency-Replayed": "true"}
    headers |= {"Location": record["location"]} if record["location"] else {}
    return Response(record["body"], record["status"], headers, media_type=record["type"])


def reused() -> JSONResponse:
    """Refuse a key that was used for another call."""
    text = (
        "This Idempotency-Key was used for something else, so nothing was stored. "
        "Use a new key for each request."
    )
    return problem(409, text, reason_code="idempotency_key_reused")

"""The next step from a language model, over any endpoint that speaks chat completions.

Bounded in time, tries, bytes and re-asks. What an answer means is written in `answer`; which model
is asked, and what happens without one, in `chain`.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    DefaultHttpxClient,
    OpenAI,
    omit,
)
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import BaseModel, ValidationError

from deploy import failpoints
from deploy.secret import NO_SECRET, Secret
from deploybot.errors import ModelUnavailableError
from deploybot.models import answer
from deploybot.ports import Choice, Prompt

REASKS = 2
"""How often a model is told what is wrong with its answer, and asked again."""
LARGEST_ANSWER = 1_000_000
"""Bytes of one response that are read."""
_BUSY = frozenset({408, 409, 429})
_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,60}")


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Possible(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    """As much of a chat completion as is used; servers differ in the rest."""

    choices: list[_Possible]
    usage: _Usage | None = None


@dataclass
class _Spent:
    """What one call may still take, and what it has taken."""

    started: float
    deadline: float
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass
class OpenAIModel:
    """One model behind one endpoint; `next_step` keeps the promise of `ports.Model`.

    `timeout` bounds one request and `budget` everything that one step takes, in seconds;
    `max_retries`, two at most, counts further tries after a connection error, 429 or 5xx. `answer_tokens` bounds
    one answer, with what the model thinks before it; 0 leaves that to the server.
    """

    model: str
    base_url: str | None = None
    api_key: Secret = NO_SECRET
    timeout: float = 30.0
    max_retries: int = 2
    budget: float = 60.0
    answer_tokens: int = 0
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self.api_key = Secret.of(self.api_key)
        self.max_retries = min(max(self.max_retries, 0), 2)
        self._client = OpenAI(
            base_url=self.base_url,
            api_key=self.api_key.get_secret_value()
            or "none",  # local servers want none, the client wants one
            http_client=DefaultHttpxClient(
                follow_redirects=False
            ),  # what is asked goes nowhere else
            max_retries=0,  # its waits would not keep to the budget; `_sent` retries
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def name(self) -> str:
        """What the model is called where it is asked."""
        return self.model

    def next_step(self, prompt: Prompt) -> Choice:
        """Ask, validate, ask again if need be; raises ModelUnavailableError."""
        now = self.clock()
        spent = _Spent(started=now, deadline=now + self.budget)
        try:
            return self._chosen(prompt, spent)
        except ModelUnavailableError as error:
            error.tokens = spent.tokens_in + spent.tokens_out
            raise

    def _chosen(self, prompt: Prompt, spent: _Spent) -> Choice:
        thread = prompt.messages or ({"role": "user", "content": prompt.text},)
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": prompt.system},
            *cast("tuple[ChatCompletionMessageParam, ...]", thread),
        ]
        problem = ""
        for _ in range(1 + REASKS):
            text, problem = self._asked(messages, prompt, spent)
            if not problem:
                try:
                    step = answer.read(text, prompt)
                except answer.UnusableAnswerError as error:
                    problem = str(error)
                else:
                    ms = round((self.clock() - spent.started) * 1000)
                    return Choice(step, self.model, spent.tokens_in, spent.tokens_out, ms)
            messages += [
                {"role": "assistant", "content": text[: answer.LONGEST_WORDS]},
                {
                    "role": "user",
                    "content": f"That answer cannot be used. {problem} Answer again, with one "
                    "JSON object that fits the schema and nothing else.",
                },
            ]
        raise self._unavailable(f"gave no usable answer in {1 + REASKS} tries. {problem}")

    def _asked(
        self, messages: list[ChatCompletionMessageParam], prompt: Prompt, spent: _Spent
    ) -> tuple[str, str]:
        """Return the model's text, and what is wrong with it if that shows already."""
        raw = self._sent(messages, prompt, spent)
        try:
            completion = _Completion.model_validate_json(raw)
            chosen = completion.choices[0]
        except (ValidationError, IndexError):
            return "", "The response was no chat completion."
        if completion.usage:
            spent.tokens_in += completion.usage.prompt_tokens
            spent.tokens_out += completion.usage.completion_tokens
        if chosen.message.refusal or chosen.finish_reason == "content_filter":
            raise self._unavailable("refused to answer.")
        text = chosen.message.content or ""
        if chosen.finish_reason == "length":
            return text, "The answer was cut off; be brief."
        return text, ""

    def _sent(
        self, messages: list[ChatCompletionMessageParam], prompt: Prompt, spent: _Spent
    ) -> bytes:
        """Return the response, after at most `max_retries` further tries."""
        for tried in range(1 + self.max_retries):
            last = tried == self.max_retries
            try:
                return self._sent_once(messages, prompt, spent)
            except APIStatusError as error:
                again = error.status_code in _BUSY or error.status_code >= 500
                if last or not again:
                    raise self._unavailable(f"answered {_status(error)}.") from error
                self._wait(_pause(tried, error.response.headers), spent)
            except (APITimeoutError, httpx2.TimeoutException) as error:
                if last:
                    raise self._unavailable("did not answer in time.") from error
            except (APIConnectionError, httpx2.HTTPError) as error:
                if last:
                    raise self._unavailable("could not be reached.") from error
                self._wait(_pause(tried, {}), spent)
            except (APIError, ValueError) as error:
                raise self._unavailable("sent something that is no answer.") from error
        raise self._unavailable("was not asked.")

    def _sent_once(
        self, messages: list[ChatCompletionMessageParam], prompt: Prompt, spent: _Spent
    ) -> bytes:
        """Send one request and read its response, in time and within bounds."""
        left = min(self.timeout, self._left(spent))
        until = self.clock() + left
        received = bytearray()
        failpoints.at("model.call.before")
        with self._client.with_options(
            timeout=left
        ).chat.completions.with_streaming_response.create(
            model=self.model,
            messages=messages,
            response_format=_strict(prompt.schema),
            max_completion_tokens=self.answer_tokens or omit,
        ) as response:
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > LARGEST_ANSWER:
                    raise self._unavailable("sent more than an answer can be.")
                if self.clock() > until:  # each byte came in time, but not all of them
                    raise self._unavailable("did not answer in time.")
        failpoints.at("model.call.after", lost=_hung_up)
        return bytes(received)

    def _wait(self, seconds: float, spent: _Spent) -> None:
        left = self._left(spent)
        if seconds >= left:
            raise self._unavailable(f"is busy, and asks for a pause of {seconds:.0f} s.")
        threading.Event().wait(seconds)

    def _left(self, spent: _Spent) -> float:
        left = spent.deadline - self.clock()
        if left <= 0:
            raise self._unavailable(f"gave no usable answer within {self.budget:g} s.")
        return left

    def _unavailable(self, what: str) -> ModelUnavailableError:
        return ModelUnavailableError(
            f"The model {self.model} {what} No step was chosen and nothing was deployed; ask "
            "again, or say it as `deploy <service> <ref> to <environment>`.",
            what=what,
        )


def _hung_up() -> Exception:
    return httpx2.ReadError("the connection ended before the answer")


def _strict(schema: dict[str, Any]) -> ResponseFormatJSONSchema:
    return {
        "type": "json_schema",
        "json_schema": {"name": "next_step", "strict": True, "schema": schema},
    }


def _pause(tried: int, headers: Any) -> float:
    """Return how long to wait, in seconds: what the server asks for, or a little more each time."""
    asked = str(headers.get("retry-after", ""))
    return float(asked) if asked.isdecimal() and len(asked) < 9 else 0.25 * 2**tried


def _status(error: APIStatusError) -> str:
    """Return the status and its code; never the server's words, which may repeat a key."""
    try:
        body = json.loads(error.response.text)
        code = str(body["error"].get("code") or body["error"].get("type") or "")
    except (ValueError, LookupError, TypeError, AttributeError, httpx2.HTTPError):
        code = ""
    return f"{error.status_code} ({code})" if _CODE.fullmatch(code) else str(error.status_code)

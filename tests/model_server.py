"""A real HTTP server that speaks chat completions, for tests and demonstrations.

It answers by a script: a list of replies, or a function of the request. `seed` is such a function: it
plays the seed story by reading the tags of the prompt, as a model would. Like the real thing it
refuses a schema that strict mode does not know.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploybot.prompting import parse

FORBIDDEN = frozenset(
    {"oneOf", "discriminator", "default", "allOf", "not", "if", "patternProperties"}
)


@dataclass(frozen=True)
class Reply:
    """What goes back: a status, a body, headers; `drip` sends a byte each so many seconds."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    hang: bool = False
    """Take the request, and answer nothing until the server ends."""

    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Callable[[dict[str, Any]], Reply]


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> Reply:
    """Wrap a model's words as the API does."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    body = {"id": "c1", "object": "chat.completion", "choices": [choice], "usage": usage}
    return Reply(body)


def chooses(**step: Any) -> Reply:
    """Answer with one step, in the form that the schema asks for."""
    return completion(json.dumps({"step": step}))


def problems(schema: Any, where: str = "schema") -> list[str]:
    """Return what strict mode would refuse in a schema."""
    found: list[str] = []
    if isinstance(schema, list):
        for index, part in enumerate(schema):
            found += problems(part, f"{where}[{index}]")
    if not isinstance(schema, dict):
        return found
    found += [f"{where}: '{key}' is not permitted" for key in schema.keys() & FORBIDDEN]
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            found.append(f"{where}: additionalProperties must be false")
        if sorted(schema.get("required", [])) != sorted(properties):
            found.append(f"{where}: all properties must be required")
    for key, part in schema.items():
        inner = (
            part.values() if key in ("properties", "$defs") and isinstance(part, dict) else [part]
        )
        for value in inner:
            found += problems(value, f"{where}.{key}")
    return found


class ModelServer:
    """One server; `requests` holds the bodies it was sent, oldest first."""

    def __init__(self, script: Script | Sequence[Reply], *, api_key: str = "") -> None:
        self.requests: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self._script = script
        self._api_key = api_key
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length", "0"))
        body = json.loads(handler.rfile.read(length) or b"{}")
        reply = self._refused(handler, body) or self._next(body)
        if reply.hang:
            self.ended.wait(30)
            return
        raw = reply.raw()
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(raw)))
        handler.end_headers()
        with suppress(OSError):  # the client has had enough, which some tests are about
            self._write(handler, raw, reply.drip)

    def _write(self, handler: BaseHTTPRequestHandler, raw: bytes, drip: float) -> None:
        if not drip:
            handler.wfile.write(raw)
            return
        for at in range(len(raw)):
            handler.wfile.write(raw[at : at + 1])
            handler.wfile.flush()
            if self.ended.wait(drip):
                return

    def _next(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.requests.append(body)
            if callable(self._script):
                return self._script(body)
            at = min(len(self.requests), len(self._script)) - 1
            return self._script[at]

    def _refused(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> Reply | None:
        if handler.path != "/v1/chat/completions":
            return _error(404, "not_found", f"no {handler.path} here")
        if self._api_key and handler.headers.get("authorization") != f"Bearer {self._api_key}":
            key = handler.headers.get("authorization")
            return _error(401, "invalid_api_key", f"Incorrect API key provided: {key}")
        answer_format = body.get("response_format", {}).get("json_schema", {})
        if answer_format.get("strict") and (wrong := problems(answer_format.get("schema"))):
            return _error(400, "invalid_json_schema", wrong[0])
        return None


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(
        {"error": {"message": message, "type": "invalid_request_error", "code": code}}, status
    )


@contextmanager
def serving(script: Script | Sequence[Reply], *, api_key: str = "") -> Iterator[ModelServer]:
    """Run a server for as long as the block lasts."""
    server = ModelServer(script, api_key=api_key)
    server.start()
    try:
        yield server
    finally:
        server.stop()


# -- the seed story ----------------------------------------------------------------


def seed(request: dict[str, Any]) -> Reply:
    """Choose as the agents of the seed story do, from the prompt's tags alone."""
    text = next(m["content"] for m in request["messages"] if m["role"] == "user")
    return chooses(**_seed_step(parse(text)))


def _seed_step(entries: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    at = max((i for i, (tag, _) in enumerate(entries) if tag == "handed_over"), default=-1)
    if at < 0:
        return _asked_for(entries)
    body, since = entries[at][1], entries[at + 1 :]
    if body["to"] == "rollback":
        return _rolling_back(entries[:at], since)
    return _deploying(body["text"], since)


def _deploying(text: str, since: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    match = re.search(r"SHA (\w+) to ([\w-]+)", text)
    assert match is not None, text
    sha, environment = match.groups()
    order, live = ["frontend", "backend"], []
    for tag, body in since:
        first = (
            re.search(r"(\w+) first", str(body.get("feedback", ""))) if _is_no(tag, body) else None
        )
        if first and first[1] in order:
            order = [first[1], *(name for name in order if name != first[1])]
        if result := re.fullmatch(r"deploy_(\w+)_result", tag):
            live.append(result[1])
    left = [name for name in order if name not in live]
    if not left:
        names = " and ".join(f"`{name}`" for name in live)
        return {
            "intent": "done_for_now",
            "message": f"{names} are live on {environment} at `{sha}`.",
        }
    reason = "the new commit passed its tests on staging"
    return {"intent": f"deploy_{left[0]}", "ref": sha, "environment": environment, "reason": reason}


def _is_no(tag: str, body: Any) -> bool:
    return tag == "human_response" and "denied" in body


def _rolling_back(
    before: tuple[tuple[str, Any], ...], since: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    failure = next(body for tag, body in reversed(before) if tag == "tests_failed")
    rolled = [tag for tag, _ in since if re.fullmatch(r"roll_back_\w+_result", tag)]
    if rolled:
        told = f"Rolled back on {failure['environment']}, because {failure['summary']}."
        return {"intent": "done_for_now", "message": told}
    told = " ".join((failure["summary"], *failure.get("output", [])))
    named = [name for name in failure["live"] if re.search(rf"(?<![a-z]){name}(?![a-z])", told)]
    went = [m[1] for tag, _ in before if (m := re.fullmatch(r"deploy_(\w+)_result", tag))]
    service = (named or went[::-1] or list(failure["live"]))[0]
    return {
        "intent": f"roll_back_{service}",
        "environment": failure["environment"],
        "to": None,
        "reason": f"end-to-end tests failed: {failure['summary']}"[:200],
    }


def _asked_for(entries: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Answer the questions that are asked around the story."""
    tag, body = next(entry for entry in reversed(entries) if entry[0] != "facts")
    if tag == "error":
        ask = {"format": "free_text", "choices": [], "urgency": "low", "context": body["error"]}
        return {"intent": "request_human_input", "question": "Which ref do you mean?", **ask}
    if tag.endswith("_result"):
        return {"intent": "done_for_now", "message": _told(tag, body)}
    words = " ".join(str(body.get(key, "")) for key in ("subject", "text", "answer", "feedback"))
    if match := re.search(r"deploy (\w+) (\S+) to (\w+)", words):
        service, ref, environment = match.groups()
        change = {"ref": ref, "environment": environment, "reason": "asked for"}
        return {"intent": f"deploy_{service}", **change}
    if "commits" in words:
        return {"intent": "list_git_commits", "service": None, "ref": None, "limit": 5}
    if "live" in words:
        return {"intent": "check_deployments", "environment": None}
    return {"intent": "nothing_to_do", "message": "Nothing was asked."}


def _told(tag: str, body: Any) -> str:
    if tag == "check_deployments_result":
        rows = "\n".join(f"• {row}" for row in body)
        return f"Live now:\n{rows}"
    if tag == "list_git_commits_result":
        rows = "\n".join("• `{}` {}".format(*row.split(" ", 1)) for row in body)
        return f"The last commits:\n{rows}"
    return f"That is live: `{body.get('live')}`."

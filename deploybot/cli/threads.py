"""`threads` and `show`: what the store holds, for people and for scripts."""

import json
import sys
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploybot.bootstrap import Bot
from deploybot.errors import ThreadNotFoundError
from deploybot.events import EVENT, Event, StepChosen
from deploybot.next_step import to_wire
from deploybot.thread import Thread

_SHOWN_ELSEWHERE = {"at", "by", "kind", "delivery"}
LONGEST = 300


def list_threads(bot: Bot, *, status: str, limit: int, as_json: bool) -> None:
    """Print threads by last activity, newest first."""
    page = bot.store.list(status=status, limit=limit)
    threads = [bot.store.load(name) for name in page.threads]
    if as_json:
        print(json.dumps([_row(thread) for thread in threads], indent=2))  # noqa: T201
        return
    table = Table("thread", "status", "events", "last", "began with", box=None, pad_edge=False)
    for thread in threads:
        row = _row(thread)
        began = Text(row["began"], overflow="ellipsis", no_wrap=True)
        table.add_row(row["id"], row["status"], str(row["events"]), row["last"], began)
    Console().print(table if threads else "There are no threads yet.")


def show_thread(bot: Bot, thread_id: str, *, as_json: bool, prompt: bool) -> None:
    """Print one thread: its events, or exactly what the model reads."""
    thread = bot.store.load(thread_id)
    if not thread.events:
        raise ThreadNotFoundError(
            f"There is no thread {thread_id}. `deploybot threads` lists those there are."
        )
    if prompt:
        _show_prompt(bot, thread, as_json=as_json)
    elif as_json:
        events = [EVENT.dump_python(event, mode="json") for event in thread.events]
        print(json.dumps({"id": thread.id, "status": thread.status, "events": events}))  # noqa: T201
    else:
        _show(thread)


def _show_prompt(bot: Bot, thread: Thread, *, as_json: bool) -> None:
    """Print what was sent before the last step that a prompt led to, or what would be sent now."""
    sent = [n for n, e in enumerate(thread.events) if isinstance(e, StepChosen) and e.prompt]
    then = thread
    note = "No prompt has been made yet; this is what a model would read now."
    if sent:
        then = Thread(thread.id).extended(*thread.events[: sent[-1]], head="")
        chosen = cast("StepChosen", thread.events[sent[-1]])
        note = f"Before event {sent[-1] + 1}, chosen by {chosen.model} from prompt {chosen.prompt}."
    built = bot.prompt(then)
    if sent and built.digest != chosen.prompt:
        note += f" Templates, services or the form have changed since; they are {built.digest} now."
    print(note, file=sys.stderr)  # noqa: T201
    if as_json:
        system = {"role": "system", "content": built.system}
        print(json.dumps([system, *built.messages], indent=2, ensure_ascii=False))  # noqa: T201
    else:
        print(f"{built.system}\n\n{built.text}")  # noqa: T201


def _show(thread: Thread) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{thread.id}[/bold]  {thread.status}  {len(thread.events)} events")
    for seq, event in enumerate(thread.events, start=1):
        line = Text(f"{seq:>3} {event.at:%H:%M:%S} ")
        line.append(event.kind, style="bold")
        line.append(f" · {event.by}", style="dim")
        console.print(line)
        for text in _body(event):
            console.print(Text(f"      {text}"), overflow="fold")


def _body(event: Event) -> list[str]:
    values: dict[str, Any] = event.model_dump(mode="json", exclude=_SHOWN_ELSEWHERE)
    if event.kind == "step_chosen":
        values["step"] = to_wire(event.step)
    if event.kind == "approval_requested":
        request = event.request
        values = {
            "request": request.id,
            "change": f"{request.plan.action} {request.plan.service} on {request.plan.environment}",
            "sha": request.plan.sha,
            "digest": request.digest,
            "expires_at": request.expires_at.isoformat(),
        }
    return [f"{key}: {_short(value)}" for key, value in values.items() if value not in ("", None)]


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", " ⏎ ")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _row(thread: Thread) -> dict[str, Any]:
    first, last = thread.events[0], thread.events[-1]
    began = getattr(first, "text", "") or getattr(first, "subject", "") or first.kind
    return {
        "id": thread.id,
        "status": str(thread.status),
        "events": len(thread.events),
        "last": f"{last.at:%Y-%m-%d %H:%M}",
        "began": " ".join(began.split()),
    }

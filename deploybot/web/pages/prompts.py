"""What a model was shown before it chose: the prompt is built anew from the events of that moment."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from deploybot.events import StepChosen
from deploybot.ports import Prompt
from deploybot.thread import Thread


@dataclass(frozen=True)
class Shown:
    """One prompt as text. `is_same` tells whether the templates are still those of that moment."""

    system: str
    text: str
    schema: str
    digest: str
    is_same: bool


def shown_to(prompt: Callable[[Thread], Prompt], thread: Thread, seq: int) -> Shown | None:
    """Return what was shown before event number `seq`; None when no prompt was made for it."""
    event = thread.events[seq - 1]
    if not isinstance(event, StepChosen) or not event.prompt:
        return None
    then = Thread(thread.id).extended(*thread.events[: seq - 1], head="")
    built = prompt(then)
    said = [str(message.get("content", "")) for message in built.messages]
    return Shown(
        system=built.system,
        text=built.text or "\n\n".join(said),
        schema=json.dumps(built.schema, indent=2, ensure_ascii=False),
        digest=built.digest,
        is_same=built.digest == event.prompt,
    )

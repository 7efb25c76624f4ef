"""What one model call is made of: instructions, the thread as text, and the schema of the answer.

Pure: template sources are given by `bootstrap`. What is shown of a thread is decided in `entries`,
in which form in `renderers`, the schema in `schema`; asking a model, and reading its answer, is left
to `models`.
"""

import hashlib
import json
from collections.abc import Mapping

from deploybot.ports import Prompt
from deploybot.prompting.entries import BUDGET, entries, shown
from deploybot.prompting.renderers import DEFAULT, RENDERERS, Renderer, as_text
from deploybot.prompting.schema import answer_schema, intents, not_now
from deploybot.prompting.tags import parse
from deploybot.prompting.words import Templates, Words
from deploybot.thread import Thread

__all__ = [
    "DEFAULT",
    "RENDERERS",
    "Renderer",
    "Templates",
    "Words",
    "build",
    "entries",
    "parse",
    "render",
]


def render(thread: Thread, words: Words, *, renderer: str = DEFAULT, budget: int = BUDGET) -> str:
    """Return the thread as a model reads it; a chat with the roles of its messages."""
    return as_text(RENDERERS[renderer].render(shown(thread, words, budget)))


def build(
    thread: Thread,
    *,
    templates: Templates,
    services: tuple[str, ...],
    environments: tuple[str, ...],
    agent: str = "",
    approvers: Mapping[str, tuple[str, ...]] | None = None,
    renderer: str = DEFAULT,
    budget: int = BUDGET,
) -> Prompt:
    """Return the prompt for the thread's next step.

    `services` and `environments` are the catalog's, in its order; `approvers` names, for an
    environment, the people who may approve there; `agent` is the thread's own if not given;
    `renderer` is a name in RENDERERS; `budget` is in tokens, estimated.
    """
    agent = agent or thread.standing.agent
    left_out = not_now(thread.standing)
    schema = answer_schema(agent, services, environments, left_out)
    system = templates.system(
        agent,
        services=services,
        environments=environments,
        approvers=dict(approvers or {}),
        intents=intents(agent, services, left_out),
        renderer=renderer,
    )
    messages = RENDERERS[renderer].render(shown(thread, templates.words, budget))
    decides = templates.canonical + json.dumps(schema, sort_keys=True) + renderer
    return Prompt(
        agent=agent,
        system=system,
        text=as_text(messages),
        messages=messages,
        schema=schema,
        digest=hashlib.sha256(decides.encode()).hexdigest()[:12],
        thread=thread,
        services=services,
        environments=environments,
    )

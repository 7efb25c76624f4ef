"""What one model call is made of: instructions, the thread as text, and the schema of the answer.

Pure: template sources are given by `bootstrap`. How events become text is written in `entries` and
`rendering`, the schema in `schema`; asking a model, and reading its answer, is left to `models`.
"""

import hashlib
import json
from collections.abc import Mapping

from jinja2 import DictLoader, Environment, StrictUndefined

from deploybot.ports import Prompt
from deploybot.prompting.rendering import parse, render
from deploybot.prompting.schema import answer_schema, intents
from deploybot.thread import Thread

__all__ = ["Templates", "build", "parse", "render"]

DEPLOY = "deploy"


class Templates:
    """Every word that a model is told, by file name; a name that a template lacks is an error."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = dict(sources)
        self._environment = Environment(
            loader=DictLoader(self._sources),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - the words are no HTML; names in them are validated
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def system(self, agent: str, **values: object) -> str:
        """Return the instructions of an agent; one without a template has the deploy agent's."""
        name = f"{agent}.j2" if f"{agent}.j2" in self._sources else f"{DEPLOY}.j2"
        return self._environment.get_template(name).render(**values).strip()

    def canonical(self) -> str:
        """Return all sources as one text: equal for equal templates."""
        return json.dumps(self._sources, sort_keys=True)


def build(
    thread: Thread,
    *,
    templates: Templates,
    services: tuple[str, ...],
    environments: tuple[str, ...],
    agent: str = "",
    approvers: Mapping[str, tuple[str, ...]] | None = None,
) -> Prompt:
    """Return the prompt for the thread's next step.

    `services` and `environments` are the catalog's, in its order; `approvers` names, for an
    environment, the people who may approve there; `agent` is the thread's own if not given.
    """
    agent = agent or thread.standing.agent
    schema = answer_schema(agent, services, environments)
    system = templates.system(
        agent,
        services=services,
        environments=environments,
        approvers=dict(approvers or {}),
        intents=intents(agent, services),
    )
    decides = templates.canonical() + json.dumps(schema, sort_keys=True)
    return Prompt(
        agent=agent,
        system=system,
        text=render(thread),
        schema=schema,
        digest=hashlib.sha256(decides.encode()).hexdigest()[:12],
        thread=thread,
        services=services,
        environments=environments,
    )

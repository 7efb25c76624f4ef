"""One thing that a model is shown: a tag, a body of plain JSON values, and whose part it is."""

from dataclasses import dataclass
from typing import Any, Literal

from deploybot.next_step import Deploy, NextStep, RollBack

Entry = tuple[str, Any]
"""A tag's name, and its body."""

Part = Literal["said", "chose", "came_of_it", "happened"]
"""A person's words; a step that the agent chose; what came of it; anything else."""


def intent_of(step: NextStep) -> str:
    """Return the step's name on the wire: `deploy` of `backend` is `deploy_backend`."""
    if isinstance(step, Deploy | RollBack):
        return f"{step.intent}_{step.service}"
    return step.intent


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry, and whose part it is in a conversation."""

    tag: str
    body: Any
    part: Part

    @property
    def entry(self) -> Entry:
        """The tag and the body alone."""
        return self.tag, self.body

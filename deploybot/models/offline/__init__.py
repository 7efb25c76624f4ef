"""The built-in planner: rules, not a language model, and no network.

It reads the thread's events instead of the prompt's text, understands what people commonly type,
and asks when it does not. What it chooses is held to the same rules as any model's choice.
"""

from deploybot.models.offline import deciding, following
from deploybot.ports import Choice, Prompt

NAME = "offline"


class OfflinePlanner:
    """Chooses by rules; always there, and never unavailable."""

    def next_step(self, prompt: Prompt) -> Choice:
        """Return the step that the rules lead to."""
        return Choice(step=deciding.decide(following.of(prompt)), model=NAME)

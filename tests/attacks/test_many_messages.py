"""A flood of messages, ten thousand in the long form: every one is kept, and models are asked no more often than they may be."""

from dataclasses import dataclass

import pytest
from story import Story

from deploybot.events import ApiMessageReceived, StepChosen
from deploybot.model_tables import AllowanceTable, BudgetTables
from deploybot.models.chain import Chain
from deploybot.models.tally import MemoryTally
from deploybot.next_step import NothingToDo
from deploybot.ports import Choice, Prompt

AT_ONCE = 5
"""Wake-ups of a burst are one."""
IN_A_THREAD, OF_A_PERSON, IN_AN_HOUR = 2, 15, 25


@dataclass
class Counting:
    """A model that is glad to be asked."""

    name: str = "dear"
    asked: int = 0

    def next_step(self, prompt: Prompt) -> Choice:
        self.asked += 1
        return Choice(NothingToDo(message="fine"), self.name, tokens_in=1000)


@pytest.mark.parametrize(
    ("messages", "threads"),
    [(500, 25), pytest.param(10_000, 1000, marks=(pytest.mark.long, pytest.mark.timeout(900)))],
)
def test_a_flood_of_messages_is_kept_and_costs_no_more_than_the_budget(
    messages: int, threads: int
) -> None:
    model = Counting()
    budgets = BudgetTables(
        thread=AllowanceTable(calls=IN_A_THREAD),
        person=AllowanceTable(calls=OF_A_PERSON),
        hour=AllowanceTable(calls=IN_AN_HOUR),
    )
    story = Story(model=Chain((model,), MemoryTally(), budgets))

    for number in range(messages):
        thread = f"t{number % threads}"
        said = ApiMessageReceived(
            at=story.clock.now(),
            by=("ann", "eve")[number % 2],
            delivery=f"d{number}",
            text=f"and what of the weather, for the {number}th time?",
        )
        story.inbox.hear(thread, said, dedupe=(said.delivery,))
        if number // threads % AT_ONCE == AT_ONCE - 1:
            story.agent.advance(thread)

    events = [event for n in range(threads) for event in story.store.load(f"t{n}").events]
    assert sum(isinstance(event, ApiMessageReceived) for event in events) == messages
    assert 0 < model.asked <= IN_AN_HOUR
    chosen = [event for event in events if isinstance(event, StepChosen)]
    by_model = [event for event in chosen if event.model == "dear"]
    assert len(by_model) == model.asked
    assert any("has used its" in event.note for event in chosen)
    assert story.deployer.ran == []

import time
from dataclasses import dataclass, field, replace

from model_server import Reply, chooses, completion, serving
from planning import Play
from story import Story

from deploybot.errors import ModelUnavailableError
from deploybot.events import StepChosen
from deploybot.model_tables import AllowanceTable, BudgetTables
from deploybot.models.breaker import COOL_OFF, FAILURES
from deploybot.models.chain import Chain
from deploybot.models.openai import OpenAIModel
from deploybot.models.tally import MemoryTally
from deploybot.next_step import Deploy, NothingToDo
from deploybot.ports import Choice, Prompt
from deploybot.thread import Status


@dataclass
class FakeModel:
    """Answers the same each time, or is down; each answer takes this many tokens."""

    name: str
    up: bool = True
    tokens: int = 0
    asked: int = 0

    def next_step(self, prompt: Prompt) -> Choice:
        self.asked += 1
        if not self.up:
            error = ModelUnavailableError(f"{self.name} is down.", what="is down.")
            error.tokens = self.tokens
            raise error
        return Choice(NothingToDo(message="fine"), self.name, tokens_in=self.tokens)


@dataclass
class FakeClock:
    now: float = 0.0
    asked: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now


def prompt(text: str = "what do you make of this?", by: str = "ann") -> Prompt:
    return Play().says(text, by=by).prompt()


def test_a_plain_command_asks_no_model() -> None:
    model = FakeModel("large")

    choice = Chain((model,)).next_step(prompt("deploy backend v1.2.3 to staging"))

    assert choice.model == "command"
    assert isinstance(choice.step, Deploy)
    assert model.asked == 0


def test_the_models_are_asked_in_order() -> None:
    models = (FakeModel("large", up=False), FakeModel("small"))

    choice = Chain(models).next_step(prompt())

    assert choice.model == "small"
    assert choice.note == "large is down."


def test_with_no_model_up_the_rules_choose_and_it_is_said_why() -> None:
    models = (FakeModel("large", up=False), FakeModel("small", up=False))

    choice = Chain(models).next_step(prompt("ship the latest backend to prod"))

    assert choice.model == "offline"
    assert choice.note == "large is down. small is down."


def test_with_no_model_configured_nothing_is_missing() -> None:
    choice = Chain().next_step(prompt("ship the latest backend to prod"))

    assert (choice.model, choice.note) == ("offline", "")


# -- the breaker -------------------------------------------------------------------


def test_a_model_that_is_down_is_left_out_for_a_while_and_then_asked_again() -> None:
    clock, model = FakeClock(), FakeModel("large", up=False)
    chain = Chain((model,), MemoryTally(clock))

    notes = [chain.next_step(prompt()).note for _ in range(FAILURES + 5)]
    asked_while_down = model.asked
    clock.now += COOL_OFF + 1
    model.up = True

    assert asked_while_down == FAILURES
    assert "left out for a while" in notes[-1]
    assert chain.next_step(prompt()).model == "large"
    assert chain.next_step(prompt()).model == "large"


def test_one_failure_after_the_pause_leaves_it_out_again() -> None:
    clock, model = FakeClock(), FakeModel("large", up=False)
    chain = Chain((model,), MemoryTally(clock))
    for _ in range(FAILURES):
        chain.next_step(prompt())
    clock.now += COOL_OFF + 1

    for _ in range(5):
        chain.next_step(prompt())

    assert model.asked == FAILURES + 1


def test_one_failure_does_not_leave_a_model_out() -> None:
    model = FakeModel("large", up=False)
    chain = Chain((model,))

    chain.next_step(prompt())
    model.up = True

    assert chain.next_step(prompt()).model == "large"


def test_another_process_knows_which_model_is_down() -> None:
    tally, model = MemoryTally(), FakeModel("large", up=False)
    for _ in range(FAILURES):
        Chain((model,), tally).next_step(prompt())

    Chain((model,), tally).next_step(prompt())

    assert model.asked == FAILURES


def test_two_models_of_one_name_fail_apart() -> None:
    down, up = FakeModel("large", up=False), FakeModel("large")
    chain = Chain((down, up))

    choices = [chain.next_step(prompt()) for _ in range(5)]

    assert up.asked == 5
    assert {choice.model for choice in choices} == {"large"}


# -- budgets -----------------------------------------------------------------------


def spends(**limits: int) -> AllowanceTable:
    return AllowanceTable(**limits)


def test_a_thread_that_has_used_its_calls_is_planned_by_rules() -> None:
    model = FakeModel("large")
    chain = Chain((model,), budgets=BudgetTables(thread=spends(calls=2)))

    choices = [chain.next_step(prompt()) for _ in range(4)]

    assert [choice.model for choice in choices] == ["large", "large", "offline", "offline"]
    assert "this thread has used its 2 calls" in choices[-1].note
    assert model.asked == 2


def test_tokens_count_too_also_those_of_a_call_that_led_to_nothing() -> None:
    models = (FakeModel("large", up=False, tokens=60), FakeModel("small", tokens=50))
    chain = Chain(models, budgets=BudgetTables(thread=spends(tokens=100)))

    first, second = chain.next_step(prompt()), chain.next_step(prompt())

    assert first.model == "small"
    assert second.model == "offline"
    assert "this thread has used its 100 tokens" in second.note


def test_what_one_person_has_used_leaves_the_others_theirs() -> None:
    chain = Chain((FakeModel("large"),), budgets=BudgetTables(person=spends(calls=1)))

    mine = [chain.next_step(prompt(by="ann")).model for _ in range(2)]
    yours = chain.next_step(prompt(by="ben")).model

    assert mine == ["large", "offline"]
    assert yours == "large"


def test_an_hour_and_a_day_are_begun_anew() -> None:
    clock = FakeClock()
    budgets = BudgetTables(hour=spends(calls=1), day=spends(calls=2))
    chain = Chain((FakeModel("large"),), MemoryTally(clock), budgets)

    def chosen_by_after(seconds: float) -> str:
        clock.now += seconds
        return chain.next_step(prompt()).model

    same_hour = [chosen_by_after(0), chosen_by_after(60)]
    next_hour = chosen_by_after(3600)
    third_hour = chosen_by_after(3601)
    next_day = chosen_by_after(24 * 3600)

    assert same_hour == ["large", "offline"]
    assert next_hour == "large"
    assert third_hour == "offline"
    assert next_day == "large"


def test_a_spent_budget_stops_no_plain_command() -> None:
    chain = Chain((FakeModel("large"),), budgets=BudgetTables(thread=spends(calls=1)))
    for _ in range(3):
        chain.next_step(prompt())

    assert chain.next_step(prompt("deploy backend v1.2.3 to staging")).model == "command"


# -- real servers ------------------------------------------------------------------


@dataclass
class InACompany:
    """The chain, told what is configured, as `bootstrap` does."""

    chain: Chain

    def next_step(self, prompt: Prompt) -> Choice:
        known = {"services": ("backend", "frontend"), "environments": ("staging", "production")}
        return self.chain.next_step(replace(prompt, **known))


HANGS = Reply(None, hang=True)
GARBAGE = completion("The backend is lovely today.")


def test_the_card_is_there_within_the_time_outs_though_no_model_can_be_used() -> None:
    with serving([HANGS]) as hanging, serving([GARBAGE]) as babbling:
        with serving([GARBAGE]) as stopped:
            nowhere = stopped.base_url
        models = (
            OpenAIModel("hangs", hanging.base_url, timeout=0.4, budget=0.8),
            OpenAIModel("babbles", babbling.base_url, timeout=1.0, budget=1.0),
            OpenAIModel("is-down", nowhere, timeout=1.0, budget=1.0),
        )
        story = Story(model=InACompany(Chain(models))).verified_on_staging()
        started = time.monotonic()

        story.person_says("can you ship main of the backend to production?")

        took = time.monotonic() - started
        for model in models:
            model.close()

    chosen = [event for event in story.thread.events if isinstance(event, StepChosen)][-1]
    assert story.thread.status is Status.AWAITING_APPROVAL
    assert story.request.plan.service == "backend"
    assert chosen.model == "offline"
    for said in ("hangs gave no usable answer", "babbles gave no usable", "is-down could not be"):
        assert said in chosen.note
    assert took < 0.8 + 1.0 + 1.0 + 1.0
    assert len(babbling.requests) == 3


def test_a_model_outage_never_delays_a_plain_command() -> None:
    with serving([HANGS]) as hanging:
        model = OpenAIModel("hangs", hanging.base_url, timeout=20, budget=20)
        story = Story(model=InACompany(Chain((model,)))).verified_on_staging()
        started = time.monotonic()

        story.person_says("deploy backend main to production")

        took = time.monotonic() - started
        model.close()

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert hanging.requests == []
    assert took < 2


def test_the_second_model_chooses_when_the_first_refuses() -> None:
    step = {"intent": "deploy_backend", "ref": "v1.2.3", "environment": "staging", "reason": "r"}
    refuses = completion(None, refusal="I will not.")
    with serving([refuses]) as first, serving([chooses(**step)]) as second:
        models = (OpenAIModel("a", first.base_url), OpenAIModel("b", second.base_url))

        choice = Chain(models).next_step(prompt("ship the backend at v1.2.3 to staging"))

        for model in models:
            model.close()

    assert (choice.model, choice.note) == ("b", "a refused to answer.")

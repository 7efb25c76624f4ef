from dataclasses import dataclass, field

from planning import Play

from deploybot.errors import ModelUnavailableError
from deploybot.models.chain import COOL_OFF, FAILURES, Chain
from deploybot.next_step import Deploy, NothingToDo
from deploybot.ports import Choice, Prompt


@dataclass
class FakeModel:
    """Answers the same each time, or is down."""

    name: str
    up: bool = True
    asked: int = 0

    def next_step(self, prompt: Prompt) -> Choice:
        self.asked += 1
        if not self.up:
            raise ModelUnavailableError(f"{self.name} is down.")
        return Choice(NothingToDo(message="fine"), self.name)


@dataclass
class FakeClock:
    now: float = 0.0
    asked: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now


def prompt(text: str = "what do you make of this?") -> Prompt:
    return Play().says(text).prompt()


def test_a_plain_command_asks_no_model() -> None:
    model = FakeModel("large")

    choice = Chain((model,)).next_step(prompt("deploy backend v1.2.3 to staging"))

    assert choice.model == "command"
    assert isinstance(choice.step, Deploy)
    assert model.asked == 0


def test_the_models_are_asked_in_order() -> None:
    models = (FakeModel("large", up=False), FakeModel("small"))

    assert Chain(models).next_step(prompt()).model == "small"


def test_with_no_model_up_the_rules_choose() -> None:
    models = (FakeModel("large", up=False), FakeModel("small", up=False))

    assert Chain(models).next_step(prompt("ship the latest backend to prod")).model == "offline"


def test_with_no_model_configured_nothing_is_missing() -> None:
    assert Chain().next_step(prompt("ship the latest backend to prod")).model == "offline"


def test_a_model_that_is_down_is_left_out_for_a_while_and_then_asked_again() -> None:
    clock, model = FakeClock(), FakeModel("large", up=False)
    chain = Chain((model,), clock=clock)

    for _ in range(FAILURES + 5):
        chain.next_step(prompt())
    asked_while_down = model.asked
    clock.now += COOL_OFF + 1
    model.up = True

    assert asked_while_down == FAILURES
    assert chain.next_step(prompt()).model == "large"
    assert chain.next_step(prompt()).model == "large"


def test_one_failure_does_not_leave_a_model_out() -> None:
    model = FakeModel("large", up=False)
    chain = Chain((model,), clock=FakeClock())

    chain.next_step(prompt())
    model.up = True

    assert chain.next_step(prompt()).model == "large"

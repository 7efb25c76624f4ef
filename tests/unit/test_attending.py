"""One worker at a time asks a model about a thread, and one that died is missed soon."""

import pytest
from fakes import FakeClock, plain_prompt

from deploybot.attending import AttendedModel
from deploybot.errors import TakenError
from deploybot.events import ApiMessageReceived
from deploybot.memory import MemoryStore
from deploybot.next_step import DoneForNow
from deploybot.ports import Choice, Prompt
from deploybot.thread import ATTENDED, Thread


class Model:
    name = "m"

    def __init__(self) -> None:
        self.asked = 0

    def next_step(self, prompt: Prompt) -> Choice:
        self.asked += 1
        return Choice(DoneForNow(message="done"), model="m")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(now=clock.now)


def asked_about(store: MemoryStore, clock: FakeClock) -> Thread:
    said = ApiMessageReceived(at=clock.now(), by="ann", delivery="d1", text="x")
    return store.append(Thread("t1"), said)


def test_a_model_is_asked_and_named_as_it_is(store, clock):
    model = Model()
    attended = AttendedModel(model, store)

    choice = attended.next_step(plain_prompt(asked_about(store, clock)))

    assert (choice.model, attended.name, model.asked) == ("m", "m", 1)


def test_while_another_worker_asks_nobody_else_does(store, clock):
    model, thread = Model(), asked_about(store, clock)
    store.attend(thread, "another-worker")

    with pytest.raises(TakenError):
        AttendedModel(model, store).next_step(plain_prompt(thread))

    assert model.asked == 0


def test_a_worker_that_died_is_missed_after_a_few_seconds(store, clock):
    model, thread = Model(), asked_about(store, clock)
    store.attend(thread, "another-worker")

    clock.passes(seconds=ATTENDED.total_seconds() + 1)
    AttendedModel(model, store).next_step(plain_prompt(thread))

    assert model.asked == 1

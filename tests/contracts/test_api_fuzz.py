"""The whole API against requests made from its own description, and from what it forbids.

`make fuzz` sends ten thousand, `make test` some hundred: the profile `fuzz` says how many.
"""

from itertools import cycle
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from office import Office
from schemathesis.checks import CHECKS
from story import Story

from deploybot.events import ApiMessageReceived, Paused, QuestionAsked
from deploybot.next_step import Deploy

ANN = {"Authorization": "Bearer token-of-ann"}
BEN = {"Authorization": "Bearer token-of-ben"}
DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked")
EXAMPLES = 180 if settings.get_current_profile_name() == "fuzz" else 3
"""Requests to each operation by chance, in each of three tests."""
MANY = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def office() -> Office:
    """Return an office with a thread at each place where a thread can rest."""
    story = Story().verified_on_staging("main")
    for name, step in (("t-open", DEPLOY), ("t-done", None)):
        story.thread_id = name
        story.model_will(*([step] if step else [])).person_says("deploy backend")
    now = story.clock.now()
    said = ApiMessageReceived(at=now, by="ann", delivery="d1", text="deploy it")
    asked = QuestionAsked(at=now, by="agent:deploy", question_id="q1", question="Sure?")
    story.store.append(story.store.load("t-asked"), said, asked)
    story.store.append(story.store.load("t-paused"), said, Paused(at=now, by="ann"))
    return Office(story)


OFFICE = office()
THREADS = cycle(("t-open", "t-asked", "t-paused", "t-done"))
APP = OFFICE.app()


def described(**phases: Any) -> schemathesis.schemas.BaseSchema:
    """Return the API as it describes itself, but for the stream, which has no end."""
    config = schemathesis.Config.from_dict({"phases": phases})
    schema = schemathesis.openapi.from_asgi("/openapi.json", APP, config=config)
    return schema.exclude(operation_id="follow_thread")


API = described()
BY_CHANCE = described(coverage={"enabled": False})
ABOUT_DATA = tuple(CHECKS.get_by_names(["negative_data_rejection", "positive_data_acceptance"]))
REJECTION = tuple(CHECKS.get_by_names(["negative_data_rejection"]))
ABOUT_AUTHORIZATION = tuple(CHECKS.get_by_names(["ignored_auth"]))


def everything() -> dict[str, Any]:
    """Return all that is stored of threads."""
    store = OFFICE.story.store
    return {thread_id: store.load(thread_id).events for thread_id in store.changed(0)}


@API.parametrize()
@MANY
def test_what_the_description_allows_and_forbids_is_answered_as_it_says(
    case: schemathesis.Case,
) -> None:
    before = everything() if case.method == "GET" else {}

    answer = case.call(headers=ANN)

    # What is wrong in a query may be nothing once it is written down, such as an empty list.
    sent = parse_qs(urlsplit(str(answer.request.url)).query, keep_blank_values=True)
    vanished = set(case.query or {}) - set(sent)
    case.validate_response(answer, excluded_checks=[*REJECTION] if vanished else [])
    assert case.method != "GET" or everything() == before


@BY_CHANCE.parametrize()
@MANY
def test_calls_about_threads_that_are_there_are_answered_as_described(
    case: schemathesis.Case,
) -> None:
    if "thread_id" in case.path_parameters:
        case.path_parameters["thread_id"] = next(THREADS)
    before = everything() if case.method == "GET" else {}

    answer = case.call(headers=BEN)

    case.validate_response(answer, excluded_checks=[*ABOUT_DATA, *ABOUT_AUTHORIZATION])
    assert case.method != "GET" or everything() == before


@BY_CHANCE.parametrize()
@MANY
def test_nobody_without_a_token_gets_anything_or_changes_anything(case: schemathesis.Case) -> None:
    case.headers = {k: v for k, v in case.headers.items() if k.casefold() != "authorization"}
    before = everything()

    answer = case.call()

    assert answer.status_code in {401, 404, 405}
    assert answer.headers["content-type"] == ["application/problem+json"]
    assert everything() == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "HEAD"])
def test_a_method_that_no_route_knows_is_refused_by_name(method: str) -> None:
    answer = OFFICE.client().request(method, "/api/threads/t-open/messages", headers=ANN)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"

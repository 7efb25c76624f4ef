"""The description of the API at /openapi.json: whole enough to make a client from."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from office import Office
from starlette.testclient import TestClient
from story import Story

from deploybot.events import EVENT
from deploybot.next_step import Deploy
from deploybot.web.problem import TITLES

ANN = {"Authorization": "Bearer token-of-ann"}
OFFICE = Office(Story().verified_on_staging("main"))
DESCRIPTION: dict[str, Any] = OFFICE.app().openapi()
CALLS = [
    pytest.param(call, id=call["operationId"])
    for path in DESCRIPTION["paths"].values()
    for call in path.values()
]


def values_of(key: str, within: Any) -> Iterator[Any]:
    if isinstance(within, dict):
        yield from ([within[key]] if key in within else [])
        within = list(within.values())
    if isinstance(within, list):
        for each in within:
            yield from values_of(key, each)


def test_it_is_given_to_everybody_who_asks() -> None:
    answer = OFFICE.client().get("/openapi.json")

    assert (answer.status_code, answer.json()) == (200, json.loads(json.dumps(DESCRIPTION)))


def test_every_call_has_a_name_of_its_own() -> None:
    names = list(values_of("operationId", DESCRIPTION["paths"]))

    assert len(names) == len(set(names)) == len(CALLS) >= 18


def test_whatever_it_refers_to_is_there() -> None:
    schemas = DESCRIPTION["components"]["schemas"]
    named = {ref.rpartition("/")[2] for ref in values_of("$ref", DESCRIPTION)}

    assert named
    assert named <= schemas.keys()


def test_every_kind_of_event_is_told_by_its_kind() -> None:
    events = DESCRIPTION["components"]["schemas"]["Event"]
    kinds = EVENT.json_schema()["discriminator"]["mapping"].keys()

    assert events["discriminator"]["propertyName"] == "kind"
    assert events["discriminator"]["mapping"].keys() == kinds
    assert "deploy_succeeded" in kinds


@pytest.mark.parametrize("call", CALLS)
def test_every_call_says_what_it_does_and_how_it_may_be_refused(call: dict[str, Any]) -> None:
    refusals = {int(code): said for code, said in call["responses"].items() if int(code) >= 400}

    assert call["summary"]
    assert call["description"]
    assert {401, 403, 422, 429, 503} <= refusals.keys() <= TITLES.keys()
    for said in refusals.values():
        assert list(said["content"]) == ["application/problem+json"]


def test_what_is_answered_is_what_it_says() -> None:
    client: TestClient = OFFICE.client()
    OFFICE.story.model_will(
        Deploy(service="backend", ref="main", environment="production", reason="a")
    )
    started = client.post("/api/threads", json={"text": "deploy backend"}, headers=ANN)
    OFFICE.story.thread_id = started.json()["id"]
    OFFICE.story.bot_works()

    for path, name in (
        (f"/api/threads/{started.json()['id']}", "Shown"),
        ("/api/threads", "Rows"),
        ("/api/environments", "Places"),
        ("/api/threads/none", "Problem"),
    ):
        answer = client.get(path, headers=ANN).json()
        schema = {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}
        problems = list(Draft202012Validator(schema).iter_errors(answer))
        assert answer
        assert problems == [], path

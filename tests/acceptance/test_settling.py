"""A deploy whose worker died in the middle: nobody knows how it ended until a person has looked."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from fakes import PEOPLE, FakeDeployer, sha_of
from office import Office
from slack_bot import HOME, bot, click, desk, form, signed
from starlette.testclient import TestClient
from story import Story

from deploy.errors import LeaseLostError
from deploy.target import Guard, Order, Outcome, Report, Running
from deploybot.inbound.slack_buttons import IT_FAILED, IT_IS_LIVE
from deploybot.inbox import Receipt, Settling
from deploybot.next_step import Deploy
from deploybot.outbound.slack_blocks import Look, draw
from deploybot.outbound.slack_posting import FINAL
from deploybot.outbox import tellings
from deploybot.ports import Operation
from deploybot.telling import Card, CardState, Private
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked for")
ANN = {"Authorization": "Bearer token-of-ann"}
BEN = {"Authorization": "Bearer token-of-ben"}
STRANGER = {"Authorization": "Bearer token-of-a-stranger"}


@dataclass
class DyingDeployer(FakeDeployer):
    """Begins, and is given up before it ends; whether the switch had happened is for the test."""

    switches: bool = False
    dies: bool = True

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome | Running:
        if not self.dies:
            return super().run(order, guard, report)
        self.began.add(order.approval_id)
        plan = order.plan
        if self.switches:
            self.put_live(plan.service, plan.environment, plan.sha, approval_id=order.approval_id)
        raise LeaseLostError("It was away for too long.")


def unknown(*, switches: bool = False, by: str = "eve") -> Story:
    """Return a story whose approved deploy to production died in the middle."""
    story = Story()
    deployer = DyingDeployer(story.table, story.clock.now, story.store, switches=switches)
    story.deploys_with(deployer).verified_on_staging("main").model_will(DEPLOY).person_says(
        "deploy backend", by=by
    )
    assert story.approves(by="ben").accepted
    story.clock.passes(seconds=30)
    story.bot_works()
    assert story.thread.status is Status.OUTCOME_UNKNOWN
    deployer.dies = False
    return story


@pytest.fixture
def story() -> Story:
    return unknown()


def settles(story: Story, outcome: Any, *, by: str = "ann", **changes: Any) -> Receipt:
    given = {"request_id": "r1", "delivery": f"d:{by}:{outcome}"} | changes
    return story.inbox.settle(Settling(thread=story.thread_id, outcome=outcome, by=by, **given))


def in_place(story: Story) -> Operation | None:
    return story.store.operation("backend", "production")


# -- what a word does --------------------------------------------------------------


def test_a_word_that_it_failed_frees_the_place_and_the_agent_goes_on(story: Story) -> None:
    assert in_place(story)

    receipt = settles(story, "failed", comment="I looked: the old one answers")
    story.bot_works()

    (resolved,) = [e for e in story.thread.events if e.kind == "deploy_resolved"]
    assert receipt.accepted
    assert (resolved.by, resolved.outcome, resolved.comment) == (
        "ann", "failed", "I looked: the old one answers",
    )  # fmt: skip
    assert in_place(story) is None
    assert story.thread.status is Status.DONE


def test_after_that_the_same_change_can_be_approved_anew_and_runs_once(story: Story) -> None:
    settles(story, "failed")
    story.bot_works()

    story.model_will(DEPLOY).person_says("deploy backend again", by="eve")
    story.approves(by="ben")

    assert story.kinds.count("deploy_started") == 2
    assert story.kinds.count("deploy_succeeded") == 1
    assert [r for r in story.deployer.ran if r.startswith("deploy")] == [
        f"deploy backend {sha_of('main')[:7]} production"
    ]


def test_a_word_that_it_is_live_counts_as_live_and_has_it_tested() -> None:
    story = unknown(switches=True)

    receipt = settles(story, "succeeded")
    story.bot_works()

    (resolved,) = [e for e in story.thread.events if e.kind == "deploy_resolved"]
    assert receipt.accepted
    assert resolved.live == sha_of("main")
    assert "tests_passed" in story.kinds
    assert in_place(story) is None


def test_nobody_can_say_that_it_is_live_when_the_target_says_otherwise() -> None:
    story = unknown()
    story.deployer.put_live("backend", "production", sha_of("v1.0.0"))

    receipt = settles(story, "succeeded", live=sha_of("v1.0.0"))

    assert not receipt.accepted
    assert receipt.reason_code == "not_live"
    assert sha_of("v1.0.0")[:7] in receipt.text
    assert story.thread.status is Status.OUTCOME_UNKNOWN
    assert in_place(story)


def test_who_asked_for_the_deploy_may_say_how_it_ended_if_they_may_approve() -> None:
    story = unknown(by="ann")

    assert settles(story, "failed", by="ann").accepted


@pytest.mark.parametrize(
    ("by", "reason"), [("eve", "not_an_approver"), ("stranger", "unknown_person")]
)
def test_others_are_refused_in_words_and_nothing_changes(
    story: Story, by: str, reason: str
) -> None:
    receipt = settles(story, "failed", by=by)

    refused = story.thread.events[-1]
    assert not receipt.accepted
    assert (refused.kind, receipt.reason_code) == ("answer_refused", reason)
    assert "nothing changed" in receipt.text
    assert in_place(story)


def test_of_two_people_at_once_one_settles_it_and_the_other_is_told_who(story: Story) -> None:
    with ThreadPoolExecutor(2) as pool:
        receipts = list(pool.map(lambda by: settles(story, "failed", by=by), ["ann", "ben"]))

    assert [receipt.accepted for receipt in receipts].count(True) == 1
    (late,) = [receipt for receipt in receipts if not receipt.accepted]
    (resolved,) = [e for e in story.thread.events if e.kind == "deploy_resolved"]
    assert PEOPLE.name(resolved.by) in late.text
    assert "settled this as failed" in late.text


def test_the_same_delivery_settles_once(story: Story) -> None:
    first = settles(story, "failed", delivery="once")
    again = settles(story, "failed", delivery="once")

    assert (first.text, again.text) == ("Settled as failed.", "Heard already.")
    assert story.kinds.count("deploy_resolved") == 1


def test_nothing_is_settled_that_is_known(story: Story) -> None:
    settles(story, "failed")
    story.bot_works()

    late = settles(story, "succeeded", by="ben")
    never = settles(story, "succeeded", by="mia", request_id="no-such")

    assert "Ann settled this as failed" in late.text
    assert "no deploy here whose outcome is not known" in never.text
    assert story.kinds.count("deploy_resolved") == 1


# -- over the API ------------------------------------------------------------------


@pytest.fixture
def client(story: Story) -> TestClient:
    return Office(story).client()


def test_the_api_shows_what_is_to_be_settled_and_takes_the_word(
    story: Story, client: TestClient
) -> None:
    shown = client.get("/api/threads/t1", headers=ANN).json()["request"]
    assert shown["kind"] == "outcome"

    body = {"request": shown["id"], "outcome": "failed", "comment": "looked"}
    key = {"Idempotency-Key": "k1"}
    first = client.post("/api/threads/t1/resolve", json=body, headers=ANN | key)
    again = client.post("/api/threads/t1/resolve", json=body, headers=ANN | key)
    other = client.post(
        "/api/threads/t1/resolve", json=body | {"comment": "else"}, headers=ANN | key
    )

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)
    assert first.json()["status"] == "working"
    assert story.kinds.count("deploy_resolved") == 1


@pytest.mark.parametrize(
    ("who", "changes", "status", "reason"),
    [
        (STRANGER, {}, 403, "unknown_person"),
        (BEN, {"request": "other"}, 409, "closed"),
    ],
)
def test_the_api_says_why_a_word_does_not_count(
    story: Story,
    client: TestClient,
    who: dict[str, str],
    changes: dict[str, str],
    status: int,
    reason: str,
) -> None:
    body = {"request": story.request.id, "outcome": "failed"} | changes

    answer = client.post("/api/threads/t1/resolve", json=body, headers=who)

    assert (answer.status_code, answer.json()["reason_code"]) == (status, reason)
    assert story.thread.status is Status.OUTCOME_UNKNOWN


@pytest.mark.parametrize("body", [{}, {"request": "r1", "outcome": "maybe"}, {"outcome": "failed"}])
def test_the_api_refuses_a_word_that_says_neither(client: TestClient, body: dict[str, str]) -> None:
    answer = client.post("/api/threads/t1/resolve", json=body, headers=ANN)

    assert answer.status_code == 422
    assert "Nothing was stored" in answer.json()["detail"]


def test_without_a_token_nothing_is_settled(story: Story, client: TestClient) -> None:
    body = {"request": story.request.id, "outcome": "failed"}

    assert client.post("/api/threads/t1/resolve", json=body).status_code == 401
    assert story.thread.status is Status.OUTCOME_UNKNOWN


# -- on the card -------------------------------------------------------------------


def card_of(story: Story) -> Card:
    (card,) = [telling for telling in tellings(story.thread) if isinstance(telling, Card)]
    return card


def buttons_of(story: Story) -> dict[str, dict[str, Any]]:
    drawing = draw(card_of(story), Look(PEOPLE, story.thread_id))
    return {
        element["action_id"]: element
        for block in drawing.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }


@pytest.fixture
def slack(story: Story) -> Iterator[Any]:
    with TestClient(bot(desk(story.store, story.clock))) as client:

        def press(user: str, button: dict[str, Any]) -> int:
            action = {"action_id": button["action_id"], "value": button["value"]}
            body = form(click(action, user=user))
            headers = signed(body, int(story.clock.time.timestamp()))
            return client.post("/slack/events", content=body, headers=headers).status_code

        yield press


@pytest.mark.parametrize(("action", "outcome"), [(IT_IS_LIVE, "succeeded"), (IT_FAILED, "failed")])
def test_the_card_has_two_buttons_and_each_settles_it(
    story: Story, slack: Any, action: str, outcome: str
) -> None:
    buttons = buttons_of(story)
    assert card_of(story).state is CardState.UNKNOWN
    assert set(buttons) == {IT_IS_LIVE, IT_FAILED}

    assert slack("U0ANN", buttons[action]) == 200

    (resolved,) = [e for e in story.thread.events if e.kind == "deploy_resolved"]
    assert (resolved.by, resolved.outcome) == ("ann", outcome)
    assert card_of(story).state in FINAL
    assert buttons_of(story) == {}


@pytest.mark.parametrize("user", ["U0EVE", "U0NOBODY"])
def test_a_click_of_somebody_who_may_not_is_answered_to_them_alone(
    story: Story, slack: Any, user: str
) -> None:
    assert slack(user, buttons_of(story)[IT_FAILED]) == 200

    (whisper,) = [telling for telling in tellings(story.thread) if isinstance(telling, Private)]
    assert (whisper.channel, whisper.address) == ("slack", user)
    assert "nothing changed" in whisper.text
    assert story.thread.status is Status.OUTCOME_UNKNOWN


def test_a_late_click_says_who_settled_it(story: Story, slack: Any) -> None:
    late = buttons_of(story)[IT_FAILED]
    settles(story, "failed", by="ann")

    slack("U0BEN", late)

    (whisper,) = [telling for telling in tellings(story.thread) if isinstance(telling, Private)]
    assert "Ann settled this as failed" in whisper.text


def test_the_card_names_those_who_may_settle_it(story: Story) -> None:
    shown = json.dumps(draw(card_of(story), Look(PEOPLE, "t1")).blocks, ensure_ascii=False)

    assert "May settle it, after a look: <@U0ANN>, <@U0BEN>, Mia" in shown
    assert HOME.bot_user not in shown

"""The Vercel target, against a Vercel whose builds are not ready and whose domains do not follow."""

from datetime import timedelta

import pytest
from elsewhere_orders import A, B, C, Yard
from loopback_api import Answer
from target_harness import followed
from vercel_api.server import TOKEN, VercelApi

from deploy.connections import Connections
from deploy.errors import DeniedError, NoAnswerError, RefusedError, TargetError
from deploy.target import Began, Ended, NeverBegan, Running


@pytest.fixture(name="api")
def _api():
    api = VercelApi()
    with api.serving():
        yield api
    assert api.violations == []


@pytest.fixture(name="yard")
def _yard(api, tmp_path):
    connections = Connections(vercel_url=api.url, vercel_token=TOKEN)
    yard = Yard(tmp_path, connections, kind="vercel", project="shop")
    api.live = api.build(C)
    return yard


def test_the_newest_production_build_of_the_commit_is_promoted(api, yard):
    api.build(A)
    api.build(A, target="preview")
    newest = api.build(A)
    api.build(A, state="ERROR")

    found = yard.done(yard.order(A))

    assert found.outcome == "succeeded"
    assert [(move.kind, move.to) for move in api.moves] == [("promote", newest)]
    assert found.link == "https://vercel.example/acme/shop/4"
    assert yard.target.current().release == newest


@pytest.mark.parametrize(
    ("state", "stands"), [(None, "there is none"), ("BUILDING", "it is BUILDING")]
)
def test_a_commit_without_a_build_that_is_ready_is_refused_and_nothing_moves(
    api, yard, state, stands
):
    if state:
        api.build(A, state=state)

    outcome = yard.begun(yard.order(A))

    assert (outcome.outcome, outcome.step) == ("failed", "promote")
    assert outcome.error == (
        f"No production build of aaaaaaa is ready: {stands}. Nothing was launched."
    )
    assert api.moves == []


def test_a_roll_back_is_asked_for_as_one_and_named_after_its_operation(api, yard):
    build = api.build(A)
    order = yard.order(A, action="roll_back")

    assert yard.done(order).outcome == "succeeded"

    assert [(move.kind, move.to) for move in api.moves] == [("rollback", build)]
    (asked,) = [one for one in api.asked if one.method == "POST"]
    assert asked.query == {"description": f"operation {order.approval_id}"}


def test_the_team_is_named_in_every_request(api, yard):
    api.build(A)
    yard.set(team="team_1")

    yard.done(yard.order(A))

    assert {one.query.get("teamId") for one in api.asked} == {"team_1"}


@pytest.mark.parametrize("kind", ["lose", "502 after"])
def test_a_promotion_whose_answer_was_lost_is_followed_all_the_same(api, yard, kind):
    api.build(A)
    api.goes_wrong("POST", "/promote/", kind)

    assert yard.done(yard.order(A)).outcome == "succeeded"

    assert len(api.moves) == 1


@pytest.mark.parametrize("kind", ["drop", "500"])
def test_a_promotion_that_may_have_been_lost_is_told_as_unknown_and_not_asked_again(
    api, yard, kind
):
    api.build(A)
    api.goes_wrong("POST", "/promote/", kind)
    order = yard.order(A)

    assert isinstance(yard.begun(order), Running)
    yard.ahead = timedelta(seconds=121)

    assert isinstance(yard.target.settle(order), Began)
    assert api.moves == []
    assert api.count("POST", "/promote/") == 1


def test_a_promotion_waits_as_long_as_vercel_asks(api, yard):
    api.build(A)
    api.goes_wrong("POST", "/promote/", "429")

    assert yard.done(yard.order(A)).outcome == "succeeded"

    assert len(api.moves) == 1


def test_domains_that_cannot_be_moved_are_led_back_and_named(api, yard):
    api.build(A)
    api.fails = True

    found = yard.done(yard.order(A))

    assert (found.outcome, found.step) == ("failed", "domains")
    assert found.error == (
        "Vercel could not move all domains; the domains lead to the build before again"
    )
    assert found.tail == (
        "shop.example: completed",
        "www.shop.example: completed",
        "shop-git-main.example: failed",
        "there is no such thing as a free deploy",
    )
    assert [move.kind for move in api.moves] == ["promote", "rollback"]
    assert yard.target.current().sha == C


def test_a_first_promotion_that_fails_has_nothing_to_be_led_back_to(api, yard):
    api.live = None
    api.build(A)
    api.fails = True

    found = yard.done(yard.order(A))

    assert found.error == "Vercel could not move all domains"
    assert [move.kind for move in api.moves] == ["promote"]
    assert yard.target.current() is None


def test_how_many_domains_follow_is_told(api, yard):
    api.build(A)
    api.takes = 3
    order = yard.order(A)

    first = yard.begun(order)
    second = yard.target.settle(order)

    assert [look.step for look in (first, second)] == ["domains (1 of 3)", "domains (2 of 3)"]


def test_a_stop_leads_the_domains_back_once(api, yard):
    api.build(A)
    api.takes = 1000
    order = yard.order(A)
    yard.begun(order)

    yard.target.cancel(order)
    yard.target.cancel(order)
    found = followed(yard.target, order)

    assert isinstance(found, Ended)
    assert found.outcome == "failed"
    assert [move.kind for move in api.moves] == ["promote", "rollback"]
    assert yard.target.current().sha == C


def test_while_others_move_the_domains_nothing_begins(api, yard):
    other = api.build(B)
    api.build(A)
    api.takes = 1000
    order = yard.order(A)
    api._move("shop", other, "promote")

    with pytest.raises(RefusedError, match="are being moved to another build") as refused:
        yard.begun(order)

    assert refused.value.reason_code == "operation_running"
    assert yard.target.probe(order.approval_id) == NeverBegan()


def test_when_others_moved_the_domains_meanwhile_that_is_not_taken_for_ours(api, yard):
    api.build(A)
    other = api.build(B)
    api.takes = 1000
    order = yard.order(A)
    yard.begun(order)
    api.takes = 1
    api._move("shop", other, "promote")

    assert isinstance(yard.target.settle(order), Running)
    yard.ahead = timedelta(seconds=121)

    assert isinstance(yard.target.settle(order), Began)


def test_what_was_not_built_from_a_commit_is_said(api, yard):
    api.builds[0]["meta"] = {}

    with pytest.raises(TargetError, match="was not built from a commit"):
        yard.target.current()


def test_a_wrong_token_is_said_without_showing_it(api, yard, tmp_path):
    other = Connections(vercel_url=api.url, vercel_token="another")
    wrong = Yard(tmp_path, other, **yard.table)

    with pytest.raises(DeniedError) as refused:
        wrong.target.current()

    assert str(refused.value) == "Vercel refused to show the project (403): Not authorized."
    assert "another" not in repr(other)


@pytest.mark.parametrize("body", [b"<html>", {"error": 1}, [], {"id": 5}])
def test_an_answer_that_is_none_of_vercels_is_told_as_none(api, yard, body):
    api.answer = lambda _: Answer(200, body)

    with pytest.raises(NoAnswerError, match="what is not its API's"):
        yard.target.current()

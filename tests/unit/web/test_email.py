from dataclasses import replace
from typing import Any

import pytest
from fakes import PEOPLE
from letters import ANN, raw_mail, room_of
from office import DEAD, EMAIL_SECRET, DeadStore, Office
from starlette.testclient import TestClient
from story import Story

from deploybot.inbound.email_delivery import sign
from deploybot.inbox import Inbox


@pytest.fixture
def office(story: Story) -> Office:
    return Office(story)


def deliver(office: Office, client: TestClient, raw: bytes, **changed: str) -> Any:
    stamp = int(office.story.clock.now().timestamp())
    headers = {"Content-Type": "message/rfc822"} | sign(EMAIL_SECRET, stamp, raw) | changed
    return client.post("/email/inbound", content=raw, headers=headers)


def test_a_mail_is_stored_before_it_is_acknowledged(office: Office) -> None:
    answer = deliver(office, office.client(), raw_mail("deploy backend", sender=ANN))

    (event,) = office.story.store.load(answer.json()["thread"]).events
    assert (answer.status_code, answer.json()["outcome"]) == (202, "heard")
    assert (event.kind, event.by) == ("email_received", "ann")


def test_an_automatic_answer_is_acknowledged_and_forgotten(office: Office) -> None:
    raw = raw_mail("approve", headers=(("Auto-Submitted", "auto-replied"),))

    answer = deliver(office, office.client(), raw)

    assert (answer.status_code, answer.json()) == (
        202, {"ignored": "an automatic answer (Auto-Submitted)"}
    )  # fmt: skip
    assert office.story.store.list().threads == ()


def test_a_huge_mail_is_put_aside_and_the_next_one_is_heard(office: Office) -> None:
    client = office.client()

    huge = deliver(office, client, raw_mail("x" * 10_000_000))
    next_one = deliver(office, client, raw_mail("hi", sender=ANN))

    assert huge.status_code == 202
    assert huge.json()["outcome"].startswith("quarantined")
    assert next_one.json()["outcome"] == "heard"


def test_an_unsigned_mail_is_refused(office: Office) -> None:
    raw = raw_mail("hi", sender=ANN)

    answer = deliver(office, office.client(), raw, **{"X-Deploybot-Signature": "sha256="})

    assert answer.status_code == 401
    assert office.story.store.list().threads == ()


def test_what_no_mail_server_takes_is_refused_unread(office: Office) -> None:
    assert deliver(office, office.client(), b"x" * 30_000_001).status_code == 413


@pytest.mark.parametrize("changed", [{"mail_room": None}, {"email_secrets": ()}])
def test_without_settings_there_is_no_mail(office: Office, changed: dict[str, Any]) -> None:
    assert deliver(office, office.client(**changed), b"x").status_code == 404


@pytest.mark.parametrize("error", DEAD)
def test_a_store_that_is_away_makes_the_mail_server_try_again(
    office: Office, error: Exception
) -> None:
    store = DeadStore(error)
    inbox = Inbox(store, PEOPLE, office.story.clock.clockwork)  # type: ignore[arg-type]
    room = room_of(office.story)
    room = replace(room, desk=replace(room.desk, store=store, inbox=inbox))  # type: ignore[arg-type]

    answer = deliver(office, office.client(mail_room=room), raw_mail("hi"))

    assert answer.status_code == 503

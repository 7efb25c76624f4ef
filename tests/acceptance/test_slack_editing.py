"""Edit… on a card in Slack, over real HTTP: the dialog, what it says at once, and the card that follows."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fakes import catalog, sha_of
from slack_bot import bot, served
from slack_office import DEPLOY, Office, opened

from deploybot.demo.workspace import interactions
from deploybot.editing import AS_SHOWN
from deploybot.next_step import DeployTogether, DoneForNow, Part
from deploybot.thread import Status

BOTH = DeployTogether(
    parts=(Part(service="backend", ref="main"), Part(service="frontend", ref="main")),
    environment="production",
    reason="asked for",
)


@pytest.fixture
def office() -> Iterator[Office]:
    slow = {"patience": 60, "delivery_timeout": 60.0, "trigger_seconds": 120.0}  # a busy machine
    with opened(table=catalog(verified_in=None), **slow) as office, served(bot(office.desk)) as url:
        office.server.bot_url = url
        yield office


def asked(office: Office, step: Any = DEPLOY) -> str:
    """Have a card shown; return its ts."""
    office.story.model_will(step, DoneForNow(message="Done.")).person_says("deploy it", by="eve")
    office.tell()
    return office.card(office.story.request.id)


def opens(office: Office, user: str, ts: str) -> dict[str, Any]:
    """Press Edit… and return the dialog."""
    office.click(user, "edit", ts)
    view = office.view(f"U0{user.upper()}")
    assert view is not None, office.whispers()
    return view


def sends(office: Office, user: str, view: dict[str, Any], **values: str) -> dict[str, Any]:
    given = {name.replace("_", ":"): value for name, value in values.items()}
    return dict(interactions.submit(office.server, user, view["id"], given))


def test_a_card_is_edited_in_a_dialog_and_approved_by_somebody_else(office: Office) -> None:
    old = asked(office)
    view = opens(office, "ben", old)

    sent = sends(office, "ben", view, ref_0="v1.0.0", why="only the fix")
    office.works()
    new = office.card(office.story.request.id)
    office.click("ben", "approve", new)
    office.click("ann", "approve", new)
    office.works()

    assert sent["outcome"] == "closed"
    assert "Edited by Ben" in office.shown(old)
    changed = f"backend main ({sha_of('main')[:7]}) → v1.0.0 ({sha_of('v1.0.0')[:7]})"
    assert json.dumps(changed)[1:-1] in office.shown(old)
    assert '"edit"' not in office.shown(old)
    assert office.story.deployer.ran[0] == f"deploy backend {sha_of('v1.0.0')[:7]} production"
    assert any("You asked for this deploy" in whisper for whisper in office.whispers())


def test_the_new_card_says_whose_edit_it_is_and_what_it_changed(office: Office) -> None:
    view = opens(office, "ben", asked(office))

    sends(office, "ben", view, ref_0="v1.0.0", why="only the fix")
    office.works()

    shown = office.shown(office.card(office.story.request.id))
    assert "Edited by Ben" in shown
    assert "only the fix" in shown
    assert "Eve, Ben" in shown


def test_until_it_is_planned_the_card_says_so_and_nobody_can_approve(office: Office) -> None:
    ts = asked(office)
    view = opens(office, "ben", ts)
    sends(office, "ben", view, ref_0="v1.1.0")

    office.click("ann", "approve", ts)
    office.tell()

    assert office.story.thread.status is Status.EDITING
    assert "Ben wants something else instead" in office.shown(ts)
    assert '"approve"' not in office.shown(ts)
    (whisper,) = office.whispers()
    assert "Ben edited this request" in whisper
    assert "approval_granted" not in office.story.kinds


@pytest.mark.parametrize(
    ("values", "block", "says"),
    [
        ({"ref_0": "--upload-pack=x"}, "ref:0", "refused"),
        ({"start": "25:99"}, "start", "no time of any day"),
        ({}, "ref:0", AS_SHOWN),
    ],
)
def test_what_can_be_known_at_once_is_said_in_the_dialog(
    office: Office, values: dict[str, str], block: str, says: str
) -> None:
    view = opens(office, "ben", asked(office))

    sent = sends(office, "ben", view, **values)

    assert sent["outcome"] == "errors"
    assert says in sent["errors"][block]
    assert office.view("U0BEN") is not None
    assert "edit_requested" not in office.story.kinds


def test_two_services_with_one_turn_are_pointed_at(office: Office) -> None:
    view = opens(office, "ben", asked(office, BOTH))

    sent = sends(office, "ben", view, turn_1="1")

    assert "backend and frontend have the same turn" in sent["errors"]["turn:0"]


def test_the_order_is_changed_and_a_service_left_out(office: Office) -> None:
    view = opens(office, "ben", asked(office, BOTH))
    sends(office, "ben", view, turn_0="2", turn_1="1")
    office.works()
    assert [plan.service for plan in office.story.request.plans] == ["frontend", "backend"]

    view = opens(office, "ben", office.card(office.story.request.id))
    sends(office, "ben", view, turn_1="out")
    office.works()

    assert [plan.service for plan in office.story.request.plans] == ["frontend"]


def test_what_only_git_knows_is_said_in_the_thread_and_the_card_is_open_as_it_was(
    office: Office,
) -> None:
    ts = asked(office)
    view = opens(office, "ben", ts)

    sent = sends(office, "ben", view, ref_0="v9.9")
    office.works()

    assert sent["outcome"] == "closed"
    said = [
        json_text
        for key in office.noted
        if key.startswith("said:") and (json_text := office.shown(_ts(office, key)))
    ]
    assert any("that cannot be had" in text and '"U0BEN"' in text for text in said)
    assert '"approve"' in office.shown(ts)
    office.click("ann", "approve", ts)
    office.works()
    assert office.story.deployer.ran


def _ts(office: Office, key: str) -> str:
    return str(json.loads(office.noted[key])["ts"])


@pytest.mark.parametrize(("user", "says"), [("zoe", "I do not know you here")])
def test_whoever_may_not_edit_is_told_so_and_no_dialog_opens(
    office: Office, user: str, says: str
) -> None:
    ts = asked(office)

    office.click(user, "edit", ts)

    assert office.view(f"U0{user.upper()}") is None
    (whisper,) = office.whispers()
    assert says in whisper


def test_whoever_comes_with_the_old_card_is_told_who_edited_it(office: Office) -> None:
    old = asked(office)
    late = opens(office, "ann", old)
    view = opens(office, "ben", old)
    sends(office, "ben", view, ref_0="v1.1.0", start="23:59")
    office.works()

    sent = sends(office, "ann", late, ref_0="v1.0.0")

    assert "Ben edited it (backend main" in sent["errors"]["ref:0"]


def test_of_two_who_edit_at_once_one_wins_and_the_other_is_told(office: Office) -> None:
    ts = asked(office)
    views = {user: opens(office, user, ts) for user in ("ann", "ben")}

    with ThreadPoolExecutor(2) as pool:
        sent = list(
            pool.map(
                lambda user: sends(office, user, views[user], ref_0="v1.1.0"),
                ("ann", "ben"),
            )
        )

    outcomes = sorted(one["outcome"] for one in sent)
    assert outcomes == ["closed", "errors"]
    (refused,) = (one["errors"]["ref:0"] for one in sent if one["outcome"] == "errors")
    assert "edited this request" in refused
    assert office.story.kinds.count("edit_requested") == 1

"""The app's own page in Slack: drawn by workers, for who opened it, and anew only when it changed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import NOON, sha_of
from page_office import PageOffice
from page_office import opened as office_of
from slack_bot import SECRET, TOKEN

from deploy.locks import Hold
from deploy.target import Live
from deploybot.demo.workspace import Channel, Fault, Person, WorkspaceServer, WorkspaceSettings
from deploybot.errors import DeliveryError
from deploybot.homes import HOMES, NOT_AGAIN_FOR
from deploybot.manifest import EVENTS, SCOPES
from deploybot.outbound.slack import SlackChannel
from deploybot.outbound.slack_calls import Pacing, slack_client
from deploybot.outbound.slack_home import MOST_WAITING, Shown, Waits, digest, home
from deploybot.outbox import tellings
from deploybot.ports import EnvironmentRow, People
from deploybot.ports import Person as Known
from deploybot.queue import due_key
from deploybot.web.slack_home import refresh


@pytest.fixture
def slack() -> Iterator[WorkspaceServer]:
    people = tuple(Person(id=f"U0{n.upper()}", name=n) for n in ("ann", "ben", "eve", "zoe"))
    settings = WorkspaceSettings(
        bot_token=TOKEN,
        signing_secret=SECRET,
        scopes=SCOPES,
        events=EVENTS,
        channels=(Channel(id="C0DEPLOYS", name="deploys"),),
        people=people,
    )
    with WorkspaceServer(settings) as server:
        yield server


@pytest.fixture
def office(redis_url: str, slack: WorkspaceServer, tmp_path: Path) -> Iterator[PageOffice]:
    environ = {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_API_URL": f"{slack.url}/api/",
        "DEPLOYBOT_URL": "http://127.0.0.1:1",
    }
    with office_of(redis_url, tmp_path, **environ) as office:
        yield office


def page(slack: WorkspaceServer, user: str) -> str:
    """Return what the user sees there, as JSON."""
    return json.dumps(slack.workspace.views.homes[user]["blocks"], ensure_ascii=False)


def calls(slack: WorkspaceServer, method: str = "views.publish") -> list[dict[str, Any]]:
    return slack.workspace.ledger.entries(0, direction="from_bot", method=method)


def told(office: PageOffice) -> None:
    """Show the thread in Slack, as the deliveries do."""
    store, thread = office.bot.store, office.story.thread
    channel = SlackChannel(
        client=slack_client(TOKEN, office.bot.settings.slack_api_url),
        channel="C0DEPLOYS",
        people=office.bot.people,
        url_of=str,
        alias=store.name,
        progress=store.progress,
        now=office.bot.clock.now,
        pacing=Pacing(burst=1000),
    )

    def note(key: str, value: str) -> None:
        store.note_sent(thread.id, f"slack:{key}", value)

    channel.deliver(thread, tellings(thread), {}, note)


def is_due(office: PageOffice) -> float | None:
    return office.connection.zscore(due_key("survey"), HOMES)


def test_who_opens_it_sees_what_waits_for_them_with_the_way_to_its_card(
    office: PageOffice, slack: WorkspaceServer
) -> None:
    office.asks_for_approval(by="eve")
    told(office)

    for user in ("U0BEN", "U0EVE", "U0ZOE"):
        office.bot.homes.opened(user)
    refresh(office.bot)

    ben, eve, zoe = (page(slack, user) for user in ("U0BEN", "U0EVE", "U0ZOE"))
    assert "Deploy backend to production" in ben.partition("What is live")[0]
    assert f"<{slack.url}/archives/C0DEPLOYS/p" in ben
    assert f"http://127.0.0.1:1/threads/{office.story.thread_id}" in ben
    assert "Nothing waits for you." in eve
    assert "Waits for others" in eve
    assert "Nothing waits for you." in zoe
    assert "I do not know you here" in zoe
    assert "I do not know you here" not in ben


def test_it_tells_what_is_live_and_locked(office: PageOffice, slack: WorkspaceServer) -> None:
    now = office.bot.clock.now()
    live = Live(sha=sha_of("main"), release="r", since=now, approval_id=None, verified=True)
    office.bot.overview.keep((EnvironmentRow("backend", "production", live, behind=2),))
    hold = Hold(
        service="backend",
        environment="production",
        owner="ann",
        reason="migration <now>",
        at=now,
        expires=now + timedelta(days=3650),
    )
    bot = replace(office.bot, store=_Holding(office.bot.store, hold))

    bot.homes.opened("U0BEN")
    refresh(bot)

    shown = page(slack, "U0BEN")
    assert f"*backend* `{sha_of('main')[:7]}`" in shown
    assert "2 behind" in shown
    assert "backend on production* by Ann" in shown
    assert "migration &lt;now&gt;" in shown


class _Holding:
    """A store in which one lock is held."""

    def __init__(self, store: Any, hold: Hold) -> None:
        self._store, self._hold = store, hold

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def holds(self) -> tuple[Hold, ...]:
        return (self._hold,)


def test_it_is_drawn_anew_only_when_something_on_it_changed(
    office: PageOffice, slack: WorkspaceServer
) -> None:
    office.bot.homes.opened("U0BEN")
    refresh(office.bot)
    refresh(office.bot)
    office.bot.overview.keep(())
    refresh(office.bot)
    office.story.clock.time += timedelta(minutes=5)
    office.bot.overview.keep(())  # the same is seen again, later
    refresh(office.bot)
    before = len(calls(slack))

    office.asks_for_approval(by="eve")
    refresh(office.bot)

    assert before == 2
    assert len(calls(slack)) == 3


def test_changes_are_gathered_and_nothing_is_due_while_nobody_looks(office: PageOffice) -> None:
    office.bot.homes.changed()
    nobody = is_due(office)
    office.bot.homes.opened("U0BEN")
    at_once = is_due(office)
    refresh(office.bot)
    drawn = is_due(office)

    office.bot.homes.changed()
    first = is_due(office)
    for _ in range(10):
        office.bot.homes.changed()

    assert (nobody, drawn) == (None, None)
    assert at_once is not None
    assert first is not None
    assert first - at_once >= NOT_AGAIN_FOR * 1000 - 1
    assert is_due(office) == first


def test_opening_it_again_draws_it_again(office: PageOffice, slack: WorkspaceServer) -> None:
    for _ in range(2):
        office.bot.homes.opened("U0BEN")
        refresh(office.bot)

    assert len(calls(slack)) == 2


@pytest.mark.parametrize("kind", ["ratelimit", "status"])
def test_what_slack_does_not_take_is_drawn_later(
    office: PageOffice, slack: WorkspaceServer, kind: Any
) -> None:
    slack.workspace.faults.add(Fault(method="views.publish", kind=kind))
    office.bot.homes.opened("U0BEN")

    with pytest.raises(DeliveryError):
        refresh(office.bot)
    assert is_due(office) is not None
    refresh(office.bot)

    assert "U0BEN" in slack.workspace.views.homes


def test_for_who_has_left_nothing_is_drawn_and_the_others_get_theirs(
    office: PageOffice, slack: WorkspaceServer
) -> None:
    gone = Fault(method="views.publish", kind="error", error="user_not_found")
    slack.workspace.faults.add(gone)
    for user in ("U0GONE", "U0BEN"):
        office.bot.homes.opened(user)

    refresh(office.bot)
    refresh(office.bot)

    assert len(calls(slack)) == 2
    assert len(office.bot.homes.take()) == 1


def test_the_largest_page_stays_within_slacks_limits(slack: WorkspaceServer) -> None:
    known = Known(id="ann", name="Ann" * 30)
    long = "x<&>" * 500
    waits = Waits(asks=long, title=long, mine=True, until=NOON, card="https://a", page="https://b")
    rows = tuple(
        EnvironmentRow(f"service-{n}", f"environment-{m}", None, problem=long)
        for n in range(40)
        for m in range(25)
    )
    hold = Hold(service=None, environment="e" * 80, owner="ann", reason=long, at=NOON)
    largest = Shown(
        person=None,
        waiting=tuple(replace(waits, mine=mine) for mine in (True, False) for _ in range(99)),
        rows=rows,
        holds=(hold,) * 99,
        at=NOON,
        url="https://bot.example",
    )
    people = People((known,))

    view = home(largest, people)
    slack.workspace.views.publish("U0ANN", view)

    assert len(view["blocks"]) <= 100
    assert json.dumps(view).count("And 84 more.") == 2
    assert MOST_WAITING == 15
    assert digest(largest, people) == digest(replace(largest, at=NOON + timedelta(1)), people)

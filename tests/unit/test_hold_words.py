"""What a message means for locks: the forms, the near misses, and what is about something else."""

import time
from datetime import UTC, datetime

import pytest
from fakes import NOON, catalog

from deploybot.hold_words import read
from deploybot.next_step import DoneForNow, ListHolds, PlaceHold, ReleaseHold

CATALOG = catalog(time_zone="Europe/Berlin")


def means(text):
    return read(text, "ann", NOON, CATALOG)


def lock(service="backend", environment="production", **more):
    return PlaceHold(service=service, environment=environment, by="ann", **more)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (
            "lock backend on production for 2h: schema migration",
            lock(seconds=7200, reason="schema migration"),
        ),
        ("Please lock the backend in production.", lock()),
        ("lock backend production warn only: careful", lock(warn_only=True, reason="careful")),
        ("lock production", lock(None)),
        ("lock everything on production for 1h 30m because of a sale", lock(None, seconds=5400)),
        (
            "lock production until 18:00: release day",
            lock(None, until=datetime(2026, 3, 2, 17, 0, tzinfo=UTC), reason="release day"),
        ),
        (
            "lock production until tomorrow 9:00",
            lock(None, until=datetime(2026, 3, 3, 8, 0, tzinfo=UTC)),
        ),
        ("unlock backend on production", ReleaseHold(service="backend", environment="production", by="ann")),
        ("`unlock production`", ReleaseHold(service=None, environment="production", by="ann")),
        ("release the hold on backend on production", ReleaseHold(service="backend", environment="production", by="ann")),
        ("extend the lock of backend on production by 1h", lock(how="extended", seconds=3600)),
        ("hand backend on production to @ben", lock(how="handed_over", to="@ben")),
        ("take over backend on production: ann is away", lock(how="taken_over", reason="ann is away")),
        ("locks?", ListHolds()),
        ("What's locked?", ListHolds()),
    ],
)  # fmt: skip
def test_a_whole_message_means_one_thing(text, step):
    if "because" in text:
        step = step.model_copy(update={"reason": "of a sale"})

    assert means(text) == step


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lock bakend on production", "Did you mean backend? Write: `lock backend on production for 2h"),
        ("lock prod", "Did you mean production?"),
        ("lock backend", "did not say where backend"),
        ("lock backend on production for ages", "could not read this one"),
        ("lock backend on production for 2 fortnights", "no length of time"),
        ("lock backend and frontend on production", "word by word"),
        ("unlock", "Write: `unlock backend on production`"),
        ("unlock backend on production when you are done", "nothing was changed"),
        ("lock production until 25:00", "Nothing was changed"),
        ("extend the lock of backend on production", "Write: `extend the lock of backend"),
        ("hand backend on prod to ben", "Did you mean production?"),
    ],
)  # fmt: skip
def test_a_near_miss_changes_nothing_and_shows_the_form(text, says):
    step = means(text)

    assert isinstance(step, DoneForNow)
    assert says in step.message


@pytest.mark.parametrize(
    "text",
    [
        "deploy backend main to production",
        "release v1.2.3",
        "release backend v1.2.3 to production",
        "take over the world",
        "take over",
        "hand me the tags",
        "extend the deadline",
        "what is live?",
        "is backend locked out of the database?",
        "",
    ],
)
def test_what_is_about_something_else_is_left_to_others(text):
    assert means(text) is None


@pytest.mark.parametrize("fill", [",", " ", "lock ", "1 ", "-", "a", "`"])
@pytest.mark.parametrize("head", ["lock ", "lock backend on production for ", "x", "take over a"])
def test_a_message_of_a_megabyte_takes_no_time(head, fill):
    began = time.perf_counter()

    means(head + fill * (1_000_000 // len(fill)) + "!x")
    means(head + fill * (900 // len(fill)) + "!x")

    assert time.perf_counter() - began < 0.5


def test_without_any_environment_nothing_breaks():
    nothing = CATALOG.model_copy(update={"environments": {}})

    step = read("lock backend on production", "ann", NOON, nothing)

    assert isinstance(step, DoneForNow)

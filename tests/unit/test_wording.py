"""Each event in plain words, whatever others have written into it."""

from random import Random

import naughty
import pytest

from deploybot.events import Event
from deploybot.phrases import duration, step_words
from deploybot.wording import words


def event(seed: int) -> Event:
    made = naughty.event(Random(seed))
    typed = {"seconds": 1.5, "until": made.at, "ms": 200, "tokens_in": 1, "tokens_out": 2}
    return made.model_copy(update={name: typed[name] for name in typed if hasattr(made, name)})


EVENTS = [event(seed) for seed in range(5000)]


def test_every_kind_has_words_of_its_own():
    seen = {type(event) for event in EVENTS}

    assert seen == set(naughty.KINDS)
    for event in EVENTS:
        assert words(event).text != event.kind.replace("_", " "), event.kind


def test_every_step_has_words():
    steps = [event.step for event in EVENTS if event.kind == "step_chosen"]

    assert {type(step) for step in steps} == set(naughty.STEPS)
    for step in steps:
        assert step_words(step)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (1.26, "1.3 s"),
        (62, "62 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (7800, "2 h 10 min"),
        (3 * 86400, "3 d"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_a_length_of_time_is_said_as_people_say_it(seconds, said):
    assert duration(seconds) == said

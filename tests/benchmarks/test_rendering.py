"""What it takes to put a thread before a model: milliseconds, and how they grow with its length."""

import time
from collections.abc import Callable

import pytest
from benchmarks.conftest import Table
from benchmarks.seed_threads import Told, deploy
from planning import COMMITS, TEMPLATES, Play

from deploybot.next_step import DoneForNow, ListGitCommits
from deploybot.prompting import RENDERERS, render
from deploybot.thread import Thread

WORDS = TEMPLATES.words
ROUNDS = 40


def busy_thread(length: int) -> Thread:
    """Play turns of a working day until the thread has so many events."""
    told = Told()
    play = Play(told)
    while len(play.thread.events) < length:
        told.steps += [
            deploy("backend", "v1.2.3", "asked for"),
            deploy("frontend", "v1.2.3", "Ben wants the frontend first"),
            deploy("backend", "v1.2.3", "the frontend is live; now the backend"),
            DoneForNow(message="Both are live on production at `v1.2.3`."),
            ListGitCommits(limit=5),
            DoneForNow(message="`b6589fc` Merge pull request #42: free shipping, and so on."),
        ]
        play.says("deploy v1.2.3 to production, see <https://ci.example/42>", by="alex").step()
        play.take().denies("the frontend first please: it needs the new routes").step()
        play.take().ships()
        play.take().ships()
        play.take().says("what are the last 5 commits?", by="alex").step()
        play.returns(COMMITS[:5])
        play.take()
    return Thread("t").extended(*play.thread.events[:length], head="")


def best_ms(work: Callable[[], object]) -> float:
    """Return the fastest of some rounds, in milliseconds of processor time: nothing else disturbs it."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken) * 1000


@pytest.mark.benchmark
def test_a_thread_of_200_events_is_rendered_in_5_ms(table: Table) -> None:
    thread = busy_thread(200)

    for name in RENDERERS:
        ms = best_ms(lambda name=name: render(thread, WORDS, renderer=name))  # type: ignore[misc]
        table.add(f"200 events rendered as {name}", f"{ms:.2f} ms", bar="under 5 ms")
        assert ms < 5


@pytest.mark.benchmark
def test_a_step_in_a_thread_ten_times_as_long_takes_less_than_three_times_as_long(
    table: Table,
) -> None:
    short, long = busy_thread(100), busy_thread(1000)

    ms = {len(t.events): best_ms(lambda t=t: render(t, WORDS)) for t in (short, long)}  # type: ignore[misc]

    figure = f"{ms[100]:.2f} ms, {ms[1000]:.2f} ms, {ms[1000] / ms[100]:.2f} times"
    table.add("100 and 1000 events rendered", figure, bar="under 3 times")

    assert ms[1000] < 3 * ms[100]

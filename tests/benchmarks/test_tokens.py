"""What a thread costs in o200k tokens in each form, beside standard chat messages with tool calls.

Instructions and schema are left out on both sides; both hold the same facts, but that ours leave out
failed attempts that were made good.
"""

import sys

import pytest
from benchmarks import harmony
from benchmarks.conftest import Table
from benchmarks.seed_threads import seed_thread
from planning import TEMPLATES

from deploybot.evals import playing
from deploybot.evals.case import shipped
from deploybot.evals.world import World
from deploybot.models.offline import OfflinePlanner
from deploybot.ports import Prompt
from deploybot.prompting import RENDERERS, build, parse, render
from deploybot.prompting.entries import shown
from deploybot.thread import Thread

pytestmark = pytest.mark.benchmark

WORDS = TEMPLATES.words
BARS = {5: 0.80, 10: 0.72, 20: 0.72}
"""Events → what the default form may take of what the chat takes."""


def tokens_as(form: str, thread: Thread) -> int:
    messages = RENDERERS[form].render(shown(thread, WORDS))
    if len(messages) == 1:
        return harmony.tokens(messages[0]["content"])
    return harmony.tokens(harmony.rendered(messages))


def test_every_form_beside_standard_chat_messages(table: Table) -> None:
    for length, bar in BARS.items():
        thread = seed_thread(length)
        chat = harmony.baseline(thread)
        assert len(chat) == length
        standard = harmony.tokens(harmony.rendered(chat))
        literal = harmony.tokens(harmony.literal(chat))
        row = (f"{literal} tokens, {literal / standard:.2f}", f"{standard} tokens")
        table.add(f"{length} events in the seed's literal form", *row)
        for form in RENDERERS:
            tokens = tokens_as(form, thread)
            figure = f"{tokens} tokens, {tokens / standard:.2f}"
            limit = f"at most {bar:.2f}" if form == "tags" else ""
            table.add(f"{length} events as {form}", figure, f"{standard} tokens", limit)

        assert tokens_as("tags", thread) <= bar * standard


def test_the_default_form_stays_readable() -> None:
    text = render(seed_thread(20), WORDS)
    sys.stdout.write(f"\n\n{text}\n")

    assert max(map(len, text.splitlines())) <= 100
    assert parse(text)[0] == (
        "slack_message",
        {"from": "alex", "text": "can you deploy v1.4.3 of the backend to production?"},
    )
    for words in (
        "denied: deploy backend to",
        "feedback: can you deploy the frontend first?",
        "status: succeeded",
        "v1.4.2 b81d2f4 03-02",
        "4af9ec0 03-02 09:41 Dana Reyes: Merge pull request #482: org-scoped routes",
    ):
        assert words in text


def test_every_form_of_the_evals_beside_their_accuracy(table: Table) -> None:
    cases = [case for case in shipped() if case.group == "plain"]
    assert cases
    for form in RENDERERS:
        tokens: list[int] = []

        def prompt(
            thread: Thread, world: World, form: str = form, seen: list[int] = tokens
        ) -> Prompt:
            seen.append(tokens_as(form, thread))
            return build(
                thread,
                templates=TEMPLATES,
                services=world.services,
                environments=world.environments,
                renderer=form,
            )

        outcomes = list(playing.run(cases, OfflinePlanner(), prompt, at_once=1))

        right = sum(outcome.passed for outcome in outcomes) / len(cases)
        figure = f"{right:.0%} right (the planner), {sum(tokens) / len(tokens):.0f} tokens a call"
        table.add(f"{len(cases)} plain evals as {form}", figure, bar="at least 95 %")
        assert right >= 0.95

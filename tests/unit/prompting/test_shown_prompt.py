"""`deploybot show THREAD --prompt`: exactly what was sent before the last step."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import ScriptedModel
from model_server import chooses, serving
from planning import TEMPLATES
from story import Story

from deploybot.agent import Agent
from deploybot.cli.prompts import show_prompt
from deploybot.cli.terminal import Terminal
from deploybot.models.openai import OpenAIModel
from deploybot.ports import Prompt
from deploybot.prompting import RENDERERS, build
from deploybot.thread import Thread


def prompt(thread: Thread, renderer: str = "tags") -> Prompt:
    return build(
        thread,
        templates=TEMPLATES,
        services=("backend", "frontend"),
        environments=("staging", "production"),
        renderer=renderer,
    )


def told(story: Story, made: Any) -> Any:
    """Return as much of a bot as the command needs."""
    return SimpleNamespace(store=story.store, prompt=made)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_what_is_printed_is_what_was_sent(
    renderer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = {"intent": "done_for_now", "message": "Nothing is live."}
    story = Story()
    replies = [chooses(intent="check_deployments", environment=None), chooses(**done)]
    with serving(replies) as server:
        model = OpenAIModel(model="m", base_url=server.base_url)
        story.agent = Agent(
            store=story.store,
            model=model,
            deployer=story.deployer,
            prompt=lambda thread: prompt(thread, renderer),
            clock=story.clock.clockwork,
        )
        story.person_says("how do things stand?")
        model.close()

    bot = told(story, lambda thread: prompt(thread, renderer))
    show_prompt(Terminal(as_json=True), bot, story.thread_id)

    printed = capsys.readouterr()
    assert json.loads(printed.out) == server.requests[-1]["messages"]
    assert "Before event 4, chosen by m from prompt" in printed.err
    assert "have changed since" not in printed.err


def test_it_says_when_the_templates_have_changed_since(
    capsys: pytest.CaptureFixture[str],
) -> None:
    story = Story(script=ScriptedModel()).person_says("hi")

    bot = told(story, lambda thread: replace(prompt(thread), digest="other"))
    show_prompt(Terminal(), bot, story.thread_id)

    printed = capsys.readouterr()
    assert "have changed since; they are other now" in printed.err
    assert "<message>\nfrom: ann\ntext: hi\n</message>" in printed.out
    assert printed.out.startswith("You are deploybot's deploy agent.")

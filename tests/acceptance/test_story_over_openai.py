"""The seed story with a model behind HTTP, which speaks as OpenAI's does, in place of the rules."""

from pathlib import Path

import pytest
from model_server import seed, serving

from deploybot.bootstrap import now
from deploybot.demo.company import Company
from deploybot.demo.play import Player

KEY = "a-key-of-this-test"


@pytest.mark.slow
def test_the_story_is_the_same_when_a_model_chooses(tmp_path: Path) -> None:
    with serving(seed, api_key=KEY) as model:
        environ = {
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_MODEL": "seed",
        }
        with Company(tmp_path / "company", now=now, environ=environ) as company:
            player = Player(company, say=lambda _: None)
            player._first_release()
            hands = player.hands
            events = [e for t in hands.threads() for e in hands.events(t, "step_chosen")]

    by_model = [event for event in events if event["model"] not in ("code", "command", "offline")]
    deploys = [e["step"]["service"] for e in by_model if e["step"]["intent"] == "deploy"]
    assert deploys == ["frontend", "backend", "frontend"]
    assert {event["model"] for event in by_model} == {"seed"}
    assert not [event for event in events if event["model"] == "offline"]
    assert len(model.requests) == len(by_model)

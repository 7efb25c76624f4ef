"""docs/getting-started.md, followed to its end: real processes, and a workspace made from its manifest."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from getting_started import DOCUMENT, PATIENCE, Follower, commands, words

from deploybot.demo.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Follower]:
    with Follower(tmp_path) as follower:
        yield follower


def test_following_the_document_leads_to_a_deploy_that_was_approved(ann: Follower) -> None:
    install, manifest, secrets, sample, config, doctor, serve, look = commands()
    assert "make setup" in install
    started = time.monotonic()

    for block in (manifest, secrets, sample, config):
        if block is secrets:
            ann.creates_the_app()
        done = ann.types(block)
        assert done.returncode == 0, done.stderr
    too_early = ann.types(doctor)
    assert too_early.returncode == 1
    assert "Write /invite @deploybot in it." in too_early.stdout
    ann.invites()
    checked = ann.types(doctor)
    assert checked.returncode == 0, checked.stdout
    ann.starts(serve)
    ann.says(words())
    card = until(ann.card, PATIENCE, "a card with Approve")
    assert not (ann.home / "releases").exists()
    ann.approves(card)
    until(lambda: "Live" in json.dumps(ann.messages()), PATIENCE, "the card says what is live")

    assert ann.types(look).stdout == "<h1>Hello</h1>\n"
    assert time.monotonic() - started < 15 * 60


def test_the_document_promises_no_step_that_is_not_followed() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert len(commands()) == 8
    assert text.count("```") == 2 * len(commands())

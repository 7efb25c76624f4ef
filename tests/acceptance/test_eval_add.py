"""`deploybot eval add` against a real store: a thread of real use becomes a case that plays."""

import json
from pathlib import Path

import pytest
from redis_server import running_server
from typer.testing import CliRunner

from deploybot.bootstrap import bot_from_environment
from deploybot.cli.app import app
from deploybot.errors import ThreadNotFoundError
from deploybot.events import ApiMessageReceived

CONFIG = """
[people.mlopez]
name = "Maria López"
"""


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploybot.toml").write_text(CONFIG)
    with running_server() as url:
        monkeypatch.setenv("DEPLOYBOT_CONFIG", "deploybot.toml")
        monkeypatch.setenv("DEPLOYBOT_REDIS_URL", url)
        monkeypatch.setenv("DEPLOYBOT_SECRET_KEY", "k" * 32)
        yield


def test_a_thread_of_real_use_is_saved_and_plays_as_a_case() -> None:
    bot = bot_from_environment()
    said = {"text": "thanks, Maria", "delivery": "d1", "by": "mlopez"}
    bot.inbox.hear("t1", ApiMessageReceived(at=bot.clock.now(), **said), dedupe=("d1",))
    bot.agent.advance("t1")

    saved = CliRunner().invoke(app, ["eval", "add", "t1", "--to", "mine/cases.yaml"])
    again = CliRunner().invoke(app, ["eval", "add", "t1", "--to", "mine/cases.yaml"])
    played = CliRunner().invoke(app, ["eval", "--cases", "mine", "--json"])

    assert saved.exit_code == again.exit_code == 0, saved.output
    assert "read it before you share it" in saved.output
    assert "Maria" not in Path("mine/cases.yaml").read_text()
    assert [one["passed"] for one in json.loads(played.stdout)["outcomes"]] == [True, True]


def test_a_thread_that_is_not_there_is_said_to_be_missing() -> None:
    done = CliRunner().invoke(app, ["eval", "add", "t404"])

    assert isinstance(done.exception, ThreadNotFoundError)
    assert not Path("evals").exists()

"""Where the bot is, and as whom: from settings, or from the folder of a running demo."""

import os
from pathlib import Path

import pytest

from deploybot.cli.client import Client
from deploybot.cli.connection import connect
from deploybot.cli.terminal import Terminal
from deploybot.errors import ConfigError
from deploybot.reach import FILE, Reach, write_reach

TOKENS = {"ann": "token-of-ann-12345", "ben": "token-of-ben-12345"}


def connected(monkeypatch: pytest.MonkeyPatch, *, given: dict[str, str], **how: object) -> Client:
    monkeypatch.setattr(os, "environ", given)
    return connect(Terminal(), **how)


def test_two_settings_are_enough(monkeypatch):
    given = {"DEPLOYBOT_URL": "https://bot.example/", "DEPLOYBOT_TOKEN": "mine"}

    client = connected(monkeypatch, given=given)

    assert (client.url, client.token.get_secret_value()) == ("https://bot.example", "mine")


def test_on_the_bots_own_host_its_people_are_known(monkeypatch):
    pairs = ",".join(f"{person}:{token}" for person, token in TOKENS.items())
    given = {"DEPLOYBOT_API_TOKENS": pairs, "DEPLOYBOT_PORT": "8123"}

    client = connected(monkeypatch, given=given, person="ben")

    assert (client.url, client.token.get_secret_value()) == ("http://127.0.0.1:8123", TOKENS["ben"])
    with pytest.raises(ConfigError, match="--as with one of ann, ben"):
        connected(monkeypatch, given=given)
    with pytest.raises(ConfigError, match="no token of eve"):
        connected(monkeypatch, given=given, person="eve")


def test_a_demos_folder_is_enough_and_says_who_one_is(monkeypatch, tmp_path: Path):
    write_reach(tmp_path, Reach("http://127.0.0.1:1", TOKENS, "ann"))

    named = connected(monkeypatch, given={}, state=tmp_path)
    other = connected(monkeypatch, given={}, state=tmp_path, person="ben")
    by_setting = connected(monkeypatch, given={"DEPLOYBOT_STATE_DIR": str(tmp_path)})

    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert (named.url, named.token.get_secret_value()) == ("http://127.0.0.1:1", TOKENS["ann"])
    assert other.token.get_secret_value() == TOKENS["ben"]
    assert by_setting.token.get_secret_value() == TOKENS["ann"]


def test_a_folder_that_says_nothing_is_named(monkeypatch, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"There is no .*client\.json"):
        connected(monkeypatch, given={}, state=tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1}', "\x00"])
def test_a_file_that_cannot_be_read_is_named(monkeypatch, tmp_path: Path, text: str):
    (tmp_path / FILE).write_text(text)

    with pytest.raises(ConfigError, match=r"client\.json cannot be read"):
        connected(monkeypatch, given={}, state=tmp_path)


def test_tokens_that_others_may_read_are_not_used(monkeypatch, tmp_path: Path):
    write_reach(tmp_path, Reach("http://127.0.0.1:1", TOKENS, "ann"))
    (tmp_path / FILE).chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        connected(monkeypatch, given={}, state=tmp_path)


def test_without_a_token_it_is_said_which_setting_is_missing(monkeypatch, tmp_path: Path):
    given = {"DEPLOYBOT_URL": "https://bot.example", "DEPLOYBOT_STATE_DIR": str(tmp_path)}

    with pytest.raises(ConfigError, match=r"^DEPLOYBOT_TOKEN is not set"):
        connected(monkeypatch, given=given)


@pytest.mark.parametrize("token", ["tök", "a b", "a\x1bb", "a\nb"])
def test_a_token_that_cannot_be_one_is_not_sent(monkeypatch, token: str):
    given = {"DEPLOYBOT_URL": "https://bot.example", "DEPLOYBOT_TOKEN": token}

    with pytest.raises(ConfigError, match="copy it anew"):
        connected(monkeypatch, given=given)

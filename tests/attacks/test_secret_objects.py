"""Every object that is built of settings full of canaries, looked at in every way that prints."""

import copy
import dataclasses
import json
import pickle
import traceback
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from attacks.siege import CANARIES, LEAKS
from model_server import chooses, serving
from pydantic import BaseModel, SecretStr
from redis_server import running_server

from deploy.secret import Secret
from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.config import Settings
from deploybot.web.app import create_app, deps_of

TOML = """
[people.ann]
name = "Ann"
slack = "U0ANN"
email = "ann@shop.example"
[slack]
channel = "C0DEPLOYS"
[[models]]
name = "large"
base_url = "{model}"
api_key_env = "LARGE_KEY"
[repositories.shop]
path = "nowhere"
[services.backend]
repository = "shop"
target = {{ kind = "releases", base = "releases", minimum_free_bytes = 0 }}
[environments.staging]
automatic = true
services = {{ backend = {{}} }}
"""
OURS = ("deploybot", "deploy", "workers")


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    folder = tmp_path_factory.mktemp("objects")
    with running_server() as url, serving([chooses(intent="nothing_to_do")]) as model:
        (folder / "deploybot.toml").write_text(TOML.format(model=model.base_url))
        given = {
            "DEPLOYBOT_CONFIG": str(folder / "deploybot.toml"),
            "DEPLOYBOT_STATE_DIR": str(folder / "state"),
            "DEPLOYBOT_REDIS_URL": url,
            "DEPLOYBOT_API_TOKENS": f"ann:{CANARIES['DEPLOYBOT_API_TOKENS']}",
            "DEPLOYBOT_SMTP_URL": f"smtp://bot:{CANARIES['DEPLOYBOT_SMTP_URL']}@mx.example:587",
            "DEPLOYBOT_IMAP_URLS": f"imaps://bot:{CANARIES['DEPLOYBOT_IMAP_URLS']}@mx.example/INBOX",
            "DEPLOYBOT_EMAIL_ADDRESS": "deploybot@bot.example",
            "SLACK_CLIENT_ID": "1.2",
            "LARGE_KEY": CANARIES["OPENAI_API_KEY"],
        }
        yield bot_from_environment(CANARIES | given)


def walked(*roots: object) -> list[object]:
    """Return every object of ours that can be reached, through attributes and containers."""
    found: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in found or isinstance(thing, str | bytes | int | float | type | None):
            continue
        found[id(thing)] = thing
        match thing:
            case dict():
                waiting += [*thing.keys(), *thing.values()]
            case list() | tuple() | set() | frozenset():
                waiting += thing
            case _ if type(thing).__module__.partition(".")[0] in OURS:
                waiting += parts(thing)
    return [x for x in found.values() if type(x).__module__.partition(".")[0] in OURS]


def parts(thing: object) -> Iterator[object]:
    yield from vars(thing).values() if hasattr(thing, "__dict__") else ()
    for name in getattr(type(thing), "__slots__", ()):
        if hasattr(thing, name):
            yield getattr(thing, name)
    if is_dataclass(thing):
        yield from (getattr(thing, one.name) for one in fields(thing))


def printed(thing: Any) -> Iterator[str]:
    """Yield what the usual ways of printing make of a thing; those that refuse it are fine."""
    yield from (repr(thing), str(thing), f"{thing}")
    ways = [lambda: json.dumps(thing, default=str)]
    ways += [lambda: repr(pickle.dumps(thing))]
    if is_dataclass(thing):
        ways += [lambda: repr(shallow(thing)), lambda: repr(dataclasses.asdict(thing))]
    if isinstance(thing, BaseModel):
        ways += [thing.model_dump_json, lambda: repr(thing.model_dump())]
    for way in ways:
        try:
            yield way()
        except Exception as error:  # noqa: BLE001 - what refuses to print prints nothing but this
            yield "".join(traceback.TracebackException.from_exception(error).format())


def shallow(thing: Any) -> dict[str, object]:
    return {one.name: copy.copy(getattr(thing, one.name)) for one in fields(thing)}


def test_nothing_that_is_built_prints_a_secret(bot: Bot) -> None:
    things = walked(bot, create_app(bot).state, deps_of(bot))

    assert {"Settings", "SlackChannel", "EmailChannel", "OpenAIModel", "WatchedStore", "Deps"} <= {
        type(thing).__name__ for thing in things
    }
    leaks = [
        (type(thing).__name__, leak)
        for thing in things
        for text in printed(thing)
        for leak in LEAKS
        if leak in text
    ]
    assert leaks == []


def test_every_setting_that_is_a_secret_is_kept_as_one(bot: Bot) -> None:
    settings = bot.settings
    plain = [
        one.name
        for one in fields(Settings)
        if any(leak in repr(getattr(settings, one.name)) for leak in LEAKS)
    ]
    secret = [
        one.name for one in fields(Settings) if isinstance(getattr(settings, one.name), SecretStr)
    ]

    assert plain == []
    assert len(secret) >= 12
    assert all(isinstance(getattr(settings, name), Secret) for name in secret)


def test_an_exception_that_carries_them_says_nothing(bot: Bot) -> None:
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError(bot.settings, bot.channels, bot.mail)

    error = raised.value
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(told.format()) + repr(error) + str(error) + repr(error.args)

    assert [leak for leak in LEAKS if leak in text] == []

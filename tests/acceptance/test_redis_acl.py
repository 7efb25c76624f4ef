"""A whole bot on a Redis that gives it no more than `docs/redis-acl.example` says, and what it then cannot do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from acl_server import EXAMPLE, Guarded, guarded_server
from shop import ROOT
from small_company import Company

from deploybot.redis_safety import client

ALLOWED = set(re.findall(r" \+([a-z|]+)", EXAMPLE.read_text("utf-8").splitlines()[1]))
IN_PYTHON = re.compile(r"\b(?:_redis|connection|pipe|together|script)\.([a-z_]+)\(")
IN_SCRIPTS = re.compile(r"redis\.call\('([A-Z]+)'")
CALLED = {"delete": "del", "xinfo_stream": "xinfo|stream", "scan_iter": "scan"}
OF_THE_CLIENT = {
    *("close", "execute", "pipeline", "register_script"),
    "config_get",  # refused, and the start goes on without
    *("request", "getresponse"),  # of HTTP
}


@dataclass(frozen=True)
class Installation:
    company: Company
    store: Guarded


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with guarded_server() as store:
        company = Company(tmp_path_factory.mktemp("guarded"), store.bot_url)
        try:
            company.start("workers")
            company.start("web")
            yield Installation(company, store)
        finally:
            company.stop()


@pytest.fixture(scope="module")
def bot(installation: Installation) -> Iterator[redis.Redis]:
    connection = client(installation.store.bot_url)
    yield connection
    connection.close()


@pytest.mark.slow
def test_a_bot_with_these_rights_alone_deploys_what_was_approved(
    installation: Installation,
) -> None:
    company = installation.company
    asked = company.does("eve", "ask", "--json", "deploy backend main to production")
    thread = re.findall(r'"id": "(t[0-9a-f]{16})"', asked.stdout)[0]
    company.kill("workers")
    company.start("workers")

    approved = company.does("ben", "approve", thread, "--yes", "--follow")
    locked = company.does("mia", "lock", "frontend", "staging", "--reason", "a test")
    audited = company.run("audit")

    assert asked.returncode == 4, asked.stderr
    assert approved.returncode == 0, approved.stderr
    assert locked.returncode == 0, locked.stderr
    assert "every seal holds" in audited.stdout
    refused = {str(entry["object"]) for entry in installation.store.operator.acl_log()}
    assert refused <= {"config|get"}, refused


@pytest.mark.slow
def test_that_its_settings_are_not_for_it_to_read_is_said_at_the_start(
    installation: Installation,
) -> None:
    for process in ("web", "workers"):
        log = installation.company.log(process)
        assert "this user may not read appendfsync (CONFIG is refused to it)" in log, process


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["FLUSHALL"],
        ["FLUSHDB"],
        ["CONFIG", "SET", "appendonly", "no"],
        ["CONFIG", "GET", "*"],
        ["CONFIG", "REWRITE"],
        ["SHUTDOWN", "NOSAVE"],
        ["REPLICAOF", "127.0.0.1", "1"],
        ["MODULE", "LIST"],
        ["FUNCTION", "FLUSH"],
        ["SCRIPT", "FLUSH"],
        ["ACL", "SETUSER", "deploybot", "+@all"],
        ["ACL", "LIST"],
        ["CLIENT", "LIST"],
        ["CLIENT", "KILL", "TYPE", "normal"],
        ["MONITOR"],
        ["KEYS", "*"],
        ["SAVE"],
        ["BGREWRITEAOF"],
        ["SWAPDB", "0", "1"],
        ["MIGRATE", "127.0.0.1", "1", "deploybot:threads", "0", "10"],
        ["RESTORE", "deploybot:x", "0", "x"],
        ["GET", "somebody:else"],
        ["SET", "somebody:else", "1"],
        ["DEL", "somebody:else"],
        ["RENAME", "deploybot:threads", "somebody:else"],
        ["LMOVE", "rq:queue:threads", "somebody:else", "LEFT", "LEFT"],
        ["XDEL", "deploybot:thread:t1", "1-0"],
        ["XTRIM", "deploybot:thread:t1", "MAXLEN", "0"],
        ["PUBLISH", "somebody:else", "1"],
        ["SUBSCRIBE", "somebody:else"],
        ["EVAL", "return redis.call('GET', 'somebody:else')", "0"],
        ["EVAL", "return redis.call('FLUSHALL')", "0"],
    ],
    ids=" ".join,
)
def test_it_may_do_nothing_else(bot: redis.Redis, installation: Installation, words: list[str]):
    installation.store.operator.set("somebody:else", "theirs")

    with pytest.raises(redis.ResponseError, match=r"(?i)no permissions?|NOPERM|ACL failure"):
        bot.execute_command(*words)

    assert installation.store.operator.get("somebody:else") == b"theirs"
    assert installation.store.operator.exists("deploybot:threads") in (0, 1)


@pytest.mark.slow
def test_without_the_password_nobody_is_let_in(installation: Installation) -> None:
    socket = installation.store.bot_url.partition("@")[2]

    for url in (f"unix://{socket}", f"unix://deploybot:wrong@{socket}"):
        with pytest.raises(redis.AuthenticationError):
            client(url).get("deploybot:threads")


def test_every_command_that_the_code_gives_is_allowed() -> None:
    python = [p for folder in ("deploybot", "workers") for p in (ROOT / folder).rglob("*.py")]
    scripts = list((ROOT / "deploybot/store_scripts").glob("*.lua"))

    methods = {name for path in python for name in IN_PYTHON.findall(path.read_text("utf-8"))}
    methods = {name for name in methods if hasattr(redis.Redis, name)} - OF_THE_CLIENT
    commands = {CALLED.get(name, name) for name in methods}
    commands |= {name.lower() for p in scripts for name in IN_SCRIPTS.findall(p.read_text("utf-8"))}

    assert len(commands) > 35
    assert commands - ALLOWED == set()


def test_the_example_gives_the_bot_its_own_keys_and_no_dangerous_command() -> None:
    first, ours, operator = EXAMPLE.read_text("utf-8").splitlines()

    assert first == "user default off"
    assert " ~deploybot:* ~rq:* " in ours
    assert " -@all " in ours
    assert not ALLOWED & {"flushall", "config", "config|get", "keys", "acl", "xdel", "xtrim"}
    assert operator.endswith("+@all")


def test_the_documentation_shows_how_to_use_it() -> None:
    text = Path(ROOT / "docs" / "redis.md").read_text("utf-8")

    assert "redis-acl.example" in text
    assert "rediss://deploybot:" in text

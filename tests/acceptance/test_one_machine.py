"""`deploybot serve --with-worker`: one machine, no Redis given, and the commands beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from redis_server import wait_until
from shop import Shop

from deploy.free_ports import free_ports

TOKEN = "a-token-for-ann-alone"


class Machine:
    """One machine with a configuration and a running `serve --with-worker`."""

    def __init__(self, folder: Path) -> None:
        shop = Shop(folder)
        (self.port,) = free_ports(1)
        config = folder / "deploybot.toml"
        config.write_text(
            f"""
[people.ann]
name = "Ann"
[people.ben]
name = "Ben"
[repositories.shop]
path = "{shop.repository.path}"
[services.backend]
repository = "shop"
path = "backend"
target = {{ kind = "releases", base = "releases", minimum_free_bytes = 0 }}
[environments.staging]
automatic = true
services = {{ backend = {{}} }}
"""
        )
        self.environ = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - for a child
            "DEPLOYBOT_CONFIG": str(config),
            "DEPLOYBOT_STATE_DIR": str(folder / "state"),
            "DEPLOYBOT_PORT": str(self.port),
            "DEPLOYBOT_API_TOKENS": f"ann:{TOKEN}",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploybot", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, {}
        finally:
            connection.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("m")
    machine = Machine(folder)
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploybot", "serve", "--with-worker"],
        env=machine.environ,
        stdout=log,
        stderr=log,
    )
    try:
        wait_until(lambda: process.poll() is not None or machine.call("GET", "/readyz")[0] == 200)
        assert process.poll() is None, (folder / "log").read_text()
        yield machine
    finally:
        process.terminate()
        process.wait(40)
        log.close()
    assert process.returncode == 0, (folder / "log").read_text()


def test_a_question_over_the_api_is_answered_by_the_workers(machine):
    status, started = machine.call("POST", "/api/threads", {"text": "what's live?"})
    assert status == 201

    wait_until(lambda: machine.call("GET", f"/api/threads/{started['id']}")[1]["status"] == "done")

    last = machine.call("GET", f"/api/threads/{started['id']}")[1]["events"][-1]
    assert last["kind"] == "finished"
    assert "staging" in last["message"]


def test_a_deploy_where_nobody_needs_to_approve_goes_live(machine):
    _, started = machine.call("POST", "/api/threads", {"text": "deploy backend main to staging"})

    def kinds() -> list[str]:
        thread = machine.call("GET", f"/api/threads/{started['id']}")[1]
        return [event["kind"] for event in thread["events"]]

    wait_until(lambda: "deploy_succeeded" in kinds(), 40)


def test_threads_and_show_tell_what_the_store_holds(machine):
    _, started = machine.call("POST", "/api/threads", {"text": "hello there"})
    wait_until(lambda: machine.call("GET", f"/api/threads/{started['id']}")[1]["status"] == "done")

    listed = json.loads(machine.run("threads", "--json").stdout)
    shown = machine.run("show", started["id"])
    as_json = json.loads(machine.run("show", started["id"], "--json").stdout)
    prompt = machine.run("show", started["id"], "--prompt")

    assert started["id"] in [row["id"] for row in listed["threads"]]
    assert "hello there" in shown.stdout
    assert as_json["events"][0]["text"] == "hello there"
    assert "hello there" in prompt.stdout


def test_an_unknown_thread_is_one_sentence_and_exit_code_one(machine):
    shown = machine.run("show", "t-nowhere")

    assert shown.returncode == 1
    assert shown.stderr.startswith("There is no thread 't-nowhere'")
    assert shown.stderr.count("\n") == 1


def test_a_second_owner_of_the_state_folder_is_refused_in_one_sentence(machine):
    second = machine.run("serve")

    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_doctor_finds_what_is_missing_and_says_how_to_mend_it(machine):
    found = machine.run("doctor")

    assert "describes 1 services in 1 environments" in found.stdout
    assert "set SLACK_BOT_TOKEN" in found.stdout
    assert found.returncode == 0


def test_a_wrong_setting_stops_the_start_with_one_line(machine):
    machine_too = Machine.__new__(Machine)
    machine_too.environ = {**machine.environ, "DEPLOYBOT_PORT": "many"}

    ended = machine_too.run("serve")

    assert ended.returncode == 2
    assert ended.stderr.startswith("DEPLOYBOT_PORT is wrong: it is not a number.")


def test_the_manifest_names_where_slack_reaches_the_bot(machine):
    printed = json.loads(machine.run("manifest", "--url", "https://bot.example.com").stdout)

    url = printed["settings"]["event_subscriptions"]["request_url"]
    assert url == "https://bot.example.com/slack/events"

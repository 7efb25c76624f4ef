"""A whole company whose every secret is a canary, and a build that prints them: where do they turn up?"""

import base64
import http.client
import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from attacks.test_secrets import _value
from model_server import Reply
from open_company import (
    EMAIL,
    GITHUB,
    GITHUB_TOKEN,
    KEY,
    SEAL,
    SLACK,
    SLACK_TOKEN,
    TAIL,
    OpenCompany,
    open_company,
    token_of,
)
from otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.slow

METRICS = f"CANARY-metrics/+&{TAIL}"
TRACES = f"CANARY traces={TAIL}"
SECRETS = (
    *(SLACK, GITHUB, EMAIL, KEY, SEAL, SLACK_TOKEN, GITHUB_TOKEN, METRICS, TRACES),
    *(token_of(person) for person in ("ann", "ben", "eve")),
)
FORMS = {
    "plain": str,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of more": lambda secret: base64.b64encode(f"user:{secret}\n".encode()).decode(),
    "base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
    "HEX": lambda secret: secret.encode().hex().upper(),
    "in an address": lambda secret: quote(secret, safe=""),
    "in JSON": lambda secret: json.dumps({"key": secret}),
    "in a command": lambda secret: f"curl -H 'Authorization: Bearer {secret}' --fail",
}
LEAKS = (
    TAIL,
    TAIL.encode().hex(),
    TAIL.encode().hex().upper(),
    *(base64.b64encode(b"_" * n + TAIL.encode()).decode()[8:-8] for n in range(3)),
)
CONFIGURATION = """
[slack]
channel = "C0DEPLOYS"
[people]
ann = { name = "Ann", slack = "U0ANN", email = "ann@shop.example" }
ben = { name = "Ben", slack = "U0BEN", email = "ben@shop.example", mail_me = true }
eve = { name = "Eve", slack = "U0EVE", email = "eve@shop.example", mail_me = true }
[repositories]
shop = { path = "{folder}/shop.git", github = "harbour/shop" }
[services.backend]
repository = "shop"
path = "backend"
target = { kind = "releases", base = "{folder}/releases", build = [["sh", "{folder}/noise/leak.sh"]], minimum_free_bytes = 0 }
[environments.production]
approvers = ["ann", "ben"]
services = { backend = {} }
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Let the build fail, printing some of the secrets each time, until all were; return every sink."""
    folder = tmp_path_factory.mktemp("canaries")
    script = folder / "noise" / "leak.sh"
    script.parent.mkdir()
    lines = [f"{name}: {form(one)}" for name, form in FORMS.items() for one in SECRETS]
    with OtlpReceiver() as traces:
        more = {
            "DEPLOYBOT_METRICS_TOKEN": METRICS,
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={TRACES}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "DEPLOYBOT_LOG_LEVEL": "debug",
        }
        with open_company(folder, CONFIGURATION, more) as company:
            company.answering.with_ = lambda _: Reply(
                {"error": {"message": f"Incorrect API key: {KEY}", "code": KEY}}, 401
            )
            for at in range(0, len(lines), 18):  # as many as the end of an output that is shown
                printed = "".join(f"echo {shlex.quote(line)}\n" for line in lines[at : at + 18])
                script.write_text(f"{printed}exit 1\n")
                failed_deploy(company)
            company.ask("eve", f"what would you do with the key {KEY}?")
            company.until(lambda: traces.requests > 2, "traces arrive")
            yield sinks(company, script) | {
                "traces": repr(traces.spans),
                "lines": str(len(lines)),
            }


def failed_deploy(company: OpenCompany) -> None:
    thread = company.ask("eve", "deploy backend main to production")
    company.slack(company.click("ben", "approve", thread))
    thread = company.again(thread)
    assert "deploy_failed" in [event.kind for event in thread.events]


def sinks(company: OpenCompany, script: Path) -> dict[str, str]:
    """Return everything that the company wrote, showed, sent or answered."""
    found = {}
    for key in company.connection.scan_iter():
        with suppress(AssertionError):  # it has expired meanwhile
            found[f"redis {key.decode()}"] = repr(_value(company.connection, key))
    for path in company.folder.rglob("*"):
        if path.is_file() and script.parent not in path.parents and "shop.git" not in path.parts:
            found[f"file {path.relative_to(company.folder)}"] = path.read_bytes().decode("latin-1")
    workspace = company.world.workspace
    with workspace.lock:
        shown = [
            where.shape(workspace.settings, message, with_metadata=True)
            for where in workspace.conversations.by_id.values()
            for message in where.messages.values()
            if message.user != "U0EVE"
        ]
    found["slack"] = json.dumps(shown, default=str)
    found["mail"] = "\n".join(mail.model_dump_json() for mail in workspace.mailbox.all())
    found["model"] = json.dumps(company.models.requests)
    found["metrics"] = get(company, "/metrics", METRICS)
    for name in ("/api/threads", "/api/environments"):
        found[f"api {name}"] = get(company, name, token_of("ann"))
    for row in json.loads(found["api /api/threads"])["threads"]:
        path = f"/api/threads/{row['id']}"
        found[f"api {path}"] = get(company, path, token_of("ann"))
    return found


def get(company: OpenCompany, path: str, token: str) -> str:
    connection = http.client.HTTPConnection(company.url.removeprefix("http://"), timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def test_the_build_did_print_them_and_the_end_of_its_output_was_kept(told: dict[str, str]) -> None:
    assert int(told["lines"]) >= 100
    for name in ("slack", "mail"):
        assert "ended with exit code 1" in told[name], name
    kept = "".join(text for name, text in told.items() if name.startswith("redis"))
    assert kept.count("[secret removed]") >= 50
    assert {name.split()[0] for name in told} >= {
        *("redis", "file", "slack", "mail", "model", "metrics", "api", "traces"),
    }
    assert len(told["traces"]) > 1000
    assert "deploybot_deploys" in told["metrics"]


def test_no_canary_is_in_any_sink_in_any_form(told: dict[str, str]) -> None:
    found = {
        (name, leak, text[max(0, text.find(leak) - 80) : text.find(leak) + 40])
        for name, text in told.items()
        for leak in LEAKS
        if leak in text
    }

    assert found == set()

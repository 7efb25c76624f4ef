"""A flood of garbage at every inbound route: nobody gets an error of ours, and real requests are answered."""

import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest
from letters import raw_mail
from redis_server import running_server
from shop import ROOT
from slack_bot import said, signed
from small_company import TOKENS, Company

from deploybot.inbound.email_delivery import sign
from deploybot.quiet import WINDOW

pytestmark = pytest.mark.slow

SLACK, GITHUB, EMAIL = "s" * 32, "g" * 32, "e" * 32
RATE, WARM, SHORT, LONG = 1000, 2.0, 4.0, 60.0
ROOM = 1.2
"""How much larger the process may be after the flood than before."""
LINES = 2500
"""Lines that a window of the log has room for, whatever comes."""
ALLOWED = {200, 202, 303, 307, 308, 400, 401, 403, 404, 405, 413, 415, 422, 429, 431}


@dataclass
class Genuine:
    """People and systems that go on working while others flood; each request is counted."""

    company: Company
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest: float = 0.0
    sent: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(0.1):
            for one in (self.mention, self.push, self.mail, self.ask):
                started = time.monotonic()
                self.statuses[one.__name__, one()] += 1
                self.slowest = max(self.slowest, time.monotonic() - started)
            self.sent += 1

    def mention(self) -> int:
        ts = f"{time.time():.6f}"
        body = json.dumps(said("<@U0DEPLOYBOT> what's live?", ts=ts)).encode()
        return self._post("/slack/events", body, signed(body, int(time.time()), SLACK))

    def push(self) -> int:
        body = json.dumps({"repository": {"full_name": "o/r"}, "ref": "refs/heads/x"}).encode()
        mac = hmac.new(GITHUB.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid4()),
            "X-Hub-Signature-256": f"sha256={mac}",
        }
        return self._post("/github/webhook", body, headers)

    def mail(self) -> int:
        raw = raw_mail("what's live?", message_id=f"<{uuid4()}@shop.example>")
        return self._post("/email/inbound", raw, sign(EMAIL, int(time.time()), raw))

    def ask(self) -> int:
        headers = {"Authorization": f"Bearer {TOKENS['ann']}", "Content-Type": "application/json"}
        headers["Idempotency-Key"] = uuid4().hex
        return self._post("/api/threads", b'{"text": "what is live?"}', headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        connection = HTTPConnection(self.company.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with running_server() as url:
        company = Company(tmp_path_factory.mktemp("flooded"), url)
        company.settings |= {
            "SLACK_SIGNING_SECRET": SLACK,
            "SLACK_BOT_TOKEN": "xoxb-nobody-calls",
            "GITHUB_WEBHOOK_SECRET": GITHUB,
            "DEPLOYBOT_EMAIL_ADDRESS": "deploybot@bot.example",
            "DEPLOYBOT_EMAIL_SECRET": EMAIL,
            "DEPLOYBOT_EMAIL_AUTHSERV_ID": "mx.bot.example",
            "DEPLOYBOT_API_WRITES": "100000/minute",
        }
        try:
            company.start("web")
            yield company
        finally:
            company.stop()


def flooded(company: Company, seconds: float, seed: int) -> dict[str, Any]:
    """Flood it for so long; return what was sent and answered."""
    place = company.url.removeprefix("http://")
    argv = [sys.executable, str(ROOT / "tests" / "flood.py"), place, str(seconds), str(RATE)]
    done = subprocess.run(
        [*argv, str(seed)], check=False, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def size(company: Company) -> int:
    """Return how much memory the web process holds, in kilobytes."""
    status = Path(f"/proc/{company._running['web'].pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def it_holds(company: Company, seconds: float) -> dict[str, Any]:
    """Flood a process that is warm, and check what must hold; return the figures."""
    flooded(company, WARM, seed=1)
    before, lines = size(company), company.log("web").count("\n")
    with Genuine(company) as genuine:
        told = flooded(company, seconds, seed=2)
    after = size(company)

    assert set(map(int, told["statuses"])) <= ALLOWED, told
    assert set(genuine.statuses) == {
        ("mention", 200),
        ("push", 202),
        ("mail", 202),
        ("ask", 201),
    }, genuine.statuses
    assert after / before < ROOM
    windows = 2 + seconds / WINDOW
    assert company.log("web").count("\n") - lines < LINES * windows
    figures = {"memory": round(after / before, 3), "genuine": 4 * genuine.sent}
    return told | figures | {"genuine_slowest": round(genuine.slowest, 3)}


def test_a_flood_gets_no_error_of_ours_and_keeps_nobody_else_from_being_heard(
    company: Company,
) -> None:
    told = it_holds(company, SHORT)

    assert told["sent"] > 200
    assert told["genuine"] >= 4


@pytest.mark.long
def test_a_thousand_a_second_for_a_minute(company: Company) -> None:
    told = it_holds(company, LONG)

    print(json.dumps(told))  # noqa: T201 - what `make flood` is for
    assert told["rate"] > 0.8 * RATE  # on a machine that does much else besides

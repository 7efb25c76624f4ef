"""Everybody at once, over the real web process, store, workers and targets: one of them counts."""

import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from faults.lean_company import GITHUB_SECRET, LeanCompany, now, token_of
from slack_bot import served

from deploybot.approvals import ApprovalRequest
from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.events import ApprovalGranted
from deploybot.inbox import REFUSALS_KEPT
from deploybot.thread import thread_id_for
from deploybot.web.app import create_app

T = TypeVar("T")
pytestmark = pytest.mark.slow


class Web:
    """The bot's web process, and its callers."""

    def __init__(self, company: LeanCompany, bot: Bot, url: str) -> None:
        self.company = company
        self.bot = bot
        self._place = urlsplit(url).netloc

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection(self._place, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, {"Content-Type": "application/json"} | named)
        response = connection.getresponse()
        status, text = response.status, response.read()
        connection.close()
        return status, json.loads(text)

    def decide(
        self, request: ApprovalRequest, by: str, *, approved: bool = True
    ) -> tuple[int, dict[str, Any]]:
        body = {
            "request": request.id, "digest": request.digest, "approved": approved,
            "comment": "" if approved else "not now",
        }  # fmt: skip
        bearer = {"Authorization": f"Bearer {token_of(by)}"}
        path = f"/api/threads/{request.thread}/decision"
        return self.post(path, json.dumps(body).encode(), **bearer)

    def push(self, before: str, after: str) -> tuple[int, dict[str, Any]]:
        body = json.dumps(
            {
                "ref": "refs/heads/main",
                "before": before,
                "after": after,
                "repository": {"full_name": "harbour/shop"},
                "sender": {"login": "eve"},
                "head_commit": {"message": "Add a thing"},
            }
        ).encode()
        signature = hmac.digest(GITHUB_SECRET.encode(), body, "sha256").hex()
        return self.post(
            "/github/webhook", body, X_GitHub_Event="push", X_GitHub_Delivery=after,
            X_Hub_Signature_256=f"sha256={signature}",
        )  # fmt: skip

    def proposed(self) -> ApprovalRequest:
        """Let Eve merge, staging pass and the bot propose; return what people are asked."""
        repository = self.company.repository
        before = repository.head()
        after = repository.merge_good(now())
        status, answer = self.push(before, after)
        assert status == 202
        words = f"deploy SHA {after[:7]} to production"
        thread = thread_id_for(f"handed-over:{answer['thread']}:{words}")

        def request() -> ApprovalRequest | None:
            return self.company.store.load(thread).standing.request

        self.company.until(request, "the bot asks for approval")
        found = request()
        assert found is not None
        return found

    def live_or_denied(self, request: ApprovalRequest) -> None:
        """Wait until nothing more will come of the request."""
        ends = {"deploy_succeeded", "approval_denied"}
        self.company.until(lambda: ends & self.kinds(request.thread).keys(), "it is over")

    def kinds(self, thread: str) -> Counter[str]:
        return Counter(event.kind for event in self.company.store.load(thread).events)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with LeanCompany(tmp_path_factory.mktemp("lean"), armed=False) as company:
        bot = bot_from_environment(company.environ)
        with served(create_app(bot)) as url:
            yield Web(company, bot, url)


def together(calls: list[Callable[[], T]]) -> list[T]:
    """Let all of them begin at the same moment; return what each came to."""
    start = threading.Barrier(len(calls))

    def call(one: Callable[[], T]) -> T:
        start.wait(30)
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


@pytest.mark.row(29)
def test_fifty_deliveries_of_one_push_at_once_are_one_event(web: Web) -> None:
    before = web.company.repository.head()
    after = web.company.repository.merge_good(now())

    answers = together([lambda: web.push(before, after)] * 50)

    assert sorted(status for status, _ in answers) == [200] * 49 + [202]
    (thread,) = {answer["thread"] for status, answer in answers if status == 202}
    web.company.until(lambda: web.kinds(thread)["finished"], "the pipeline ends")
    assert web.kinds(thread)["branch_updated"] == 1
    assert web.kinds(thread)["deploy_started"] == 2


def test_of_two_approvals_at_once_one_counts_and_the_other_is_told_who_was_first(web: Web) -> None:
    request = web.proposed()

    answers = together([lambda: web.decide(request, "ann"), lambda: web.decide(request, "ben")])
    web.live_or_denied(request)

    first, second = sorted(answers, key=lambda answer: answer[0])
    assert (first[0], second[0]) == (200, 409)
    (granted,) = [
        event
        for event in web.company.store.load(request.thread).events
        if isinstance(event, ApprovalGranted)
    ]
    assert f"already approved by {granted.by.title()}" in second[1]["detail"]
    assert web.company.begun()[request.id] == 1


@pytest.mark.row(30)
def test_of_many_yeses_and_noes_at_once_at_most_one_yes_counts_and_a_no_stops_all(
    web: Web,
) -> None:
    request = web.proposed()

    def says(by: str, *, approved: bool) -> Callable[[], tuple[int, Any]]:
        return lambda: web.decide(request, by, approved=approved)

    answers = together(
        [says(by, approved=yes) for by in ("ann", "ben") for yes in (True, False)] * 5
    )
    web.live_or_denied(request)

    kinds = web.kinds(request.thread)
    assert {status for status, _ in answers} <= {200, 409}
    assert kinds["approval_granted"] <= 1
    assert kinds["approval_denied"] <= 1
    accepted = [status for status, _ in answers].count(200)
    assert accepted == kinds["approval_granted"] + kinds["approval_denied"]
    assert web.company.begun()[request.id] == (0 if kinds["approval_denied"] else 1)


@pytest.mark.row(33)
def test_of_many_workers_at_one_approved_change_one_deploys_it(web: Web) -> None:
    request = web.proposed()
    operate = web.bot.operator.operate

    assert web.decide(request, "ben")[0] == 200
    together([lambda: operate(request.thread)] * 8)
    web.live_or_denied(request)

    assert web.company.begun()[request.id] == 1
    assert web.kinds(request.thread)["deploy_started"] == 1


def test_twenty_late_clicks_at_once_are_refused_in_words_and_change_nothing(web: Web) -> None:
    request = web.proposed()
    assert web.decide(request, "ben", approved=False)[0] == 200

    answers = together([lambda: web.decide(request, "ann")] * 20)

    assert {status for status, _ in answers} == {409}
    assert all("already denied by Ben" in answer["detail"] for _, answer in answers)
    assert web.kinds(request.thread)["approval_granted"] == 0
    assert web.kinds(request.thread)["answer_refused"] == REFUSALS_KEPT
    assert web.company.begun()[request.id] == 0

"""The web process, killed in the middle of a POST that is then sent again: done once, and answered."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from web_process import PATIENCE, SECRET_KEY, WebProcess, lone_web_process

from deploybot.demo.waiting import until
from deploybot.events import ApiMessageReceived, QuestionAsked
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from deploybot.thread import Status

pytestmark = pytest.mark.slow

NUMBERS = count(1)
CALLS: dict[str, dict[str, Any]] = {
    "": {"text": "deploy backend"},
    "decision": {"request": "q1", "approved": True},
    "cancel": {"reason": "not today"},
    "fork": {"at": 2},
}
"""Each call and what is sent; a fork appends twice, the others once."""
LEAVES = {
    "": "api_message_received",
    "decision": "answered",
    "cancel": "cancelled",
    "fork": "fork_made",
}


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (tests have no bootstrap)


class Scene:
    """A web process that can be killed, and its store seen from outside."""

    def __init__(self, web: WebProcess, url: str) -> None:
        self.web = web
        self.connection = client(url)
        self.store = RedisStore(self.connection, key=SECRET_KEY.encode(), now=now)

    def asked(self) -> str:
        """Return a new thread in which a question is open."""
        thread = self.store.load(f"t{next(NUMBERS)}")
        said = ApiMessageReceived(at=now(), by="ann", delivery=f"d:{thread.id}", text="deploy it")
        asked = QuestionAsked(at=now(), by="agent:deploy", question_id="q1", question="Sure?")
        self.store.append(thread, said, asked, wake=False)
        return thread.id

    def kinds(self, thread_id: str) -> list[str]:
        return [event.kind for event in self.store.load(thread_id).events]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with lone_web_process(tmp_path_factory.mktemp("w")) as (web, url):
        yield Scene(web, url)


@pytest.mark.row(8)
@pytest.mark.parametrize(
    ("call", "point"),
    [
        ("", "store.append.before:kill@1"),
        ("", "store.append.after:kill@1"),
        ("decision", "store.append.after:kill@1"),
        ("cancel", "store.append.after:kill@1"),
        ("fork", "store.append.after:kill@1"),
        ("fork", "store.append.after:kill@2"),
    ],
)
def test_a_call_whose_web_process_died_in_the_middle_is_done_once_when_it_is_sent_again(
    scene: Scene, call: str, point: str
) -> None:
    thread_id = scene.asked()
    before = scene.kinds(thread_id)
    path = f"/api/threads/{thread_id}/{call}" if call else "/api/threads"
    key, body = f"k-{thread_id}", CALLS[call]

    scene.web.failing.arm(point)
    lost, _ = scene.web.call("POST", path, body, key=key)
    until(lambda: scene.web.has_died, PATIENCE, "the web process dies")
    died = len(scene.web.failing.happened)
    scene.web.failing.arm()
    scene.web.start()
    answers = [scene.web.call("POST", path, body, key=key) for _ in range(3)]

    about = thread_id if call else answers[0][1]["id"]
    left = scene.kinds(about)[len(before) if call else 0 :]
    assert (lost, died) == (0, 1)
    assert answers[0][0] in {200, 201, 202}
    assert answers == [answers[0]] * 3
    assert left == [LEAVES[call]]
    if call == "fork":
        fork = scene.store.load(answers[0][1]["id"])
        assert [event.kind for event in fork.events] == [*before, "forked"]
        assert fork.status is Status.DONE
    other = {**body, "text": "x"} if "text" in body else {**body, "reason": "another"}
    assert scene.web.call("POST", path, other, key=key)[0] in {409, 422}
    assert scene.kinds(about)[len(before) if call else 0 :] == left

"""The seed story's threads, cut at a number of events that a chat would show as messages.

One person asks for the latest release, names a tag that does not exist, is denied, ships both
services and asks what else there is: real turns, with commits and tags as git gives them.
"""

from typing import Any

from planning import Play

from deploybot.events import (
    ApprovalRequested,
    DeployStarted,
    Event,
    Finished,
    Forked,
    Paused,
    QuestionAsked,
    Resumed,
)
from deploybot.next_step import Deploy, DoneForNow, ListGitCommits, ListGitTags, NextStep
from deploybot.ports import Choice, Prompt
from deploybot.thread import Thread

COMMITS = [
    (
        "4af9ec0d7c51",
        "Dana Reyes",
        "2026-03-02 09:41",
        "Merge pull request #482: org-scoped routes",
    ),
    ("b81d2f47e09a", "Dana Reyes", "2026-03-02 09:12", "Scope the billing routes to organisations"),
    ("0e6cc91a34bd", "Sam Okafor", "2026-03-01 17:55", "fix: retry webhook deliveries on 502"),
    ("93fa7be8d210", "Lea Brandt", "2026-03-01 15:20", "Bump psycopg from 3.2.4 to 3.2.6"),
    ("d5520c6fa187", "Sam Okafor", "2026-03-01 11:03", "Show the plan's limits on the usage page"),
]
TAGS = [
    ("v1.4.2", "b81d2f47e09a", "2026-03-02 09:20"),
    ("v1.4.1", "93fa7be8d210", "2026-03-01 15:31"),
    ("v1.4.0", "7c3a90be5512", "2026-02-26 10:02"),
    ("v1.3.9", "e1d98f20c4aa", "2026-02-19 16:44"),
    ("v1.3.8", "5b07ad3391fe", "2026-02-12 13:08"),
]
UNSEEN = ApprovalRequested | DeployStarted | Finished | Forked | Paused | Resumed | QuestionAsked
"""What a chat has no message for: it follows from the call before it, or concerns the model not."""


class Told:
    """Chooses what the story says."""

    def __init__(self, *steps: NextStep) -> None:
        self.steps = list(steps)

    def next_step(self, prompt: Prompt) -> Choice:
        return Choice(self.steps.pop(0), "seed", 900, 40)


class SeedPlay(Play):
    """A play in which the refs of the story name its commits."""

    def _card(self, action: Any, *parts: tuple[str, str], environment: str) -> Play:
        named = {sha[:7]: sha for sha, *_ in COMMITS} | {name: sha for name, sha, _ in TAGS}
        whole_names = ((service, full(named[ref])) for service, ref in parts)
        return super()._card(action, *whole_names, environment=environment)


def full(short: str) -> str:
    """Return a whole commit name that begins like this."""
    return (short * 4)[:40]


def commits() -> list[dict[str, str]]:
    keys = ("author", "at", "subject")
    return [
        {"sha": full(sha), "short": sha[:7], **dict(zip(keys, rest, strict=True))}
        for sha, *rest in COMMITS
    ]


def tags() -> list[dict[str, str]]:
    return [{"name": name, "sha": full(sha), "at": at} for name, sha, at in TAGS]


def deploy(service: str, ref: str, reason: str, environment: str = "production") -> Deploy:
    return Deploy(service=service, ref=ref, environment=environment, reason=reason)


def whole() -> Thread:
    """Play the story to its end."""
    play = SeedPlay(
        Told(
            deploy("backend", "v1.4.3", "the tag that Alex asked for"),
            ListGitTags(service="backend", limit=5),
            deploy("backend", "v1.4.2", "the newest tag; v1.4.3 does not exist"),
            deploy("frontend", "v1.4.2", "Ben wants the frontend first"),
            deploy("backend", "v1.4.2", "the frontend is live; now the backend"),
            DoneForNow(message="`frontend` and `backend` are live on production at `b81d2f4`."),
            ListGitCommits(service="backend", limit=5),
            deploy("backend", "4af9ec0", "the commit with the org routes", "staging"),
            deploy("frontend", "4af9ec0", "the frontend of the same commit", "staging"),
        )
    )
    play.says("can you deploy v1.4.3 of the backend to production?", by="alex")
    play.step()
    play.fails(
        "ref_missing",
        "There is no tag, branch or commit v1.4.3 in shop; nothing was planned. "
        "The newest tags are v1.4.2, v1.4.1 and v1.4.0.",
    )
    play.returns(tags())
    play.take().denies("can you deploy the frontend first? the new routes need it", by="ben").step()
    play.take().ships()
    play.take().ships()
    play.take().says("and what came in since v1.4.2? I mean the org routes", by="alex").step()
    play.returns(commits())
    play.take().approves("cem").goes_live().step()
    play.take().approves("cem").goes_live()
    return play.thread


def is_seen(event: Event) -> bool:
    """Tell whether a chat has a message for the event."""
    return not isinstance(event, UNSEEN)


def seed_thread(length: int) -> Thread:
    """Return the story up to its `length`th event that a chat has a message for."""
    thread = whole()
    kept: list[Event] = []
    for event in thread.events:
        kept.append(event)
        if sum(is_seen(e) for e in kept) == length:
            break
    assert sum(is_seen(e) for e in kept) == length, "the story is too short"
    return Thread(thread.id).extended(*kept, head="")

"""Whoever edits, approves and denies which card, in whatever order: what starts is what was approved last."""

from collections import Counter
from random import Random

from fakes import catalog
from oracle import violations
from story import Story

from deploybot.approvals import ApprovalRequest, may_answer
from deploybot.events import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    DeployStarted,
    EditRefused,
    EditRequested,
    Event,
    Finished,
)
from deploybot.next_step import Deploy, DeployTogether, DoneForNow, Part
from deploybot.thread import Status, fold

WALKS = 120
MOVES = 25
ANYBODY = ("ann", "ben", "mia", "eve", "ben", "mia", "slack:U1")
REFS = ("main", "v1.0.0", "v1.1.0", "main", "v1.0.0", "v1.1.0", "v9", "--output=x", "")
STARTS = (None, None, None, None, None, "now", "14:00", "never")


class Walk:
    """One thread in which anybody edits and answers any card that was ever shown, worker or not."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.seen: Counter[str] = Counter()
        quorum = self.chance.choice((1, 1, 2))
        table = catalog(verified_in=None, quorum=quorum, approvers=["ann", "ben", "mia", "eve"])
        self.story = Story(table=table)
        self.asks()

    def asks(self) -> None:
        """Have the bot propose one service, or both, at a commit that is not live yet."""
        self.story.deployer.main = f"main-{self.chance.random()}"
        both = tuple(Part(service=name, ref="main") for name in ("backend", "frontend"))
        step = self.chance.choice(
            (
                Deploy(service="backend", ref="main", environment="production", reason=""),
                DeployTogether(parts=both, environment="production", reason=""),
            )
        )
        self.story.script.steps.clear()
        self.story.model_will(step, *[DoneForNow(message="Done.")] * 50)
        self.story.person_says("go", by=self.chance.choice(("ann", "ben")))

    def moves(self) -> None:
        """Do one thing that somebody, the time or a worker might do."""
        story, chance = self.story, self.chance
        if story.thread.status is Status.DONE:
            self.asks()
        match chance.choices(("answer", "edit", "time", "main", "work"), (8, 8, 1, 1, 3))[0]:
            case "answer":
                receipt = story.answers(
                    approved=chance.random() < 0.8,
                    by=chance.choice(ANYBODY),
                    request=self.card(),
                    works=chance.random() < 0.5,
                )
                self.seen[f"answer {receipt.reason_code}"] += 1
            case "edit":
                services = chance.choice(
                    (["backend"], ["backend"], ["frontend", "backend"], ["frontend"], [])
                )
                receipt = story.edits(
                    by=chance.choice(ANYBODY),
                    request=self.card(),
                    start=chance.choice(STARTS),
                    works=chance.random() < 0.5,
                    **{service: chance.choice(REFS) for service in services},
                )
                self.seen[f"edit {receipt.reason_code}"] += 1
            case "time":
                story.clock.passes(minutes=chance.choice((1, 31, 121)))
                story.bot_works()
            case "main":
                story.deployer.main = f"main-{chance.random()}"
            case "work":
                story.bot_works()

    def card(self) -> ApprovalRequest:
        """Return one of the cards, the newest one most often."""
        shown = requests(self.story.thread.events)
        return shown[-1] if self.chance.random() < 0.8 else self.chance.choice(shown)

    def check(self) -> None:
        """Check every start of the thread against the answers and edits before it."""
        events = self.story.thread.events
        assert violations(events) == []
        assert fold(events) == self.story.thread.standing
        for index, event in enumerate(events):
            if isinstance(event, DeployStarted):
                self.check_start(event, events[:index])

    def check_start(self, start: DeployStarted, before: tuple[Event, ...]) -> None:
        last = [event for event in before if isinstance(event, ApprovalGranted)][-1]
        (request,) = (one for one in requests(before) if one.id == start.request_id)
        since = before[before.index(last) :]

        assert start.digest == last.digest == request.sealed().digest
        assert may_answer(request, last.by) is None
        assert last.by not in editors(before)
        assert not any(isinstance(event, EditRequested | EditRefused) for event in since)
        ran = self.story.deployer.ran_as[request.operation(start.part)]
        assert ran == request.plans[start.part].sha
        self.seen["start after an edit" if request.edited else "start"] += 1


def requests(events: tuple[Event, ...]) -> list[ApprovalRequest]:
    return [event.request for event in events if isinstance(event, ApprovalRequested)]


def editors(before: tuple[Event, ...]) -> set[str]:
    """Return whose edits led to what is asked for by then."""
    found: set[str] = set()
    for event in before:
        if isinstance(event, ApprovalSuperseded) and event.edited_by:
            found.add(event.edited_by)
        elif isinstance(event, Finished | Cancelled | ApprovalExpired):
            found.clear()
    return found


def test_what_starts_is_exactly_what_was_approved_last_by_somebody_who_may():
    seen: Counter[str] = Counter()

    for seed in range(WALKS):
        walk = Walk(seed)
        for _ in range(MOVES):
            walk.moves()
        walk.story.bot_works()
        walk.check()
        seen += walk.seen

    assert seen["start after an edit"] > WALKS / 10
    assert seen["start"] > WALKS / 10
    for refused in ("superseded", "being_edited", "own_request", "unknown_person"):
        assert seen[f"answer {refused}"] + seen[f"edit {refused}"] > WALKS / 20

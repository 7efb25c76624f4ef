"""Whatever the model answers and whoever clicks what, when: the loop stops, and keeps its word."""

from typing import Any

from fakes import sha_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from oracle import violations
from story import Story
from strategies import people, steps, words

from deploybot.approvals import ApprovalRequest
from deploybot.errors import IllegalEventError
from deploybot.events import ApprovalRequested, Cancelled, Paused, Resumed
from deploybot.ports import Choice, Prompt
from deploybot.thread import Status, fold


class Adversary:
    """A model that answers with whatever hypothesis draws, and never tires."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.asked = 0

    def next_step(self, prompt: Prompt) -> Choice:
        self.asked += 1
        return Choice(self.answers[self.asked % len(self.answers)], model="adversary")


class Company(RuleBasedStateMachine):
    """A workspace in which anybody does anything, and the model is an enemy."""

    @initialize(answers=st.lists(steps(), min_size=1, max_size=6))
    def begins(self, answers):
        self.model = Adversary(answers)
        self.story = Story(model=self.model).verified_on_staging("main", "v1.1.0")
        self.seen: list[ApprovalRequest] = []

    @rule(text=words, by=people)
    def someone_says(self, text, by):
        self.story.person_says(text, by=by)

    @rule(by=people, approved=st.booleans(), pick=st.integers(0, 50))
    def someone_clicks_any_card_ever_shown(self, by, approved, pick):
        self._look()
        if not self.seen:
            return
        request = self.seen[pick % len(self.seen)]
        act = self.story.approves if approved else lambda **k: self.story.denies("no", **k)
        act(by=by, request=request)

    @rule(minutes=st.sampled_from([1, 20, 31, 10_000]))
    def time_passes(self, minutes):
        self.story.clock.passes(minutes=minutes)
        self.story.bot_works()

    @rule(ref=st.sampled_from(["main-2", "main-3"]), error=st.sampled_from(["", "no disk"]))
    def the_world_changes(self, ref, error):
        self.story.deployer.main = ref
        self.story.deployer.fails = {"backend": error} if error else {}
        self.story.deployer.failing_tests ^= {"production"}

    @rule(kind=st.sampled_from([Paused, Resumed, Cancelled]))
    def someone_steers(self, kind):
        event = kind(at=self.story.clock.now(), by="ann")
        try:
            self.story.store.append(self.story.thread, event)
        except IllegalEventError:
            return
        self.story.bot_works()

    @rule(by=people)
    def a_branch_moves_too(self, by):
        self.story.thread_id = "t2"
        self.story.branch_moves(sha_of("main-4"), pusher=by)
        self.story.thread_id = "t1"

    def _look(self) -> None:
        self.seen = [
            event.request
            for name in self.story.store.list(limit=1000).threads
            for event in self.story.store.load(name).events
            if isinstance(event, ApprovalRequested)
        ]

    @invariant()
    def every_thread_keeps_its_word(self):
        if not hasattr(self, "story"):
            return
        for name in self.story.store.list(limit=1000).threads:
            thread = self.story.store.load(name)

            assert violations(thread.events) == []
            assert fold(thread.events) == thread.standing
            assert thread.status not in (Status.APPROVED, Status.DEPLOYING)

    @invariant()
    def no_approval_runs_twice(self):
        if not hasattr(self, "story"):
            return
        changes = [ran for ran in self.story.deployer.ran if not ran.startswith("test")]

        assert len(changes) == len(self.story.deployer.began)

    @invariant()
    def nothing_reaches_production_without_a_person(self):
        if not hasattr(self, "story"):
            return
        self._look()
        granted = {r.id for r in self.seen if r.plan.environment == "production"}
        live = [
            live.approval_id
            for (_, environment), live in self.story.deployer.live_now.items()
            if environment == "production"
        ]

        assert set(live) <= granted


Company.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestCompany = Company.TestCase

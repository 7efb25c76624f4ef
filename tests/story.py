"""Plays a conversation against the real loop over the store in memory, one sentence a move."""

from dataclasses import dataclass, field
from typing import Any

from fakes import PEOPLE, FakeClock, FakeDeployer, ScriptedModel, catalog, plain_prompt, sha_of

from deploybot.agent import Agent
from deploybot.approvals import ApprovalRequest
from deploybot.editing import Edit
from deploybot.events import ApiMessageReceived, BranchUpdated
from deploybot.inbox import Answer, Inbox, Receipt
from deploybot.memory import MemoryStore
from deploybot.next_step import NextStep, Part
from deploybot.operate import Operator
from deploybot.outbox import tellings
from deploybot.ports import Directory, Model, People
from deploybot.telling import Telling
from deploybot.thread import Thread


@dataclass
class Story:
    """One company in memory: people, a bot, two services, two environments."""

    clock: FakeClock = field(default_factory=FakeClock)
    script: ScriptedModel = field(default_factory=ScriptedModel)
    model: Model | None = None
    table: Any = field(default_factory=catalog)
    directory: Directory | None = None
    people: People = PEOPLE
    thread_id: str = "t1"
    deliveries: int = 0

    def __post_init__(self) -> None:
        self.store = self.opened_store()
        self.inbox = Inbox(
            self.store, self.people, self.clock.clockwork, self.table, directory=self.directory
        )
        self.deploys_with(FakeDeployer(self.table, self.clock.now, self.store))

    def deploys_with(self, deployer: FakeDeployer) -> "Story":
        """Give the bot these targets."""
        self.deployer = deployer
        self.agent = Agent(
            store=self.store,
            model=self.model or self.script,
            deployer=self.deployer,
            prompt=plain_prompt,
            clock=self.clock.clockwork,
            people=self.people,
            directory=self.directory,
        )
        self.operator = Operator(
            store=self.store,
            deployer=self.deployer,
            clock=self.clock.clockwork,
            directory=self.directory,
            people=self.people,
        )
        return self

    def opened_store(self) -> Any:
        """Return where the threads are kept."""
        return MemoryStore(now=self.clock.now)

    # -- moves ---------------------------------------------------------------------

    def verified_on_staging(self, *refs: str) -> "Story":
        """Put a commit live and verified on staging, for every service."""
        for service in self.table.services:
            for ref in refs or ("main",):
                self.deployer.put_live(service, "staging", sha_of(ref))
        for place, live in self.deployer.live_now.items():
            self.deployer.live_now[place] = live.model_copy(update={"verified": True})
        return self

    def model_will(self, *steps: NextStep) -> "Story":
        self.script.steps.extend(steps)
        return self

    def person_says(self, text: str, *, by: str = "ann", key: str = "") -> "Story":
        delivery = key or self._delivery()
        said = ApiMessageReceived(at=self.clock.now(), by=by, delivery=delivery, text=text)
        self.inbox.hear(self.thread_id, said, dedupe=(delivery,))
        return self.bot_works()

    def branch_moves(self, sha: str, *, pusher: str = "eve") -> "Story":
        moved = BranchUpdated(
            at=self.clock.now(),
            by="github",
            delivery=self._delivery(),
            repository="shop",
            branch="main",
            before="0" * 40,
            after=sha,
            pusher=pusher,
            subject="Add the org routes (#42)",
        )
        self.inbox.hear(self.thread_id, moved, dedupe=(moved.delivery,))
        return self.bot_works()

    def approves(self, *, by: str = "ben", request: ApprovalRequest | None = None) -> Receipt:
        return self._answers(approved=True, by=by, words="", request=request)

    def denies(
        self, words: str, *, by: str = "ben", request: ApprovalRequest | None = None
    ) -> Receipt:
        return self._answers(approved=False, by=by, words=words, request=request)

    def edits(
        self,
        *,
        by: str = "ben",
        request: ApprovalRequest | None = None,
        start: str | None = None,
        comment: str = "",
        key: str = "",
        works: bool = True,
        resolves: bool = False,
        **refs: str,
    ) -> Receipt:
        """Have somebody edit the open card: services, in order, with their refs."""
        request = request or self.request
        if resolves:  # a target that knows the commit by any of its digits
            self.deployer.history[("backend", "staging")] = [plan.sha for plan in request.plans]
        parts = tuple(Part(service=service, ref=ref) for service, ref in refs.items())
        receipt = self.inbox.edit(
            Edit(
                thread=request.thread,
                request_id=request.id,
                digest=request.digest,
                by=by,
                delivery=key or self._delivery(),
                parts=parts or None,
                start=start,
                comment=comment,
            )
        )
        if works:
            self.bot_works()
        return receipt

    def answers(
        self,
        *,
        approved: bool = True,
        by: str = "ben",
        request: ApprovalRequest | None = None,
        works: bool = False,
    ) -> Receipt:
        """Answer, and let the workers take what is waiting or not."""
        return self._answers(approved=approved, by=by, words="no", request=request, works=works)

    def bot_works(self) -> "Story":
        """Let the workers take every wake-up until nothing is left to do."""
        while wake_up := self.store.next_wake_up():
            job, thread_id = wake_up
            if job == "advance":
                self.agent.advance(thread_id)
            elif job == "operate":
                self.operator.operate(thread_id)
        return self

    def _answers(
        self,
        *,
        approved: bool,
        by: str,
        words: str,
        request: ApprovalRequest | None,
        works: bool = True,
    ) -> Receipt:
        request = request or self.request
        receipt = self.inbox.answer(
            Answer(
                thread=request.thread,
                request_id=request.id,
                digest=request.digest,
                approved=approved,
                comment=words,
                by=by,
                channel="api",
                address=by,
                delivery=self._delivery(),
            )
        )
        if works:
            self.bot_works()
        return receipt

    def _delivery(self) -> str:
        self.deliveries += 1
        return f"d{self.deliveries}"

    # -- what came of it -----------------------------------------------------------

    @property
    def thread(self) -> Thread:
        return self.store.load(self.thread_id)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.thread.events]

    @property
    def request(self) -> ApprovalRequest:
        request = self.thread.standing.request
        assert request is not None, f"no request is open: {self.kinds}"
        return request

    @property
    def told(self) -> tuple[Telling, ...]:
        return tellings(self.thread)

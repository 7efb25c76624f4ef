"""The seed story as people live it: they answer what they are asked, until everything is live."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from faults.lean_company import PATIENCE, SERVICES, LeanCompany, now
from oracle import violations

from deploybot.approvals import ApprovalRequest
from deploybot.events import ApprovalDenied, BranchUpdated, Finished, TestsPassed
from deploybot.inbox import Answer, Settling
from deploybot.outbound.slack_fate import FINAL
from deploybot.outbox import tellings
from deploybot.telling import Card, Private, Yours
from deploybot.thread import Status, Thread, thread_id_for

NO = "can you deploy the backend first?"


@dataclass
class ToldStory:
    """One commit on its way to production, with people who answer as soon as they can."""

    company: LeanCompany
    answered: set[str] = field(default_factory=set)
    denied: int = 0
    settles: bool = False
    """Whether people look and say how a deploy ended that its worker died with, and ask for it again."""
    patience: float = PATIENCE

    def play(self, point: str = "") -> None:
        """Play it to its end; a worker dies at `point`, if it comes that far."""
        company = self.company
        company.failing.arm(point)
        before = company.repository.head()
        self.sha = company.repository.merge_good(now())
        self.pipeline = thread_id_for("github", "shop", "refs/heads/main", self.sha)
        words = f"deploy SHA {self.sha[:7]} to production"
        self.deploy = thread_id_for(f"handed-over:{self.pipeline}:{words}")
        moved = BranchUpdated(
            at=now(),
            by="github",
            delivery=f"github:{self.sha}",
            repository="shop",
            branch="main",
            before=before,
            after=self.sha,
            pusher="eve",
            subject=company.repository.subject(self.sha),
        )
        company.inbox.hear(self.pipeline, moved, dedupe=(moved.delivery,))
        company.until(self._over, "the story comes to its end", self.patience)
        company.until(self._told, "people are told everything", self.patience)

    @property
    def died(self) -> int:
        return len(self.company.failing.happened)

    def threads(self) -> Iterator[Thread]:
        for name in (self.pipeline, self.deploy):
            yield self.company.store.load(name)

    def wrong(self) -> list[str]:
        """Return what is not as it was promised, in words; empty when all is well."""
        company = self.company
        found = [
            f"{service} is not live" for service in SERVICES
            if company.live("production", service) != self.sha
        ]  # fmt: skip
        twice = [name for name, times in company.begun().items() if times > 1]
        found += [f"approval {name} began twice" for name in twice]
        found += [f"an operation is left in {place}" for place in company.running()]
        for thread in self.threads():
            found += violations(thread.events)
            kinds = [event.kind for event in thread.events]
            if not isinstance(thread.events[-1], Finished):
                found.append(f"{thread.id} does not end: {kinds}")
        found += company.wrong()
        tested = {
            e.environment for t in self.threads() for e in t.events if isinstance(e, TestsPassed)
        }
        if tested != {"staging", "production"}:
            found.append(f"tests ran on {tested} alone")
        denials = [e for t in self.threads() for e in t.events if isinstance(e, ApprovalDenied)]
        if [denial.feedback for denial in denials] != [NO]:
            found.append(f"the no was kept as {denials}")
        for name, messages in company.messages().items():
            if len(messages) > 1 and not name.startswith("None/"):
                found.append(f"{name} was posted {len(messages)} times")
        return found

    # -- what people do ------------------------------------------------------------

    def _over(self) -> bool:
        for thread in self.threads():
            match thread.status:
                case Status.AWAITING_APPROVAL if request := thread.standing.request:
                    self._answer(request)
                case Status.OUTCOME_UNKNOWN if self.settles:
                    self._settle(thread)
                case Status.AWAITING_INPUT if self.settles:
                    self._try_again(thread)
                case Status.AWAITING_INPUT:
                    raise AssertionError([event.kind for event in thread.events])
                case _:
                    pass
        return all(t.events and t.status is Status.DONE for t in self.threads())

    def _answer(self, request: ApprovalRequest) -> None:
        if request.id in self.answered or request.rule.automatic:
            return
        self.answered.add(request.id)
        no = request.plan.service == "frontend" and not self.denied
        self.denied += no
        receipt = self.company.inbox.answer(
            Answer(
                thread=request.thread,
                request_id=request.id,
                digest=request.digest,
                approved=not no,
                comment=NO if no else "",
                by="ben",
                channel="slack",
                address="U0BEN",
                delivery=f"click:{request.id}",
            )
        )
        assert receipt.accepted, receipt.text

    def _settle(self, thread: Thread) -> None:
        """Look at what is live, as a person would, and say so."""
        request = thread.standing.request
        assert request is not None
        plan = request.plans[thread.standing.part]
        there = self.company.live(plan.environment, plan.service) == plan.sha
        settling = Settling(
            thread=thread.id,
            request_id=request.id,
            outcome="succeeded" if there else "failed",
            by="ben",
            delivery=f"settle:{request.id}",
        )
        assert self.company.inbox.settle(settling).accepted

    def _try_again(self, thread: Thread) -> None:
        question = thread.standing.question
        if question is not None:
            self.company.inbox.answer_question(
                thread.id, question.question_id, "Try again", by="ben",
                delivery=f"again:{question.question_id}",
            )  # fmt: skip

    def _told(self) -> bool:
        """Tell whether everything stands in the channel, each card as it came to its end."""
        shown = self.company.messages()
        for thread in self.threads():
            for telling in tellings(thread):
                if isinstance(telling, Private | Yours):
                    continue
                message = shown.get(f"{thread.id}/{telling.key}")
                if message is None:
                    return False
                if isinstance(telling, Card) and not _shows_its_end(telling, message[0]):
                    return False
        return True


def _shows_its_end(card: Card, message: dict[str, object]) -> bool:
    return card.state in FINAL and card.state.value in str(message["text"])

"""A case's compact events, told as a thread: each goes through the real table of what may follow.

The forms: "words" or `{ann: words}` · `{mail: words, subject:, by:}` · `{hand_over: words, to:}` ·
`{bot: intent, …fields}`, taken by itself · `{refused: code, error:}` · `{denied: words, by:}` ·
`{approved: person}` · `{failed: error, step:, output:}` · `{answer: words, by:}` ·
`{tests_failed: summary, environment:, output:}` · `{tests_passed: summary, environment:}` ·
`{woke: true}` · `{expired: true}` · `{event: …}`, an event as it is stored.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.plan import Action, Plan, PlannedStep
from deploybot.approvals import ApprovalRequest
from deploybot.errors import IllegalEventError
from deploybot.evals.world import World
from deploybot.events import (
    EVENT,
    Answered,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    DeployFailed,
    DeployStarted,
    DeploySucceeded,
    EmailReceived,
    Event,
    Finished,
    HandedOver,
    QuestionAsked,
    ReadReturned,
    SlackMessageReceived,
    Slept,
    StepChosen,
    StepFailed,
    TestsFailed,
    TestsPassed,
    Woke,
)
from deploybot.next_step import (
    Change,
    CheckDeployments,
    Deploy,
    DeployTogether,
    DoneForNow,
    ListGitCommits,
    ListGitTags,
    NextStep,
    NothingToDo,
    Read,
    RequestHumanInput,
    RollBack,
    Wait,
    from_wire,
    to_wire,
)
from deploybot.rule import Rule
from deploybot.thread import Status, Thread

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ASKS = "ann"
APPROVES = "ben"


class Teller:
    """One thread that grows, event by event, in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.thread = Thread("eval")

    def tell(self, items: tuple[Any, ...]) -> Thread:
        """Return the thread of these items; ValueError naming the one that cannot happen."""
        for item in items:
            try:
                self._one({ASKS: item} if isinstance(item, str) else dict(item))
            except (IllegalEventError, KeyError, TypeError, LookupError) as error:
                raise ValueError(f"{item!r}: {error}") from error
        self.settle()
        if self.thread.status is not Status.WORKING:
            raise ValueError(f"nobody has to choose at the end: {self.thread.status}")
        return self.thread

    def choose(self, step: NextStep, model: str) -> None:
        """Append a choice; `settle` or `refuse` says what comes of it."""
        by = f"agent:{self.thread.standing.agent}"
        self._add(StepChosen(**self._at(by), step=step, model=model))

    def settle(self) -> None:
        """Take what was chosen, as the loop would, short of what people decide."""
        pending = self.thread.standing.pending
        if pending is not None:
            self._take(pending.step)

    def refuse(self, code: str, error: str) -> None:
        """Say why what was chosen cannot be done."""
        pending = self.thread.standing.pending
        intent = str(to_wire(pending.step)["intent"]) if pending else ""
        self._add(StepFailed(**self._at("agent:deploy"), intent=intent, code=code, error=error))

    # -- what happens --------------------------------------------------------------

    def _one(self, item: dict[str, Any]) -> None:
        kind = next(iter(item))
        if kind not in ("refused", "event"):  # what came of a step stands in the item
            self.settle()
        told: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "bot": self._bot,
            "refused": lambda i: self.refuse(i["refused"], i.get("error", "It was refused.")),
            "mail": self._mail,
            "hand_over": self._hand_over,
            "denied": self._denied,
            "approved": self._approved,
            "failed": self._failed,
            "answer": self._answer,
            "tests_failed": self._tests,
            "tests_passed": self._tests,
            "woke": lambda _: self._add(Woke(**self._at("clock"))),
            "expired": self._expired,
            "event": lambda i: self._add(EVENT.validate_python(i["event"])),
        }
        told.get(kind, self._says)(item)

    def _says(self, item: dict[str, Any]) -> None:
        (by, text), *_ = item.items()
        slack: dict[str, Any] = {
            "channel": "C1",
            "ts": "1.0",
            "thread_ts": "1.0",
            "user": "U1",
            "name": by,
        }
        self._add(SlackMessageReceived(**self._came(by), **slack, text=text))

    def _mail(self, item: dict[str, Any]) -> None:
        by = item.get("by", ASKS)
        mail: dict[str, Any] = {
            "address": f"{by}@example.test",
            "name": by,
            "message_id": "<1@example.test>",
        }
        subject = item.get("subject", "")
        self._add(EmailReceived(**self._came(by), **mail, subject=subject, text=item["mail"]))

    def _hand_over(self, item: dict[str, Any]) -> None:
        world = self.world
        context = {
            "live": world.rows(),
            "commits": world.commit_rows()[:5],
            "tags": world.tag_rows()[:5],
        }
        agent = item.get("to", "deploy")
        handed: dict[str, Any] = {"agent": agent, "text": item["hand_over"], "requesters": (ASKS,)}
        self._add(HandedOver(**self._at("agent:code"), **handed, context=context))

    def _bot(self, item: dict[str, Any]) -> None:
        wire = {"reason": "as asked"} if item["bot"].startswith(("deploy_", "roll_")) else {}
        wire |= {key: value for key, value in item.items() if key != "bot"}
        self.choose(from_wire({"intent": item["bot"], **wire}, self.world.services), "m")

    def _denied(self, item: dict[str, Any]) -> None:
        request = self._request()
        given: dict[str, Any] = {"request_id": request.id, "digest": request.digest}
        given["channel"] = "slack"
        by = item.get("by", APPROVES)
        self._add(ApprovalDenied(**self._came(by), **given, feedback=item["denied"]))

    def _approved(self, item: dict[str, Any]) -> None:
        request = self._started(item["approved"])
        done = DeploySucceeded(
            **self._at("worker"), request_id=request.id, sha=request.plan.sha, seconds=3.0
        )
        self._add(done)

    def _failed(self, item: dict[str, Any]) -> None:
        request = self._started(APPROVES)
        failed = DeployFailed(
            **self._at("worker"),
            request_id=request.id,
            step=item.get("step", "health"),
            error=item["failed"],
            live=request.plan.previous_sha,
            tail=tuple(item.get("output", ())),
        )
        self._add(failed)

    def _started(self, by: str) -> ApprovalRequest:
        request = self._request()
        given: dict[str, Any] = {"request_id": request.id, "digest": request.digest}
        self._add(ApprovalGranted(**self._came(by), **given, channel="slack"))
        self._add(DeployStarted(**self._at("worker"), **given, operation="o", fence=1))
        return request

    def _answer(self, item: dict[str, Any]) -> None:
        question = self.thread.standing.question
        if question is None:
            raise LookupError("no question is open")
        by = item.get("by", ASKS)
        asked = question.question_id
        self._add(Answered(**self._came(by), question_id=asked, answer=item["answer"]))

    def _tests(self, item: dict[str, Any]) -> None:
        where = item.get("environment", self.world.environments[-1])
        live = {row["service"]: row["live"] or "" for row in self.world.rows(where)}
        known: dict[str, Any] = {"environment": where, "live": live, "seconds": 1.0}
        at = self._at("worker")
        if "tests_failed" in item:
            tail = tuple(item.get("output", ()))
            self._add(TestsFailed(**at, **known, summary=item["tests_failed"], tail=tail))
        else:
            self._add(TestsPassed(**at, **known, summary=item["tests_passed"]))

    def _expired(self, _: dict[str, Any]) -> None:
        self._add(ApprovalExpired(**self._at("clock"), request_id=self._request().id))

    # -- what comes of a step ------------------------------------------------------

    def _take(self, step: NextStep) -> None:
        by = self._at(f"agent:{self.thread.standing.agent}")
        match step:
            case ListGitCommits() | ListGitTags() | CheckDeployments():
                self._read(step)
            case Deploy(ref=ref) if self.world.full_sha(ref) is None:
                self.refuse("ref_missing", f"There is no {ref}. Nothing was deployed.")
            case DeployTogether(parts=parts) if not all(
                self.world.full_sha(part.ref) for part in parts
            ):
                self.refuse("ref_missing", "There is no such ref. Nothing was deployed.")
            case Deploy() | DeployTogether() | RollBack():
                self._add(ApprovalRequested(**by, request=self._card(step)))
            case RequestHumanInput():
                asked = step.model_dump(exclude={"intent"})
                self._add(QuestionAsked(**by, question_id=self._id(), **asked))
            case Wait(seconds=seconds, reason=reason):
                until = by["at"] + timedelta(seconds=seconds)
                self._add(Slept(**by, until=until, reason=reason))
            case DoneForNow(message=message) | NothingToDo(message=message):
                self._add(Finished(**by, message=message))
            case _:
                raise ValueError(f"{step.intent} is chosen by plain code only")

    def _read(self, step: Read) -> None:
        found = self.world.found(step)
        if found is None:
            self.refuse("ref_missing", "There is no such ref. Nothing was read.")
            return
        by = self._at(f"agent:{self.thread.standing.agent}")
        self._add(ReadReturned(**by, intent=step.intent, result=found))

    def _plan(self, action: Action, service: str, ref: str, environment: str) -> Plan:
        world = self.world
        before = world.live.get(environment, {}).get(service)
        return Plan(
            action=action,
            service=service,
            environment=environment,
            repository="shop",
            ref=ref,
            sha=world.full_sha(ref) or world.commits[-1].full,
            previous_sha=world.full_sha(before) if before else None,
            steps=(PlannedStep(name="build", argv=("make",), says="Build"),),
            config_hash="0" * 64,
        )

    def _plans(self, step: Change) -> tuple[Plan, ...]:
        match step:
            case Deploy(service=service, ref=ref, environment=where):
                return (self._plan("deploy", service, ref, where),)
            case DeployTogether(parts=parts, environment=where):
                return tuple(self._plan("deploy", part.service, part.ref, where) for part in parts)
            case RollBack(service=service, to=to, environment=where):
                return (self._plan("roll_back", service, to or "an earlier release", where),)

    def _card(self, step: Change) -> ApprovalRequest:
        world = self.world
        plans = self._plans(step)
        return ApprovalRequest(
            id=self._id(),
            thread=self.thread.id,
            head="",
            plan=plans[0],
            more=plans[1:],
            rule=Rule(approvers=world.approvers),
            requesters=self.thread.standing.requesters,
            asked=self.thread.standing.asked,
            reason=step.reason,
            expires_at=START + timedelta(days=1),
        ).sealed()

    # -- small change --------------------------------------------------------------

    def _add(self, event: Event) -> None:
        self.thread = self.thread.extended(event, head="")

    def _at(self, by: str) -> dict[str, Any]:
        return {"at": START + timedelta(seconds=len(self.thread.events)), "by": by}

    def _came(self, by: str) -> dict[str, Any]:
        return {**self._at(by), "delivery": self._id()}

    def _id(self) -> str:
        return f"id{len(self.thread.events)}"

    def _request(self) -> ApprovalRequest:
        request = self.thread.standing.request
        if request is None:
            raise LookupError("no card is open")
        return request

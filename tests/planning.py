"""A thread played by hand against a planner: what people say, what it chooses, what comes of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.plan import Plan, PlannedStep
from deploybot.approvals import ApprovalRequest, Rule
from deploybot.events import (
    Answered,
    ApiMessageReceived,
    ApprovalDenied,
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
from deploybot.models import templates
from deploybot.models.offline import OfflinePlanner
from deploybot.next_step import (
    CheckDeployments,
    Deploy,
    DeployTogether,
    DoneForNow,
    ListGitCommits,
    ListGitTags,
    NextStep,
    NothingToDo,
    RequestHumanInput,
    RollBack,
    Wait,
    to_wire,
)
from deploybot.ports import Choice, Model, Prompt
from deploybot.prompting import build
from deploybot.thread import Thread

SERVICES = ("backend", "frontend")
ENVIRONMENTS = ("staging", "production")
TEMPLATES = templates.read()
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

COMMITS = [
    {
        "sha": hashlib.sha1(str(n).encode(), usedforsecurity=False).hexdigest(),
        "short": hashlib.sha1(str(n).encode(), usedforsecurity=False).hexdigest()[:7],
        "author": author,
        "at": f"2026-03-01T1{n}:00:00Z",
        "subject": subject,
    }
    for n, (author, subject) in enumerate(
        (
            ("Ann", "Merge pull request #42: free shipping"),
            ("Ben", "Show stock on the product page"),
            ("Cem", "Fix the <b>rounding</b> of totals"),
            ("Ann", "Cache the catalogue"),
            ("Dee", "Speed up search"),
            ("Ben", "Log slow queries"),
        )
    )
]
TAGS = [
    {"name": name, "sha": COMMITS[n]["sha"], "at": COMMITS[n]["at"]}
    for n, name in ((1, "v1.2.3"), (2, "v1.2.2"), (4, "v1.2.0"))
]
LIVE = [
    {
        "service": service,
        "environment": environment,
        "live": COMMITS[at]["short"],
        "since": "2026-03-01 10:00",
        "verified": True,
        "held": None,
        "running": False,
        "behind": at,
    }
    for environment, at in (("staging", 0), ("production", 3))
    for service in SERVICES
]
RULE = Rule(approvers=("ben", "cem"))


def sha_of(ref: str) -> str:
    """Give the commit that a ref names here; one of its own for a name never seen."""
    if len(ref) == 40:
        return ref
    for row in (*COMMITS, *TAGS):
        if ref in (row["sha"], row.get("short"), row.get("name")):
            return row["sha"]
    return hashlib.sha1(ref.encode(), usedforsecurity=False).hexdigest()


class Play:
    """One thread, one planner; every event goes through the real transition table."""

    def __init__(
        self,
        planner: Model | None = None,
        *,
        services: tuple[str, ...] = SERVICES,
        environments: tuple[str, ...] = ENVIRONMENTS,
    ) -> None:
        self.planner = planner or OfflinePlanner()
        self.services = services
        self.environments = environments
        self.thread = Thread("t")
        self.choices: list[Choice] = []

    # -- what happens --------------------------------------------------------------

    def add(self, *events: Event) -> "Play":
        self.thread = self.thread.extended(*events, head="")
        return self

    def at(self, by: str) -> dict[str, Any]:
        return {"at": START + timedelta(seconds=len(self.thread.events)), "by": by}

    def came(self, by: str) -> dict[str, Any]:
        return {**self.at(by), "delivery": f"d{len(self.thread.events)}"}

    def says(self, text: str, by: str = "ann") -> "Play":
        slack = {"channel": "C1", "ts": "1.0", "thread_ts": "1.0", "user": "U1", "name": by}
        return self.add(SlackMessageReceived(**self.came(by), **slack, text=text))

    def mails(self, subject: str, text: str, by: str = "ann") -> "Play":
        mail = {"address": f"{by}@example.test", "name": by, "message_id": "<1@x>"}
        return self.add(EmailReceived(**self.came(by), **mail, subject=subject, text=text))

    def writes(self, text: str, by: str = "ann") -> "Play":
        return self.add(ApiMessageReceived(**self.came(by), text=text))

    def hands_over(self, text: str, agent: str = "deploy", live: list[Any] | None = None) -> "Play":
        context = {"live": LIVE if live is None else live, "tags": TAGS, "commits": COMMITS[:5]}
        return self.add(
            HandedOver(**self.at("agent:code"), agent=agent, text=text, context=context)
        )

    def answers(self, text: str, by: str = "ann") -> "Play":
        question = self.thread.standing.question
        assert question is not None, "no question is open"
        return self.add(Answered(**self.came(by), question_id=question.question_id, answer=text))

    def denies(self, feedback: str, by: str = "ben") -> "Play":
        request = self.request()
        given = {"request_id": request.id, "digest": request.digest, "channel": "slack"}
        return self.add(ApprovalDenied(**self.came(by), **given, feedback=feedback))

    def approves(self, by: str = "ben") -> "Play":
        """Approve the open request, and start what it asks for."""
        request = self.request()
        given = {"request_id": request.id, "digest": request.digest}
        self.add(ApprovalGranted(**self.came(by), **given, channel="slack"))
        return self.add(DeployStarted(**self.at("worker"), **given, operation="o", fence=1))

    def goes_live(self) -> "Play":
        """Have each of the approved changes go live, one after the other."""
        request = self.request()
        for part, plan in enumerate(request.plans):
            if part:
                self.add(self._started(request, part))
            done = {"request_id": request.id, "sha": plan.sha, "seconds": 3.2, "part": part}
            self.add(DeploySucceeded(**self.at("worker"), **done))
        return self

    def _started(self, request: ApprovalRequest, part: int) -> DeployStarted:
        return DeployStarted(
            **self.at("worker"),
            request_id=request.id,
            digest=request.digest,
            operation=request.operation(part),
            fence=1,
            part=part,
        )

    def breaks(self, step: str = "health", error: str = "The health check failed.") -> "Play":
        request = self.request()
        failed = {"step": step, "error": error, "live": request.plan.previous_sha}
        return self.add(DeployFailed(**self.at("worker"), request_id=request.id, **failed))

    def ships(self) -> NextStep:
        """Approve, go live, and return what is chosen next."""
        return self.approves().goes_live().step()

    def tests(self, summary: str, *tail: str, environment: str = "production") -> "Play":
        known: dict[str, Any] = {
            "environment": environment,
            "live": dict.fromkeys(self.services, COMMITS[0]["sha"]),
            "summary": summary,
            "seconds": 1.0,
        }
        if tail:
            return self.add(TestsFailed(**self.at("worker"), **known, tail=tail))
        return self.add(TestsPassed(**self.at("worker"), **known))

    def wakes(self) -> "Play":
        return self.add(Woke(**self.at("clock")))

    def returns(self, result: Any) -> NextStep:
        """Answer the pending read, and return what is chosen next."""
        chosen = self.thread.standing.pending
        assert chosen is not None
        intent = chosen.step.intent
        return self.add(ReadReturned(**self.at("agent:x"), intent=intent, result=result)).step()

    def fails(self, code: str, error: str) -> NextStep:
        """Refuse the pending step, and return what is chosen next."""
        chosen = self.thread.standing.pending
        assert chosen is not None
        self.refuse(to_wire(chosen.step)["intent"], code, error)
        return self.step()

    def refuse(self, intent: str, code: str, error: str) -> None:
        self.add(StepFailed(**self.at("agent:x"), intent=intent, code=code, error=error))

    # -- what is chosen ------------------------------------------------------------

    def prompt(self) -> Prompt:
        return build(
            self.thread,
            templates=TEMPLATES,
            services=self.services,
            environments=self.environments,
            approvers={"production": ("ben", "cem")},
        )

    def step(self) -> NextStep:
        """Let the planner choose; nothing is taken yet."""
        choice = self.planner.next_step(self.prompt())
        self.choices.append(choice)
        by = f"agent:{self.thread.standing.agent}"
        self.add(StepChosen(**self.at(by), step=choice.step, model=choice.model))
        return choice.step

    def take(self) -> "Play":
        """Do with the pending step what the loop does, short of deploying."""
        chosen = self.thread.standing.pending
        assert chosen is not None
        step, by = chosen.step, self.at("agent:x")
        match step:
            case RequestHumanInput():
                asked = step.model_dump(exclude={"intent"})
                return self.add(QuestionAsked(**by, question_id=self._id(), **asked))
            case Wait(seconds=seconds, reason=reason):
                until = by["at"] + timedelta(seconds=seconds)
                return self.add(Slept(**by, until=until, reason=reason))
            case DoneForNow(message=message) | NothingToDo(message=message):
                return self.add(Finished(**by, message=message))
            case Deploy(service=service, ref=ref, environment=environment):
                return self._card("deploy", (service, ref), environment=environment)
            case DeployTogether(parts=parts, environment=environment):
                return self._card(
                    "deploy", *((part.service, part.ref) for part in parts), environment=environment
                )
            case RollBack(service=service, to=to, environment=environment):
                return self._card("roll_back", (service, to or "v1.2.2"), environment=environment)
            case _:
                raise AssertionError(f"{step} is taken by `returns`")

    def settled(self) -> NextStep:
        """Choose, answer every read from the tables above, and return the first other step."""
        step = self.step()
        while True:
            match step:
                case ListGitCommits(ref=None, limit=limit):
                    step = self.returns(COMMITS[:limit])
                case ListGitCommits(ref=str(ref), limit=limit):
                    shas = [row["sha"] for row in COMMITS]
                    at = shas.index(sha_of(ref)) if sha_of(ref) in shas else None
                    step = (
                        self.fails("ref_missing", f"There is no {ref}.")
                        if at is None
                        else self.returns(COMMITS[at : at + limit])
                    )
                case ListGitTags(limit=limit):
                    step = self.returns(TAGS[:limit])
                case CheckDeployments(environment=environment):
                    rows = [r for r in LIVE if environment in (None, r["environment"])]
                    step = self.returns(rows)
                case _:
                    return step

    def request(self) -> ApprovalRequest:
        request = self.thread.standing.request
        assert request is not None, "no request is open"
        return request

    def _card(self, action: Any, *parts: tuple[str, str], environment: str) -> "Play":
        plan, *more = (
            Plan(
                action=action,
                service=service,
                environment=environment,
                repository="shop",
                ref=ref,
                sha=sha_of(ref),
                previous_sha=COMMITS[3]["sha"],
                steps=(PlannedStep(name="build", argv=("make",), says="Build"),),
                config_hash="0" * 64,
            )
            for service, ref in parts
        )
        request = ApprovalRequest(
            id=self._id(),
            thread=self.thread.id,
            head="",
            plan=plan,
            more=tuple(more),
            rule=RULE,
            requesters=("ann",),
            expires_at=START + timedelta(days=1),
        ).sealed()
        return self.add(ApprovalRequested(**self.at("agent:x"), request=request))

    def _id(self) -> str:
        return f"id{len(self.thread.events)}"

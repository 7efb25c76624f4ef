"""The loop and the switch: takes a thread from where it stands to where a person must move.

No I/O of its own and no clock: the store, the model, the deployer and the time are given. Each
event is stored before the next step is taken, so a worker that dies loses nothing but its place.
What changes a running system is not done here but in `operate`.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from deploy.errors import DeployError, RefusedError
from deploybot import pipeline
from deploybot.directory import ConfiguredDirectory, approvers_now, escalated_to
from deploybot.errors import (
    ConflictError,
    DuplicateError,
    HoldChangedError,
    ModelUnavailableError,
)
from deploybot.events import (
    FACTS,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalReminded,
    Escalated,
    Event,
    Finished,
    HandedOver,
    QuestionAsked,
    ReadReturned,
    Slept,
    StepChosen,
    StepFailed,
    TurnCame,
    Woke,
)
from deploybot.facts import begins_a_turn, facts, rows
from deploybot.hold_phrases import HoldRefusal
from deploybot.hold_rules import HoldStep, Scene, decide
from deploybot.lines import is_free
from deploybot.next_step import (
    CheckDeployments,
    Deploy,
    DeployTogether,
    DoneForNow,
    HandOver,
    ListGitCommits,
    ListGitTags,
    ListHolds,
    NextStep,
    NothingToDo,
    PlaceHold,
    Read,
    ReleaseHold,
    RequestHumanInput,
    RollBack,
    RunTests,
    Wait,
)
from deploybot.ports import Clockwork, Deployer, Directory, Model, People, Prompt, Store
from deploybot.propose import NOBODY_KNOWN, Proposals
from deploybot.thread import STEP_BUDGET, Status, Thread, thread_id_for

ERRORS_IN_A_ROW = 3
"""Failed steps in a row after which people are asked."""
LONGEST_WAIT = 7 * 24 * 3600
MOST_LISTED = 50

TRIES = 50
"""How often a lock is judged again when others change it at the same time."""

CODE = "code"
"""What plain code is called in a StepChosen."""


class Agent:
    """Advances threads: chooses a step, stores it, takes it, stores what came of it.

    `wants_facts` tells whether a model will be asked about a prompt; what it would read first is
    then read before, so that a plain request costs one call. `people` may lock what they name.
    """

    def __init__(
        self,
        *,
        store: Store,
        model: Model,
        deployer: Deployer,
        prompt: Callable[[Thread], Prompt],
        clock: Clockwork,
        wants_facts: Callable[[Prompt], bool] = lambda _: False,
        people: People = NOBODY_KNOWN,
        directory: Directory | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._deployer = deployer
        self._prompt = prompt
        self._clock = clock
        self._wants_facts = wants_facts
        self._people = people
        self._directory = directory or ConfiguredDirectory(deployer.catalog.groups)
        self._proposals = Proposals(
            store=store, deployer=deployer, clock=clock, directory=self._directory, people=people
        )

    def advance(self, thread: Thread | str) -> Thread:
        """Take steps until a person, a timer or an operation must move; return the thread.

        Given an id, the thread is read first. A thread in hand is not: what others have written
        since is found by the first append, which is refused.
        """
        if isinstance(thread, str):
            thread = self._store.load(thread)
        while True:
            try:
                match thread.status:
                    case Status.WORKING if thread.job() == "advance":
                        thread = self._move(thread)
                    case Status.EDITING:
                        thread = self._proposals.edit(thread)
                    case Status.AWAITING_APPROVAL | Status.SLEEPING if self._is_due(thread):
                        thread = self._time_came(thread)
                    case Status.IN_LINE if self._has_its_turn(thread):
                        thread = self._turn_came(thread)
                    case _:
                        return thread
            except ConflictError:
                thread = self._store.load(thread.id)

    def _is_due(self, thread: Thread) -> bool:
        now = self._clock.now()
        due = thread.due(now)
        return due is not None and due <= now

    def _time_came(self, thread: Thread) -> Thread:
        now, request = self._clock.now(), thread.standing.request
        nudges = thread.standing.nudges
        if request is None or nudges is None:
            return self._store.append(thread, Woke(at=now, by="clock"), wake=False)
        about: dict[str, Any] = {"at": now, "by": "clock", "request_id": request.id}
        event: Event = ApprovalExpired(**about)
        if now < request.expires_at and nudges.escalation_due(now):
            event = ApprovalEscalated(**about, to=escalated_to(self._directory, request.rule))
        elif now < request.expires_at:
            event = ApprovalReminded(**about, number=nudges.reminder_due(now))
        return self._store.append(thread, event, wake=False)

    def _move(self, thread: Thread) -> Thread:
        """Take the step that was chosen, or choose one."""
        pending = thread.standing.pending
        by_model_done = (
            pending is not None and pending.model != CODE and isinstance(pending.step, DoneForNow)
        )
        if pending is not None and not by_model_done:
            return self._take(thread, pending.step)
        if step := pipeline.choose(thread, self._deployer.catalog):
            return self._append(thread, self._chosen_by_code(step))
        if pending is not None:
            return self._take(thread, pending.step)
        chosen = self._chosen_by_model(thread)
        return self._append(thread, chosen, *self._at_once(thread, chosen))

    def _at_once(self, thread: Thread, chosen: Event) -> tuple[Event, ...]:
        """Return what follows from a choice without looking anywhere: it is stored with the choice."""
        outcome = self._outcome(thread, chosen.step) if isinstance(chosen, StepChosen) else None
        if outcome is None:
            return ()
        grown = thread.extended(chosen, head=thread.head)
        if isinstance(outcome, Finished) and pipeline.choose(grown, self._deployer.catalog):
            return ()
        return (outcome,)

    def _append(self, thread: Thread, *events: Event) -> Thread:
        return self._store.append(thread, *events, wake=False)

    def _chosen_by_code(self, step: NextStep) -> StepChosen:
        return StepChosen(at=self._clock.now(), by="agent:code", step=step, model=CODE)

    def _chosen_by_model(self, thread: Thread) -> Event:
        standing = thread.standing
        now, by = self._clock.now(), f"agent:{standing.agent}"
        if standing.errors_in_a_row >= ERRORS_IN_A_ROW:
            return Escalated(at=now, by=by, reason=_stuck(thread))
        if standing.steps >= STEP_BUDGET:
            reason = (
                f"I have taken {standing.steps} steps without getting there, so I stopped; "
                "nothing is running. Tell me what to do, with the service, ref and environment."
            )
            return Escalated(at=now, by=by, reason=reason)
        prompt = self._prompt(thread)
        known = {}
        if begins_a_turn(thread) and self._wants_facts(prompt):
            known = facts(self._deployer, thread)
        if known:
            return ReadReturned(at=now, by="agent:code", intent=FACTS, result=known)
        try:
            choice = self._model.next_step(prompt)
        except ModelUnavailableError as error:
            return StepFailed(
                at=self._clock.now(), by=by, intent="", code="model_unavailable", error=str(error)
            )
        return StepChosen(
            at=self._clock.now(),
            by=by,
            step=choice.step,
            model=choice.model,
            prompt=prompt.digest,
            tokens_in=choice.tokens_in,
            tokens_out=choice.tokens_out,
            ms=choice.ms,
            note=choice.note,
        )

    # -- the switch ----------------------------------------------------------------

    def _take(self, thread: Thread, step: NextStep) -> Thread:
        if outcome := self._outcome(thread, step):
            return self._append(thread, outcome)
        match step:
            case ListGitCommits() | ListGitTags() | CheckDeployments() | ListHolds():
                return self._append(thread, self._read(thread, step))
            case Deploy() | DeployTogether() | RollBack():
                return self._proposals.propose(thread, step)
            case HandOver():
                return self._hand_over(thread, step)
            case ReleaseHold() | PlaceHold():
                return self._change_hold(thread, step)
            case RunTests():
                return thread  # taken by `operate`, whose wake-up was stored with the choice
            case RequestHumanInput() | Wait() | DoneForNow() | NothingToDo():
                raise AssertionError(step)  # has an outcome

    def _outcome(self, thread: Thread, step: NextStep) -> Event | None:
        """Return what a step comes to by itself; None when something must be looked up or done."""
        now, by = self._clock.now(), f"agent:{thread.standing.agent}"
        match step:
            case RequestHumanInput():
                return QuestionAsked(
                    at=now,
                    by=by,
                    question_id=self._clock.new_id(),
                    **step.model_dump(exclude={"intent"}),
                )
            case Wait(seconds=seconds, reason=reason):
                until = now + timedelta(seconds=min(max(seconds, 1), LONGEST_WAIT))
                return Slept(at=now, by=by, until=until, reason=reason)
            case DoneForNow(message=message):
                return Finished(at=now, by=by, message=message)
            case NothingToDo(message=message):
                return Finished(at=now, by=by, message=message, silent=True)
            case _:
                return None

    def _read(self, thread: Thread, step: Read | ListHolds) -> Event:
        now, by = self._clock.now(), f"agent:{thread.standing.agent}"
        try:
            result = self._look_up(step)
        except RefusedError as error:
            return StepFailed(
                at=now, by=by, intent=step.intent, code=error.reason_code, error=str(error)
            )
        except DeployError as error:
            return StepFailed(
                at=now, by=by, intent=step.intent, code="not_available", error=str(error)
            )
        return ReadReturned(at=now, by=by, intent=step.intent, result=result)

    def _look_up(self, step: Read | ListHolds) -> Any:
        match step:
            case ListGitCommits(service=service, ref=ref, limit=limit):
                return self._deployer.commits(service, ref, _clamp(limit))
            case ListGitTags(service=service, limit=limit):
                return self._deployer.tags(service, _clamp(limit))
            case CheckDeployments(environment=environment):
                return rows(self._deployer.environments(environment))
            case ListHolds():
                return [hold.model_dump(mode="json") for hold in self._store.holds()]

    # -- locks and lines -----------------------------------------------------------

    def _change_hold(self, thread: Thread, step: HoldStep) -> Thread:
        """Lock or free a place, or change its lock, if whoever said so may."""
        for _ in range(TRIES):
            now = self._clock.now()
            catalog = self._deployer.catalog
            approvers = approvers_now(self._directory, catalog, step.environment)
            scene = Scene(self._store.holds(), catalog, self._people, now, approvers)
            delivery = f"hold:{thread.id}:{len(thread.events)}"
            decided = decide(step, scene, delivery=delivery, thread=thread.id)
            if isinstance(decided, HoldRefusal):
                break
            with suppress(HoldChangedError):
                return self._store.append(
                    thread, decided.event, hold=decided.hold, free=decided.free, wake=False
                )
        else:
            decided = HoldRefusal("locked", "The lock keeps changing, so nothing was done.")
        failed = StepFailed(
            at=now,
            by="agent:code",
            intent=step.intent,
            code=decided.reason_code,
            error=decided.text,
        )
        return self._append(thread, failed)

    def _has_its_turn(self, thread: Thread) -> bool:
        """Tell whether the thread is the next in its line, and its place is free."""
        if thread.standing.line is None:
            return False
        service, environment = thread.standing.line
        line = self._store.line(service, environment)
        return line[:1] == (thread.id,) and is_free(self._store, thread, self._clock.now())

    def _turn_came(self, thread: Thread) -> Thread:
        service, environment = thread.standing.line or ("", "")
        came = TurnCame(at=self._clock.now(), by="clock", service=service, environment=environment)
        return self._append(thread, came)

    # -- handing over --------------------------------------------------------------

    def _hand_over(self, thread: Thread, step: HandOver) -> Thread:
        """Give the matter to another agent: here, or in a thread of its own."""
        now = self._clock.now()
        origin = f"handed-over:{thread.id}:{step.text}"
        handed = HandedOver(
            at=now,
            by="agent:code",
            agent=step.agent,
            text=step.text,
            # what code itself asks for, such as a roll back, any approver may approve
            requesters=thread.standing.requesters if step.new_thread else (),
            from_thread=thread.id if step.new_thread else "",
            context=facts(self._deployer, thread),
            delivery=origin,
        )
        if not step.new_thread:
            return self._append(thread, handed)
        other = self._store.load(thread_id_for(origin))
        if not other.events:  # else it was begun before the last worker died
            with suppress(DuplicateError, ConflictError):
                self._store.append(other, handed, dedupe=(origin,))
        finished = Finished(
            at=now, by="agent:code", message=f"Handed to the {step.agent} agent: {step.text}."
        )
        return self._append(thread, finished)


def _clamp(limit: int) -> int:
    return min(max(limit, 1), MOST_LISTED)


def _stuck(thread: Thread) -> str:
    errors = [event.error for event in thread.events if isinstance(event, StepFailed)]
    return (
        f"I tried {ERRORS_IN_A_ROW} times and cannot go on; nothing is running. The last error: "
        f"{errors[-1] if errors else 'none'} Tell me what to do, or say it as "
        "`deploy <service> <ref> to <environment>`."
    )

"""The outer, deterministic part: what plain code chooses, so that no model has to.

Pure. A branch moves → deploy to the first environment → its end-to-end tests → the deploy agent's
thread; after a deploy, the tests of that environment; after failed tests, the rollback agent. The
same loop takes these steps as it takes a model's (`agent`); `None` means: ask the model.
"""

from dataclasses import dataclass

from deploy.catalog import Catalog
from deploy.locks import Hold
from deploy.plan import SHORT, Plan
from deploybot import hold_words
from deploybot.approvals import ApprovalRequest
from deploybot.events import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployFailed,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    Event,
    Finished,
    HandedOver,
    HoldPlaced,
    HoldReleased,
    Message,
    ReadReturned,
    StepChosen,
    StepFailed,
    TestsFailed,
    TestsPassed,
    TurnCame,
)
from deploybot.hold_phrases import told
from deploybot.next_step import (
    Change,
    Deploy,
    DoneForNow,
    HandOver,
    ListHolds,
    NextStep,
    NothingToDo,
    PlaceHold,
    ReleaseHold,
    RollBack,
    RunTests,
)
from deploybot.thread import Thread

PIPELINE = "pipeline"
ROLLBACK = "rollback"

TIMES_ANEW = 3
"""How often in one turn the same change is planned anew before people must ask again."""


def choose(thread: Thread, catalog: Catalog) -> NextStep | None:
    """Return the step that plain code takes now, or None when an agent is to choose."""
    turn = this_turn(thread)
    if not turn:
        return None
    if _is_to_be_planned_anew(turn[-1]):
        return _again(turn)
    if thread.standing.agent == PIPELINE:
        return _pipeline(thread, turn, catalog)
    return _hold(thread, turn, catalog) or _verify(thread, turn, catalog)


_ABOUT_HOLDS = PlaceHold | ReleaseHold | ListHolds


def _hold(thread: Thread, turn: tuple[Event, ...], catalog: Catalog) -> NextStep | None:
    """Lock or free what somebody says in so many words, and end there; `agent` checks whether they may."""
    last = turn[-1]
    if isinstance(last, HoldPlaced | HoldReleased | StepFailed | ReadReturned):
        chosen = next((e for e in reversed(turn) if isinstance(e, StepChosen)), None)
        if chosen is not None and isinstance(chosen.step, _ABOUT_HOLDS):
            deployed = any(isinstance(event, DeployStarted) for event in turn)
            return None if deployed else _hold_told(last)
    step = _said_of_holds(turn, catalog)
    if thread.standing.dry_run and isinstance(step, PlaceHold | ReleaseHold):
        return DoneForNow(message="A dry run changes nothing, so no lock was changed.")
    return step


def _said_of_holds(turn: tuple[Event, ...], catalog: Catalog) -> NextStep | None:
    """Return what the last words about a lock mean that nothing has come of yet.

    What was said while a deploy ran is taken when it has ended; then only what changes a lock counts.
    """
    last = turn[-1]
    if not isinstance(last, Message | DeploySucceeded | DeployFailed | DeployResolved):
        return None
    for event in reversed(turn):
        if isinstance(event, StepChosen):
            return None
        if isinstance(event, Message):
            step = hold_words.read(event.text, event.by, event.at, catalog)
            if step and (isinstance(last, Message) or isinstance(step, PlaceHold | ReleaseHold)):
                return step
    return None


def _hold_told(last: Event) -> NextStep | None:
    """Return the end of a turn that was about a lock; what was locked is told by the event itself."""
    match last:
        case HoldPlaced() | HoldReleased():
            return NothingToDo(message="The lock is as was asked.")
        case StepFailed():
            return DoneForNow(message=last.error)
        case ReadReturned(result=result):
            return DoneForNow(message=told(tuple(map(Hold.model_validate, result))))
        case _:
            return None


def this_turn(thread: Thread) -> tuple[Event, ...]:
    """Return the events since the thread was last done."""
    for index in range(len(thread.events) - 1, -1, -1):
        if isinstance(thread.events[index], Finished | Cancelled | ApprovalExpired):
            return thread.events[index + 1 :]
    return thread.events


@dataclass(frozen=True)
class Changed:
    """One change that went live in this turn."""

    plan: Plan
    sha: str


def went_live(events: tuple[Event, ...]) -> tuple[Changed, ...]:
    """Return what went live in these events, oldest first."""
    requests: dict[str, ApprovalRequest] = {}
    live: list[Changed] = []
    for event in events:
        match event:
            case ApprovalRequested(request=request):
                requests[request.id] = request
            case DeploySucceeded(request_id=request_id, sha=sha) if request_id in requests:
                live.append(Changed(requests[request_id].plans[event.part], sha))
            case DeployResolved(request_id=request_id, outcome="succeeded", live=sha) if (
                request_id in requests and sha
            ):
                live.append(Changed(requests[request_id].plans[event.part], sha))
            case _:
                pass
    return tuple(live)


def _is_to_be_planned_anew(event: Event) -> bool:
    """Tell whether a change is to be planned again: it came to nothing, or its turn has come."""
    died = isinstance(event, DeployFailed) and event.recovered and not event.began
    differs = isinstance(event, ApprovalSuperseded) and not event.edited_by
    return died or differs or isinstance(event, TurnCame)


def _again(turn: tuple[Event, ...]) -> NextStep | None:
    """Plan the same change anew, for people to approve again where they must; but not for ever."""
    came_to_nothing = (e for e in turn if not isinstance(e, TurnCame))
    if sum(map(_is_to_be_planned_anew, came_to_nothing)) > TIMES_ANEW:
        why = "What was shown kept changing"
        if isinstance(turn[-1], DeployFailed):
            why = "Workers kept dying before the deploy began"
        return DoneForNow(message=f"{why}, so I stopped; nothing ran.")
    return next(
        (
            event.step
            for event in reversed(turn)
            if isinstance(event, StepChosen) and isinstance(event.step, Change)
        ),
        None,
    )


# -- a branch moved ----------------------------------------------------------------


def _pipeline(thread: Thread, turn: tuple[Event, ...], catalog: Catalog) -> NextStep:
    moved = next(event for event in reversed(turn) if isinstance(event, BranchUpdated))
    first = first_environment(catalog)
    step: NextStep
    if first is None:
        step = DoneForNow(message="No environment takes a new commit by itself; nothing to do.")
    else:
        services = services_of(catalog, moved.repository, first)
        step = (
            _stopped(turn, moved, first)
            or _deploy_next(turn, moved, first, services)
            or _test_or_go_on(turn, moved, first, services, catalog)
        )
    if isinstance(step, DoneForNow) and any(isinstance(event, Message) for event in turn):
        words = " You wrote here meanwhile: write again now, and the deploy agent answers."
        step = step.model_copy(update={"message": step.message + words})
    return step


def _stopped(turn: tuple[Event, ...], moved: BranchUpdated, first: str) -> NextStep | None:
    """End here when a deploy or the tests failed: the commit goes no further."""
    last = next(event for event in reversed(turn) if not isinstance(event, Message))
    why = ""
    if isinstance(last, TestsFailed):
        why = f"the tests on {first} failed ({last.summary})"
    elif isinstance(last, DeployFailed) or (
        isinstance(last, StepFailed) and last.code != "already_live"
    ):
        why = last.error
    if not why:
        return None
    return DoneForNow(message=f"{moved.after[:SHORT]} goes no further than {first}: {why}")


def _deploy_next(
    turn: tuple[Event, ...], moved: BranchUpdated, first: str, services: tuple[str, ...]
) -> NextStep | None:
    settled = {changed.plan.service for changed in went_live(turn)} | _live_already(turn)
    service = next((name for name in services if name not in settled), None)
    if service is None:
        return None
    reason = f"{moved.branch} moved"
    return Deploy(service=service, ref=moved.after, environment=first, reason=reason)


def _test_or_go_on(
    turn: tuple[Event, ...],
    moved: BranchUpdated,
    first: str,
    services: tuple[str, ...],
    catalog: Catalog,
) -> NextStep:
    tested = any(isinstance(event, TestsPassed) for event in turn)
    if catalog.environments[first].is_proved and not tested:
        return RunTests(environment=first)
    return _to_next(moved.after, first, services, catalog)


def first_environment(catalog: Catalog) -> str | None:
    """Return the environment that takes each new commit by itself, if any."""
    automatic = [
        (table.order, name) for name, table in catalog.environments.items() if table.automatic
    ]
    return min(automatic)[1] if automatic else None


def services_of(catalog: Catalog, repository: str, environment: str) -> tuple[str, ...]:
    """Return the services of a repository that have a place in the environment, in order."""
    places = catalog.environments[environment].services
    return tuple(
        name
        for name, table in catalog.services.items()
        if table.repository == repository and name in places
    )


def _to_next(sha: str, first: str, services: tuple[str, ...], catalog: Catalog) -> NextStep:
    onward = [
        (table.order, name)
        for name, table in catalog.environments.items()
        if table.verified_in == first and any(service in table.services for service in services)
    ]
    if not onward:
        return DoneForNow(message=f"{sha[:SHORT]} is live on {first}.")
    target = min(onward)[1]
    return HandOver(agent="deploy", text=f"deploy SHA {sha[:SHORT]} to {target}", new_thread=True)


def _live_already(turn: tuple[Event, ...]) -> set[str]:
    """Return services whose deploy was refused because the commit is live there already."""
    found: set[str] = set()
    chosen: NextStep | None = None
    for event in turn:
        match event:
            case StepChosen(step=step):
                chosen = step
            case StepFailed(code="already_live") if isinstance(chosen, Deploy):
                found.add(chosen.service)
            case _:
                pass
    return found


# -- after the agent is done -------------------------------------------------------


def _verify(thread: Thread, turn: tuple[Event, ...], catalog: Catalog) -> NextStep | None:
    """Test what went live before the agent's last word is told; hand failures on."""
    last = turn[-1]
    if isinstance(last, StepChosen) and isinstance(last.step, DoneForNow):
        environment = untested(turn, catalog)
        return RunTests(environment=environment) if environment else None
    if isinstance(last, TestsFailed):
        return _roll_back(turn, last.environment, catalog) or _failed(thread, last)
    if _is_countdown(turn):
        return _after_countdown(thread, turn, catalog)
    if isinstance(last, TestsPassed):
        environment = untested(turn, catalog)
        if environment:
            return RunTests(environment=environment)
        return _last_word(turn, catalog)
    return None


def untested(turn: tuple[Event, ...], catalog: Catalog) -> str | None:
    """Return an environment with tests in which something went live since they last ran."""
    since: dict[str, bool] = {}
    for index, event in enumerate(turn):
        if isinstance(event, DeploySucceeded | DeployResolved):
            for changed in went_live(turn[: index + 1])[-1:]:
                since[changed.plan.environment] = True
        elif isinstance(event, TestsPassed | TestsFailed):
            since[event.environment] = False
    return next(
        (name for name, due in since.items() if due and catalog.environments[name].is_proved), None
    )


def _last_word(turn: tuple[Event, ...], catalog: Catalog) -> NextStep | None:
    """Return what the agent had to say, and what plain code keeps from being changed."""
    for event in reversed(turn):
        if isinstance(event, StepChosen) and isinstance(event.step, DoneForNow):
            message = " ".join((event.step.message, *_held(turn, catalog)))
            return event.step.model_copy(update={"message": message})
    return None


def _held(turn: tuple[Event, ...], catalog: Catalog) -> list[str]:
    """Say of each service that was rolled back here that it is held, and who frees it."""
    without_settled = tuple(event for event in turn if not isinstance(event, DeployResolved))
    plans = [changed.plan for changed in went_live(without_settled)]
    places = [
        (plan.service, plan.environment)
        for plan in plans
        if plan.action == "roll_back" and catalog.environments[plan.environment].hold_after_rollback
    ]
    return [
        f"`{service}` on {environment} is held until an approver says "
        f"“unlock {service} on {environment}”."
        for service, environment in dict.fromkeys(places)
    ]


def _roll_back(turn: tuple[Event, ...], environment: str, catalog: Catalog) -> NextStep | None:
    """Roll back by policy, after a countdown, what went live here: each service once, the last first.

    Never what is a roll back itself: when that does not help, people must look.
    """
    if catalog.environments[environment].roll_back_after_seconds is None:
        return None
    here = [one.plan for one in went_live(turn) if one.plan.environment == environment]
    taken_back = {plan.service for plan in here if plan.action == "roll_back"}
    tried = {
        event.step.service
        for event in turn
        if isinstance(event, StepChosen) and isinstance(event.step, RollBack)
    }
    for plan in reversed(here):
        if plan.action == "deploy" and plan.service not in taken_back | tried:
            reason = f"the tests on {environment} failed"
            return RollBack(service=plan.service, environment=environment, reason=reason)
    return None


def _is_countdown(turn: tuple[Event, ...]) -> bool:
    """Tell whether the last thing that happened came of a roll back that plain code had chosen."""
    if not isinstance(turn[-1], StepFailed | ApprovalDenied | DeployFailed | DeploySucceeded):
        return False
    chosen = next((e for e in reversed(turn) if isinstance(e, StepChosen)), None)
    return chosen is not None and chosen.model == "code" and isinstance(chosen.step, RollBack)


def _after_countdown(thread: Thread, turn: tuple[Event, ...], catalog: Catalog) -> NextStep | None:
    """Go on with the next service once one is taken back; else the rollback agent and people do."""
    failed = next(event for event in reversed(turn) if isinstance(event, TestsFailed))
    if isinstance(turn[-1], DeploySucceeded):
        return _roll_back(turn, failed.environment, catalog) or RunTests(
            environment=failed.environment
        )
    if isinstance(turn[-1], ApprovalDenied):
        who = turn[-1].by
        return DoneForNow(
            message=f"{who} stopped the roll back; what failed its tests on {failed.environment} "
            "stays live. Say what is to be done."
        )
    return _failed(thread, failed)


def _failed(thread: Thread, failed: TestsFailed) -> NextStep:
    live = ", ".join(f"{service} {sha[:SHORT]}" for service, sha in failed.live.items())
    if thread.standing.agent == ROLLBACK:
        return DoneForNow(
            message=f"The tests on {failed.environment} still fail after the roll back "
            f"({failed.summary}); live there: {live}. People must look now."
        )
    return HandOver(
        agent=ROLLBACK,
        text=f"The end-to-end tests on {failed.environment} failed ({failed.summary}); "
        f"live there: {live}.",
    )


def handed_over(thread: Thread) -> HandedOver | None:
    """Return the last hand-over of this turn, if any."""
    turn = this_turn(thread)
    return next((e for e in reversed(turn) if isinstance(e, HandedOver)), None)

"""Short phrases for what is talked about everywhere: a change, a step, a time, a place, in a few words."""

from deploy.locks import Hold
from deploy.plan import SHORT, Plan
from deploybot.approvals import ApprovalRequest
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
    ReleaseHold,
    RequestHumanInput,
    RollBack,
    RunTests,
    Wait,
)


def change(plan: Plan) -> str:
    """Name a change in a few words: deploy backend 4af9ec0 to production."""
    if plan.action == "roll_back":
        return f"roll {plan.service} on {plan.environment} back to {plan.sha[:SHORT]}"
    return f"deploy {plan.service} {plan.sha[:SHORT]} to {plan.environment}"


def changes(request: ApprovalRequest) -> str:
    """Name everything that one approval stands for."""
    return ", then ".join(change(plan) for plan in request.plans)


def step_words(step: NextStep) -> str:  # noqa: C901, PLR0911, PLR0912 - a case a step
    """Name a step in a few words."""
    match step:
        case Deploy(service=service, ref=ref, environment=environment):
            return f"deploy {service} {_ref(ref)} to {environment}{_at(step.at)}"
        case DeployTogether(parts=parts, environment=environment):
            each = ", then ".join(f"{part.service} {_ref(part.ref)}" for part in parts)
            return f"deploy {each} to {environment}{_at(step.at)}"
        case RollBack(service=service, environment=environment, to=to):
            where = f" to {_ref(to)}" if to else ""
            return f"roll {service} on {environment} back{where}"
        case ListGitCommits(limit=limit, ref=ref):
            return f"read the last {limit} commits{f' of {_ref(ref)}' if ref else ''}"
        case ListGitTags(limit=limit):
            return f"read the last {limit} tags"
        case CheckDeployments(environment=environment):
            return f"look what is live{f' on {environment}' if environment else ''}"
        case RequestHumanInput():
            return "ask people"
        case Wait(seconds=seconds):
            return f"wait {duration(seconds)}"
        case DoneForNow():
            return "say that it is done"
        case NothingToDo():
            return "keep silent"
        case RunTests(environment=environment):
            return f"run the end-to-end tests of {environment}"
        case HandOver(agent=agent):
            return f"hand over to the {agent} agent"
        case ReleaseHold(service=service, environment=environment):
            return f"free {service or 'every service'} on {environment}"
        case ListHolds():
            return "look what is locked"
        case PlaceHold(service=held, environment=environment):
            return f"lock {held or 'every service'} on {environment}"


def duration(seconds: float) -> str:
    """Return a length of time for people: 0.4 s, 12 s, 5 min, 2 h 10 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def place(hold: Hold) -> str:
    """Name what a hold is about."""
    return f"{hold.service or 'every service'} on {hold.environment}"


def _ref(ref: str) -> str:
    return ref[:SHORT] if len(ref) == 40 and set(ref) <= set("0123456789abcdef") else ref


def _at(at: str | None) -> str:
    return f" at {at}" if at else ""

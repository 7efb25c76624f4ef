"""What to do next, by rules: answer, ask, read, propose or stop.

Pure, and a little stubborn: it asks rather than guesses, and never takes the same failing step
a third time. Every proposal is checked by plain code and approved by people, like a model's.
"""

from dataclasses import replace

from deploybot.models.offline import asking, refs, replies
from deploybot.models.offline.situation import Failure, Situation
from deploybot.models.offline.wish import Wish
from deploybot.models.offline.words import Said
from deploybot.next_step import (
    CheckDeployments,
    Deploy,
    DeployTogether,
    DoneForNow,
    ListGitCommits,
    ListGitTags,
    NextStep,
    NothingToDo,
    Part,
    Read,
    RequestHumanInput,
    RollBack,
    Wait,
)

LISTED = 10
MOST_LISTED = 50
ANSWERED_BY_READING = ("live", "commits", "tags")
TOLD = frozenset({
    "branch_not_allowed",
    "environment_held",
    "locked",
    "frozen",
    "checks_failed",
    "checks_missing",
    "checks_pending",
    "service_order",
    "too_many_commits",
    "nobody_can_approve",
    "facts_unavailable",
    "operation_running",
    "never_live",
    "no_earlier_release",
    "plan_changed",
})  # fmt: skip
"""Refusals that no other step of ours puts right: people are told, and it ends."""
ABOUT_THE_REF = frozenset({"ref_missing", "ref_malformed", "ref_ambiguous"})
TRIES = 2


def decide(now: Situation) -> NextStep:
    """Return the next step."""
    if now.stopped:
        return DoneForNow(message=replies.stopped(now))
    if now.said is not None and now.said.want in ANSWERED_BY_READING:
        return _answer(now, now.said)
    if now.wish is None:
        return _nothing_wished(now)
    return _grant(_completed(now, now.wish))


# -- words that wish for nothing ---------------------------------------------------


def _answer(now: Situation, said: Said) -> NextStep:
    """Read what was asked for, then tell it; an open wish waits for a word."""
    step = reading(said, now.services)
    result = now.read(step)
    if result is None:
        if now.failure is not None and now.failure.step == step:
            return DoneForNow(message=now.failure.error)
        return step
    text = telling(step, result, said)
    if now.wish is not None and now.left():
        return asking.go_on(now.wish, now.left(), text)
    return DoneForNow(message=text)


def reading(said: Said, services: tuple[str, ...]) -> Read:
    """Return the read that answers a question."""
    service = said.services[0] if said.services else None
    limit = min(max(said.count or LISTED, 1), MOST_LISTED)
    if said.want == "commits":
        ref = said.ref.name if said.ref and said.ref.kind == "exact" else None
        return ListGitCommits(service=service, ref=ref, limit=limit)
    if said.want == "tags":
        return ListGitTags(service=service, limit=limit)
    return CheckDeployments(
        environment=said.environments[0] if len(said.environments) == 1 else None
    )


def telling(step: NextStep, result: object, said: Said) -> str:
    """Return what a read returned, in words."""
    match step:
        case ListGitCommits():
            return replies.commits(result)
        case ListGitTags():
            return replies.tags(result)
        case _:
            return replies.live(result, said.services[0] if len(said.services) == 1 else "")


def _nothing_wished(now: Situation) -> NextStep:
    if now.done:  # somebody else's plan, from words that rules did not understand
        return DoneForNow(message=replies.finished(now))
    if now.failed is not None or now.failure is not None:
        error = now.failure.error if now.failure else ""
        return DoneForNow(message=error or "The deploy failed; nothing else was tried.")
    want = now.said.want if now.said else "yes"
    if want in ("thanks", "yes", "no"):
        return NothingToDo(message="Nothing was asked.")
    text = replies.help_with(now.services, now.environments)
    if want in ("greeting", "help"):
        return DoneForNow(message=text)
    return DoneForNow(message=f"I did not understand that, so nothing was deployed. {text}")


# -- a wish ------------------------------------------------------------------------


def _completed(now: Situation, wish: Wish) -> Situation:
    """Fill in what has one possible value only."""
    services = now.services if len(now.services) == 1 and not wish.suspects else ()
    environments = now.environments if len(now.environments) == 1 and not wish.suspects else ()
    filled = replace(
        wish,
        services=wish.services or services,
        environments=wish.environments or environments,
    )
    return replace(now, wish=filled)


def _grant(now: Situation) -> NextStep:
    """Take the wish one step further."""
    wish = now.wish
    if wish is None:
        return _nothing_wished(now)
    if question := _unclear(now, wish):
        # Another planner may have understood more than rules do, and got there.
        return DoneForNow(message=replies.finished(now)) if now.done else question
    left = now.left()
    if not left:
        return DoneForNow(message=replies.finished(now))
    if went_wrong := _deploy_failed(now) or _failed(now):
        return went_wrong
    if wish.seconds and not now.waited:
        return Wait(seconds=wish.seconds, reason=f"before {replies.change(wish, left)}")
    return asking.puzzled(now, wish) if now.puzzled else _propose(now, wish)


def _unclear(now: Situation, wish: Wish) -> RequestHumanInput | None:
    """Return the question without which going on would mean guessing."""
    if now.said is not None and now.said.later and now.said.seconds is None:
        return asking.when()
    if wish.at is not None and wish.action == "roll_back":
        return asking.when()
    if now.said is not None and now.said.many_refs:
        return asking.one_ref()
    return asking.missing(now, wish) or (asking.unsure(now, wish) if wish.unsure else None)


def _propose(now: Situation, wish: Wish) -> NextStep:
    item, *rest = now.left()
    if now.denied is not None and now.denied.item == item and now.denied.ref == wish.ref:
        return asking.puzzled(now, wish)
    service, environment = item
    if wish.action == "roll_back":
        to = wish.ref.name if wish.ref and wish.ref.kind == "exact" else None
        reason = refs.why_back(now)
        return RollBack(service=service, environment=environment, to=to, reason=reason)
    here = [service for service, where in now.left() if where == environment]
    if wish.together and len(here) > 1:
        return _together(now, wish, here, environment)
    found = refs.resolve(now, wish, service)
    if isinstance(found, refs.Found):
        then = f"; then {replies.items(rest)}" if rest else ""
        reason = f"{found.reason}{then}"
        return Deploy(
            service=service, ref=found.ref, environment=environment, reason=reason, at=wish.at
        )
    return found


def _together(now: Situation, wish: Wish, services: list[str], environment: str) -> NextStep:
    """Propose several services at once, each at the commit that is meant."""
    parts: list[Part] = []
    reason = ""
    for service in services:
        found = refs.resolve(now, wish, service)
        if not isinstance(found, refs.Found):
            return found
        parts.append(Part(service=service, ref=found.ref))
        reason = reason or found.reason
    return DeployTogether(parts=tuple(parts), environment=environment, reason=reason, at=wish.at)


# -- what went wrong ---------------------------------------------------------------


def _deploy_failed(now: Situation) -> NextStep | None:
    if now.failed is None:
        return None
    request, _ = now.failed
    plan = request.plan
    verb = "deploy" if plan.action == "deploy" else "roll back"
    return asking.choose(
        f"The {verb} of `{plan.service}` on {plan.environment} failed. What now?",
        (asking.AGAIN, asking.STOP),
        context=replies.told(now, "Nothing else was tried."),
        urgent=True,
    )


def _failed(now: Situation) -> NextStep | None:  # noqa: PLR0911 - a case a failure
    """Put it right, ask, or say so; never the same step a third time."""
    if now.failure is None:
        return None
    step, code = now.failure.step, now.failure.code
    if isinstance(step, DeployTogether) and code in ABOUT_THE_REF | {"not_verified_in"}:
        return DoneForNow(message=replies.told(now, now.failure.error))
    if code == "time_refused":
        return asking.when()
    if code in TOLD:
        return DoneForNow(message=replies.told(now, now.failure.error))
    if isinstance(step, Deploy) and code in ABOUT_THE_REF:
        return _another_ref(now, step, now.failure)
    if isinstance(step, Deploy) and code == "not_verified_in":
        return _elsewhere_first(now, step, now.failure)
    if code in ("unknown_service", "unknown_environment"):
        names = now.services if code == "unknown_service" else now.environments
        context = now.failure.error
        return asking.choose("Which one do you mean?", (*names, asking.STOP), context=context)
    return step if now.failure.times < TRIES else _ask_after(now, now.failure)


def _another_ref(now: Situation, step: Deploy, failure: Failure) -> NextStep:
    tags = ListGitTags(service=step.service, limit=MOST_LISTED)
    found = now.read(tags)
    if found is None and failure.code != "ref_ambiguous":
        return tags
    return asking.which_ref(step.ref, failure.error, found)


def _elsewhere_first(now: Situation, step: Deploy, failure: Failure) -> NextStep:
    """Offer the environment that must come first."""
    others = [name for name in now.environments if name != step.environment]
    named = [name for name in others if name in failure.error] or others
    tried = {**now.done, **now.already}
    if not named or (step.service, named[0]) in tried:  # live there; its tests come next
        return DoneForNow(message=replies.told(now, failure.error))
    return asking.choose(
        f"Should I deploy `{step.service}` to {named[0]} first?",
        (f"Deploy to {named[0]} first", asking.STOP),
        context=failure.error,
    )


def _ask_after(now: Situation, failure: Failure) -> RequestHumanInput:
    return asking.choose(
        "I cannot go on. What should I do?",
        (asking.AGAIN, asking.STOP),
        context=replies.told(now, failure.error),
        urgent=True,
    )

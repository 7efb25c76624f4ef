"""Whether a plan may run: one chain of rules over the plan and the facts, each with its reason."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy.catalog import Catalog
from deploy.errors import Refusal
from deploy.locks import Hold
from deploy.plan import SHORT, Plan
from deploy.target import Live


class Facts(BaseModel):
    """What the rules need to know about the world at the time `now`.

    `verified_in_sha` is the commit that is live and verified in the environment which must come
    first; `running` says in words which operation holds the service there, if one does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    now: AwareDatetime
    live: Live | None = None
    verified_in_sha: str | None = None
    on_allowed_branch: bool = True
    holds: tuple[Hold, ...] = ()
    running: str | None = None
    requester: str | None = None


Rule = Callable[[Plan, Facts, Catalog], Refusal | None]


def check_names(service: str, environment: str, catalog: Catalog) -> Refusal | None:
    """Refuse names that the catalog does not know, before anything is looked up for them."""
    refusal = check_service(service, catalog)
    if refusal is not None:
        return refusal
    refusal = check_environment(environment, catalog)
    if refusal is not None:
        return refusal
    if service not in catalog.environments[environment].services:
        text = f"{service} has no place in {environment}. Nothing was deployed; choose where it has"
        places = [n for n, e in catalog.environments.items() if service in e.services]
        return Refusal("unknown_service", f"{text}: {', '.join(places) or 'it has none yet'}.")
    return None


def check_service(service: str, catalog: Catalog) -> Refusal | None:
    """Refuse a service that the catalog does not know, with the nearest one it does."""
    if service in catalog.services:
        return None
    return Refusal("unknown_service", _unknown("service", service, catalog.services))


def check_environment(environment: str, catalog: Catalog) -> Refusal | None:
    """Refuse an environment that the catalog does not know, with the nearest one it does."""
    if environment in catalog.environments:
        return None
    text = _unknown("environment", environment, catalog.environments)
    return Refusal("unknown_environment", text)


def check(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    """Return the first reason why the plan may not run now, or None."""
    refusals = (rule(plan, facts, catalog) for rule in RULES)
    return next((refusal for refusal in refusals if refusal is not None), None)


def passed(plan: Plan, catalog: Catalog) -> tuple[str, ...]:
    """Return in a few words each what the chain has found to hold, for people who decide."""
    table = catalog.environments[plan.environment]
    if plan.action == "roll_back":
        return (f"was live on {plan.environment} before",)
    found = []
    if table.verified_in is not None:
        found.append(f"live on {table.verified_in}, where its tests passed")
    if table.allowed_branches:
        found.append(f"on {' or '.join(table.allowed_branches)}")
    return (*found, "nothing holds or changes it now")


def _allowed_branch(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    if plan.action == "roll_back" or facts.on_allowed_branch:
        return None
    branches = ", ".join(catalog.environments[plan.environment].allowed_branches)
    return Refusal(
        "branch_not_allowed",
        f"{plan.sha[:SHORT]} is on none of the branches that {plan.environment} takes: {branches}. "
        "Nothing was deployed; merge it there first.",
    )


def _already_live(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    if facts.live is None or facts.live.sha != plan.sha:
        return None
    return Refusal(
        "already_live",
        f"{plan.service} {plan.sha[:SHORT]} is live on {plan.environment} already. "
        "Nothing was deployed, and nothing needs to be.",
    )


def _verified_earlier(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    earlier = catalog.environments[plan.environment].verified_in
    if plan.action == "roll_back" or earlier is None or facts.verified_in_sha == plan.sha:
        return None
    return Refusal(
        "not_verified_in",
        f"{plan.service} {plan.sha[:SHORT]} is not live and verified on {earlier}. Nothing was "
        f"deployed; deploy it to {earlier} first and let the tests there pass.",
    )


def _not_held(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    for hold in facts.holds:
        if hold.stops(plan.action, plan.service, plan.environment, facts.now, facts.requester):
            until = f" until {hold.expires:%Y-%m-%d %H:%M %Z}" if hold.expires else ""
            mend = f"ask {hold.owner} to release it."
            if hold.made_by == "rollback":
                mend = (
                    "once the cause is mended, an approver says "
                    f"`unlock {plan.service} on {plan.environment}`."
                )
            return Refusal(
                "environment_held",
                f"{plan.service} on {plan.environment} is held by {hold.owner}{until}: "
                f"{hold.reason}. Nothing was deployed; {mend}",
            )
    return None


def _nothing_running(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    if facts.running is None:
        return None
    return Refusal(
        "operation_running",
        f"{facts.running} is running for {plan.service} on {plan.environment}. "
        "Nothing else was started; ask again when it has ended.",
    )


RULES: tuple[Rule, ...] = (
    _allowed_branch,
    _already_live,
    _verified_earlier,
    _not_held,
    _nothing_running,
)
"""The chain, in the order in which reasons are given."""


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names) or 'none'}."
    return f"No {what} {name[:60]!r}. {hint} Nothing was deployed."

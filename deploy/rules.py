"""The rules of the chain, each a reason why a plan may not run, and the facts that they look at."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy import freezes
from deploy.approval_tables import approvers, can_be_met
from deploy.catalog import Catalog
from deploy.checks import Check, wanted
from deploy.errors import ReasonCode, Refusal
from deploy.locks import Hold
from deploy.plan import SHORT, Plan
from deploy.target import Live


class Behalf(BaseModel):
    """On whose behalf a plan is made: it decides whose locks, freezes and turn stand in the way.

    `coming` are services → commits that go live before it under the same approval; `ahead` says in
    words who waits for the place and came first. `asked_at` is when people were first asked,
    `start_at` when it is to start if not at once, `began_at` when the first change under the same
    approval began. `breaks_glass` says that somebody who may, in an emergency, stands for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requesters: tuple[str, ...] = ()
    coming: Mapping[str, str] = {}
    ahead: str | None = None
    asked_at: AwareDatetime | None = None
    start_at: AwareDatetime | None = None
    began_at: AwareDatetime | None = None
    breaks_glass: bool = False


NOBODY = Behalf()


class Facts(BaseModel):
    """What the rules need to know about the world at the time `now`.

    `verified_in_sha` is the commit that is live and verified in the environment which must come
    first; `earlier` holds what is live there of the services that must come first; `checks` are
    GitHub's, None while nobody asked; `running` says in words which operation holds the service
    there, if one does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    now: AwareDatetime
    live: Live | None = None
    verified_in_sha: str | None = None
    on_allowed_branch: bool = True
    checks: tuple[Check, ...] | None = None
    earlier: Mapping[str, str | None] = {}
    holds: tuple[Hold, ...] = ()
    running: str | None = None
    behalf: Behalf = NOBODY


Rule = Callable[[Plan, Facts, Catalog], Refusal | None]


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


def _checks_passed(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    required = catalog.environments[plan.environment].required_checks
    if plan.action == "roll_back" or not required:
        return None
    if facts.checks is None:
        text = "The checks that must have passed were not looked up. Nothing was deployed."
        return Refusal("facts_unavailable", text)
    worst = wanted(required, facts.checks)[0]
    if worst.state == "success":
        return None
    code, says, mend = _CHECKS[worst.state]
    where = f" ({worst.link})" if worst.link else ""
    about = f"The required check {worst.name[:80]!r} of {plan.sha[:SHORT]} {says}{where}."
    return Refusal(code, f"{about} Nothing was deployed; {mend}.")


_CHECKS: dict[str, tuple[ReasonCode, str, str]] = {
    "failure": ("checks_failed", "failed", "mend it, then propose the new commit"),
    "missing": ("checks_missing", "is not known to GitHub", "let it run, then ask again"),
    "pending": ("checks_pending", "has not ended", "ask again when it has"),
}


def _small_enough(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    table = catalog.environments[plan.environment]
    if (
        plan.action == "roll_back"
        or table.max_commits is None
        or table.over_max_commits == "warn"
        or size(plan) <= table.max_commits
    ):
        return None
    return Refusal(
        "too_many_commits",
        f"{counted(size(plan))} would go live at once, and {plan.environment} takes at most "
        f"{table.max_commits}. Nothing was deployed; deploy a commit that lies between first.",
    )


def _in_order(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    services = catalog.services
    here = catalog.environments[plan.environment].services
    if plan.action == "roll_back":
        return None
    for name in services[plan.service].after:
        if name not in here:
            continue
        sha = facts.behalf.coming.get(name) or facts.earlier.get(name)
        is_shared = services[name].repository == services[plan.service].repository
        if sha is None or (is_shared and sha != plan.sha):
            at = f" at {plan.sha[:SHORT]}" if is_shared else ""
            return Refusal(
                "service_order",
                f"{plan.service} comes after {name}, which is not live on {plan.environment}{at}. "
                f"Nothing was deployed; deploy {name} first, or both in one request.",
            )
    return None


def _approvable(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    table = catalog.environments[plan.environment]
    counts_down = plan.action == "roll_back" and table.roll_back_after_seconds is not None
    if table.automatic or table.requester_may_approve or counts_down:
        return None
    able = approvers(table, catalog.groups)
    asked = [one for one in able if one in facts.behalf.requesters]
    if can_be_met(table, catalog.groups, without=asked):
        return None
    return Refusal(
        "nobody_can_approve",
        f"{plan.environment} takes the word of {table.wanted} who did not ask, and {len(able) - len(asked)} would be left: {', '.join(asked)} asked. Nothing was deployed; "
        "let somebody else ask, or add approvers.",
    )


def _not_frozen(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    stopping = tuple(windows(plan, facts, catalog, stopping=True))
    if not stopping:
        return None
    window = max(stopping, key=lambda window: window.ends)
    concerned = tuple(
        freeze
        for freeze in catalog.environments[plan.environment].freezes
        if not _excepts(freeze, plan, facts)
    )
    opens = freezes.opening(concerned, _starts(facts))
    until = f"until {window.told(opens)}" if opens else "with no opening in sight"
    people = " or ".join(window.freeze.except_people)
    mend = "ask again then" if opens else "ask whoever keeps the configuration"
    mend += f", or let {people} ask, who may pass" if people else ""
    table = catalog.environments[plan.environment]
    if table.break_glass and "freezes" in table.break_glass_skips:
        mend += f", or in an emergency let {' or '.join(table.break_glass)} break the glass"
    return Refusal(
        "frozen",
        f"{plan.environment} is frozen {until}: {window.freeze.reason}. Nothing was deployed; "
        f"{mend}.",
    )


def _not_held(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    who = facts.behalf.requesters
    for hold in facts.holds:
        if hold.stops(plan.action, plan.service, plan.environment, facts.now, who):
            until = f" until {hold.expires:%Y-%m-%d %H:%M %Z}" if hold.expires else ""
            here = f"{plan.service} on {plan.environment}"
            if hold.made_by == "rollback":
                return Refusal(
                    "environment_held",
                    f"{here} is held by {hold.owner}{until}: {hold.reason}. Nothing was deployed; "
                    f"once the cause is mended, an approver says `unlock {here}`.",
                )
            return Refusal(
                "locked",
                f"{here} is locked by {hold.owner}{until}: {hold.reason}. Nothing was deployed; "
                f"ask {hold.owner} to release it.",
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


def _its_turn(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    if facts.behalf.ahead is None or plan.action == "roll_back":
        return None
    return Refusal(
        "in_line",
        f"{facts.behalf.ahead} came first for {plan.service} on {plan.environment}. "
        "Nothing was started; wait for your turn, or agree on another order.",
    )


STANDING: tuple[Rule, ...] = (_approvable, _not_frozen, _not_held)
"""What can be told from the plan, the configuration, the holds and the clock alone."""

RULES: tuple[Rule, ...] = (
    _allowed_branch,
    _already_live,
    _verified_earlier,
    _checks_passed,
    _small_enough,
    _in_order,
    *STANDING,
    _nothing_running,
    _its_turn,
)
"""The chain, in the order in which reasons are given: last those that pass by themselves."""


def windows(
    plan: Plan, facts: Facts, catalog: Catalog, *, stopping: bool
) -> Iterator[freezes.Window]:
    """Yield the windows that are on and stop the plan, or those that are on and let it pass."""
    starts = _starts(facts)
    for window in freezes.active(catalog.environments[plan.environment].freezes, starts):
        overrun = timedelta(minutes=window.freeze.overrun_minutes)
        asked = facts.behalf.asked_at or facts.now
        in_time = asked < window.begins and starts < window.begins + overrun
        began = facts.behalf.began_at
        goes_on = began is not None and began < window.begins
        passes = _excepts(window.freeze, plan, facts) or in_time or goes_on
        if stopping is not (passes or breaks_freezes(plan, facts, catalog)):
            yield window


def breaks_freezes(plan: Plan, facts: Facts, catalog: Catalog) -> bool:
    """Tell whether no freeze stops the plan, as somebody breaks the glass for it."""
    table = catalog.environments[plan.environment]
    return facts.behalf.breaks_glass and "freezes" in table.break_glass_skips


def _starts(facts: Facts) -> datetime:
    """Return when the change would start."""
    later = facts.behalf.start_at
    return facts.now if later is None else max(facts.now, later)


def _excepts(freeze: freezes.FreezeTable, plan: Plan, facts: Facts) -> bool:
    """Tell whether the freeze lets this plan pass: its service, who asked for it, or its way."""
    return (
        plan.service in freeze.except_services
        or bool(set(freeze.except_people) & set(facts.behalf.requesters))
        or (plan.action == "roll_back" and not freeze.also_roll_backs)
    )


def size(plan: Plan) -> int:
    """Return how many commits would go live."""
    return 0 if plan.goes_back else plan.commits_total


def counted(commits: int) -> str:
    """Return a number of commits in words; they are counted up to 1000."""
    return f"{commits}{'+' if commits >= 1000 else ''} commit{'s' if commits != 1 else ''}"

"""Whether a plan may run, and what people who decide should know; the rules themselves are `rules`."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from deploy.catalog import Catalog
from deploy.errors import Refusal
from deploy.plan import SHORT, Plan
from deploy.rules import (
    NOBODY,
    RULES,
    STANDING,
    Behalf,
    Facts,
    Rule,
    breaks_freezes,
    counted,
    size,
    windows,
)

__all__ = ["NOBODY", "Behalf", "Facts"]


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
    return _first(RULES, plan, facts, catalog)


def check_standing(plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    """Return the first reason against the plan that needs no git, target or network to be found.

    For the moment of an answer: of the facts only `now`, `holds` and `behalf` are looked at.
    """
    refusal = check_names(plan.service, plan.environment, catalog)
    return refusal or _first(STANDING, plan, facts, catalog)


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
    if plan.required:
        names = ", ".join(one.name[:40] for one in plan.required[:3])
        more = f" and {len(plan.required) - 3} more" if len(plan.required) > 3 else ""
        found.append(f"{names}{more} passed")
    return (*found, "nothing holds or changes it now")


def warnings(plan: Plan, facts: Facts, catalog: Catalog) -> Iterator[str]:
    """Yield what forbids nothing, and what people who decide should know all the same."""
    table = catalog.environments[plan.environment]
    for window in windows(plan, facts, catalog, stopping=False):
        if plan.service in window.freeze.except_services:
            continue
        may = "this one may pass"
        if breaks_freezes(plan, facts, catalog):
            may = f"only {' or '.join(table.break_glass)} may pass, by breaking the glass"
        yield (
            f"{plan.environment} is frozen until {window.told(window.ends)} "
            f"({window.freeze.reason}); {may}."
        )
    for hold in facts.holds:
        if hold.warn_only and hold.covers(plan.service, plan.environment, facts.now):
            yield f"{hold.owner} asks for care: {hold.reason}."
    if table.max_commits is not None and size(plan) > table.max_commits:
        yield (
            f"{counted(size(plan))} at once; {plan.environment} is meant to take at most "
            f"{table.max_commits}."
        )


def confirmations(plan: Plan, catalog: Catalog) -> Iterator[str]:
    """Yield what whoever approves must confirm on its own, a sentence each."""
    live = (plan.previous_sha or "")[:SHORT]
    if plan.action == "deploy" and plan.relation == "behind":
        yield (
            f"{plan.sha[:SHORT]} is older than what is live, {live}: "
            f"{counted(plan.commits_total)} would be taken back."
        )
    if plan.action == "deploy" and plan.relation in ("diverged", "gone"):
        yield f"{plan.sha[:SHORT]} does not contain what is live, {live}: that would be lost."
    if catalog.environments[plan.environment].confirm:
        yield f"{plan.environment} wants everybody to look twice before it changes."


def _first(rules: tuple[Rule, ...], plan: Plan, facts: Facts, catalog: Catalog) -> Refusal | None:
    refusals = (rule(plan, facts, catalog) for rule in rules)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names) or 'none'}."
    return f"No {what} {name[:60]!r}. {hint} Nothing was deployed."

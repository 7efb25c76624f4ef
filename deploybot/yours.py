"""Who hears that their commits went live, or were rolled back, and in which words; sending is `outbound`'s.

Only people who asked for it in the configuration, once a deploy, apart from everybody else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.plan import SHORT, Commit, Plan
from deploybot.ports import People, Person
from deploybot.telling import Yours

LISTED = 5


@dataclass(frozen=True)
class Told:
    """One author, and what that author is told: a sentence, and the commits that it is about."""

    person: Person
    text: str
    commits: tuple[str, ...] = ()

    @property
    def by_mail(self) -> bool:
        """Whether they are told by mail: they want it, or have no Slack."""
        return bool(self.person.email) and (self.person.mail_me or not self.person.slack)


def told_to(yours: Yours, people: People) -> Iterator[Told]:
    """Yield each author who wants to hear of this environment, with their own commits."""
    plan = yours.plan
    for person in people.known:
        if plan.environment not in person.tell_me_live:
            continue
        mine = tuple(one for one in plan.commits if people.by_author(one.email) == person.id)
        if mine or any(people.by_author(one) == person.id for one in plan.further_addresses):
            yield Told(person, _text(plan, mine), tuple(_listed(mine)))


def _text(plan: Plan, mine: tuple[Commit, ...]) -> str:
    whose = {0: "Commits of yours are", 1: "Your commit is"}.get(
        len(mine), f"{len(mine)} of your commits are"
    )
    place, sha = f"{plan.service} on {plan.environment}", plan.sha[:SHORT]
    if plan.action == "roll_back":
        return f"{whose} no longer live: {place} was rolled back to {sha}."
    if plan.goes_back:
        return f"{whose} no longer live: {place} went back to {sha}."
    return f"{whose} live: {place} is at {sha} now."


def _listed(mine: tuple[Commit, ...]) -> Iterator[str]:
    for one in mine[:LISTED]:
        yield f"{one.sha[:SHORT]} {one.subject}"
    if len(mine) > LISTED:
        yield f"and {len(mine) - LISTED} more"

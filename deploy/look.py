"""Looking things up for one catalog: plans, what is live, commits and tags; it changes nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from pathlib import Path

from deploy import draft, history, policy
from deploy.catalog import Catalog, RepositoryTable
from deploy.checks import Check
from deploy.connections import Connections
from deploy.draft import Place
from deploy.errors import DeployError, Refusal, RefusedError
from deploy.git import Repository, Tag
from deploy.locks import Hold
from deploy.plan import SHORT, Action, Commit, Plan
from deploy.policy import NOBODY, Behalf, Facts
from deploy.target import Live, Target
from deploy.targets import target_of

Checks = Callable[[str, str], tuple[Check, ...]]
"""Returns the checks of a repository's (owner/name) commit; raises DeployError when it cannot."""


def _no_holds(service: str, environment: str) -> tuple[Hold, ...]:
    return ()


def _nothing_running(service: str, environment: str) -> str | None:
    return None


class Look:
    """Looks things up for one catalog.

    `holds` and `running` are asked for the holds on a service in an environment, and for what runs
    there now, in words ("deploy of 4af9ec0 by Ann"); without them there are none. `checks` is asked
    for a commit's checks; without it GitHub is.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        clock: Callable[[], datetime],
        holds: Callable[[str, str], tuple[Hold, ...]] = _no_holds,
        running: Callable[[str, str], str | None] = _nothing_running,
        connections: Connections | None = None,
        checks: Checks | None = None,
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self._holds = holds
        self._running = running
        self._connections = connections or Connections()
        self._checks = checks or self._checks_on_github
        self._fetched: set[Path] | None = None

    def at_once(self) -> "Look":
        """Return a look that fetches each repository no more than once: for one plan of many parts.

        It keeps what it fetched for as long as it lives, so it is not to be kept.
        """
        look = copy(self)
        look._fetched = set()  # noqa: SLF001 - its own
        return look

    def plan(
        self,
        action: Action,
        service: str,
        ref: str | None,
        environment: str,
        *,
        behalf: Behalf = NOBODY,
    ) -> Plan:
        """Return the plan for a ref, checked; raises RefusedError with the first reason against it.

        Without a ref, a deploy takes the default branch, and a roll back the last release that was
        verified there before the current one. What cannot be found out is a reason, too.
        """
        with _closed_without_facts():
            place = self._place(service, environment)
            self._fetch(place.repository)
            if action == "deploy":
                ref = ref or self._repository_table(service).default_branch
                sha = place.repository.resolve(ref).sha
            else:
                sha = _earlier(place, ref)
                ref = ref or sha
            checks = self._checks_of(place, sha) if action == "deploy" else None
            elsewhere = tuple(draft.elsewhere(self.catalog, place, self.target))
            plan = draft.draft(place, action, ref, sha, elsewhere=elsewhere, checks=checks)
            facts = self._facts(place, plan, behalf, checks)
        refusal = policy.check(plan, facts, self.catalog)
        if refusal is not None:
            raise RefusedError(refusal)
        warnings = (*plan.warnings, *policy.warnings(plan, facts, self.catalog))
        return plan.model_copy(
            update={
                "checks": policy.passed(plan, self.catalog),
                "warnings": warnings,
                "confirm": tuple(policy.confirmations(plan, self.catalog)),
            }
        )

    def live(self, service: str, environment: str) -> Live | None:
        """Return what is live, by the target's own word; raises RefusedError for unknown names."""
        return self.target(service, environment).current()

    def last_verified(self, service: str, environment: str) -> str | None:
        """Return the commit that a roll back would go to: verified, and not given up since."""
        target = self.target(service, environment)
        live = target.current()
        return history.last_verified(target.records(), live.sha if live else None)

    def log(self, service: str, ref: str | None, limit: int) -> tuple[Commit, ...]:
        """Return the last commits of a ref (or the default branch), newest first."""
        repository = self.repository(service)
        self._fetch(repository)
        name = ref or self._repository_table(service).default_branch
        return repository.log(repository.resolve(name).sha, limit)

    def tags(self, service: str, limit: int) -> tuple[Tag, ...]:
        """Return the newest tags of the service's repository."""
        repository = self.repository(service)
        self._fetch(repository)
        return repository.tags(limit)

    def behind(self, service: str, environment: str) -> int | None:
        """Return how many commits of the default branch are not live; None if it cannot be told."""
        live, repository = self.live(service, environment), self.repository(service)
        try:
            head = repository.resolve(self._repository_table(service).default_branch).sha
            return None if live is None else repository.count_between(live.sha, head)
        except DeployError:
            return None

    def missing(self, service: str, environment: str, limit: int) -> tuple[Commit, ...]:
        """Return the newest commits of the default branch that are not live, newest first."""
        live, repository = self.live(service, environment), self.repository(service)
        try:
            head = repository.resolve(self._repository_table(service).default_branch).sha
            if live is None or not repository.has(live.sha):
                return ()
            return tuple(commit for commit, _ in repository.between(live.sha, head, limit))
        except DeployError:
            return ()

    def target(self, service: str, environment: str) -> Target:
        """Return the target of a service; raises RefusedError for names that are not known."""
        refusal = policy.check_names(service, environment, self.catalog)
        if refusal is not None:
            raise RefusedError(refusal)
        return target_of(self.catalog, service, environment, self.clock, self._connections)

    def repository(self, service: str) -> Repository:
        """Return the repository of a service; raises RefusedError for a name that is not known."""
        table = self._repository_table(service)
        return Repository(table.path, table.url)

    def _fetch(self, repository: Repository) -> None:
        if self._fetched is not None:
            if repository.path in self._fetched:
                return
            self._fetched.add(repository.path)
        repository.fetch()

    def _place(self, service: str, environment: str) -> Place:
        target = self.target(service, environment)
        repository = self.repository(service)
        return Place(self.catalog, service, environment, target, repository, target.current())

    def _facts(
        self, place: Place, plan: Plan, behalf: Behalf, checks: tuple[Check, ...] | None
    ) -> Facts:
        table = self.catalog.environments[place.environment]
        verified = None
        if table.verified_in is not None:
            earlier = self.live(place.service, table.verified_in)
            verified = earlier.sha if earlier is not None and earlier.verified else None
        branches = table.allowed_branches
        before = self.catalog.services[place.service].after if plan.action == "deploy" else ()
        return Facts(
            now=self.clock(),
            live=place.live,
            verified_in_sha=verified,
            on_allowed_branch=not branches or place.repository.is_on_branch(plan.sha, branches),
            checks=checks,
            earlier={
                name: live.sha if (live := self.live(name, place.environment)) else None
                for name in before
                if name in table.services and name not in behalf.coming
            },
            holds=self._holds(place.service, place.environment),
            running=self._running(place.service, place.environment),
            behalf=behalf,
        )

    def _checks_of(self, place: Place, sha: str) -> tuple[Check, ...] | None:
        """Return the checks of a commit, where some are required."""
        if not self.catalog.environments[place.environment].required_checks:
            return None
        name = self._repository_table(place.service).github_name
        return None if name is None else self._checks(name, sha)

    def _checks_on_github(self, repository: str, sha: str) -> tuple[Check, ...]:
        from deploy.github import GitHub  # noqa: PLC0415 - heavy, and seldom needed

        return GitHub(self._connections).checks(repository, sha)

    def _repository_table(self, service: str) -> RepositoryTable:
        refusal = policy.check_service(service, self.catalog)
        if refusal is not None:
            raise RefusedError(refusal)
        return self.catalog.repositories[self.catalog.services[service].repository]


@contextmanager
def _closed_without_facts() -> Iterator[None]:
    """Let what could not be found out be a reason not to go on."""
    try:
        yield
    except RefusedError:
        raise
    except DeployError as error:
        text = str(error)
        if "Nothing was" not in text:
            text = f"{text} Nothing was deployed; ask again once that can be told."
        raise RefusedError(Refusal("facts_unavailable", text)) from error


def _earlier(place: Place, ref: str | None) -> str:
    if ref is None:
        current = place.live.sha if place.live else None
        sha = history.last_verified(place.target.records(), current)
        if sha is None:
            text = (
                f"There is no earlier verified release of {place}. Nothing was rolled back; name "
                "a commit that was live there, or deploy one."
            )
            raise RefusedError(Refusal("no_earlier_release", text))
        return sha
    sha = place.repository.resolve(ref).sha
    if history.last_switch_to(place.target.records(), sha) is None:
        text = (
            f"{sha[:SHORT]} of {place} was never live there. Nothing was rolled back; deploy it "
            "instead, or name a commit that was live there."
        )
        raise RefusedError(Refusal("never_live", text))
    return sha

"""The facts behind a plan, gathered from git and the targets; whether it may run is `policy`'s word."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from deploy import history, policy
from deploy.catalog import Catalog, RepositoryTable
from deploy.errors import DeployError, Refusal, RefusedError
from deploy.git import Repository, Tag
from deploy.locks import Hold
from deploy.plan import SHORT, Action, Commit, Plan
from deploy.target import Live, Target
from deploy.targets import target_of

COMMITS_SHOWN = 20


def _no_holds(service: str, environment: str) -> tuple[Hold, ...]:
    return ()


def _nothing_running(service: str, environment: str) -> str | None:
    return None


class Look:
    """Looks things up for one catalog.

    `holds` and `running` are asked for the holds on a service in an environment, and for what runs
    there now, in words ("deploy of 4af9ec0 by Ann"); without them there are none.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        clock: Callable[[], datetime],
        holds: Callable[[str, str], tuple[Hold, ...]] = _no_holds,
        running: Callable[[str, str], str | None] = _nothing_running,
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self._holds = holds
        self._running = running

    def plan(
        self,
        action: Action,
        service: str,
        ref: str | None,
        environment: str,
        *,
        requester: str | None = None,
    ) -> Plan:
        """Return the plan for a ref, checked; raises RefusedError with the first reason against it.

        Without a ref, a deploy takes the default branch, and a roll back the last release that was
        verified there before the current one.
        """
        here = self._here(service, environment)
        here.repository.fetch()
        if action == "deploy":
            ref = ref or self._repository_table(service).default_branch
            sha = here.repository.resolve(ref).sha
        else:
            sha = _earlier(here, ref)
            ref = ref or sha
        plan = self._draft(here, action, ref, sha)
        refusal = policy.check(plan, self._facts(here, plan, requester), self.catalog)
        if refusal is not None:
            raise RefusedError(refusal)
        return plan.model_copy(update={"checks": policy.passed(plan, self.catalog)})

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
        repository.fetch()
        name = ref or self._repository_table(service).default_branch
        return repository.log(repository.resolve(name).sha, limit)

    def tags(self, service: str, limit: int) -> tuple[Tag, ...]:
        """Return the newest tags of the service's repository."""
        repository = self.repository(service)
        repository.fetch()
        return repository.tags(limit)

    def behind(self, service: str, environment: str) -> int | None:
        """Return how many commits of the default branch are not live; None if it cannot be told."""
        live, repository = self.live(service, environment), self.repository(service)
        try:
            head = repository.resolve(self._repository_table(service).default_branch).sha
            return None if live is None else repository.count_between(live.sha, head)
        except DeployError:
            return None

    def target(self, service: str, environment: str) -> Target:
        """Return the target of a service; raises RefusedError for names that are not known."""
        refusal = policy.check_names(service, environment, self.catalog)
        if refusal is not None:
            raise RefusedError(refusal)
        return target_of(self.catalog, service, environment, self.clock)

    def repository(self, service: str) -> Repository:
        """Return the repository of a service; raises RefusedError for a name that is not known."""
        table = self._repository_table(service)
        return Repository(table.path, table.url)

    def _here(self, service: str, environment: str) -> "_Here":
        target = self.target(service, environment)
        return _Here(service, environment, target, self.repository(service), target.current())

    def _draft(self, here: "_Here", action: Action, ref: str, sha: str) -> Plan:
        previous = here.live.sha if here.live else None
        commits, total = _between(here, action, sha)
        return Plan(
            action=action,
            service=here.service,
            environment=here.environment,
            repository=self.catalog.services[here.service].repository,
            ref=ref,
            sha=sha,
            previous_sha=previous,
            steps=here.target.planned_steps(action, sha),
            config_hash=self.catalog.config_hash(here.service, here.environment),
            commits=commits,
            commits_total=total,
            warnings=tuple(_warnings(here, action, sha)),
        )

    def _facts(self, here: "_Here", plan: Plan, requester: str | None) -> policy.Facts:
        table = self.catalog.environments[here.environment]
        verified = None
        if table.verified_in is not None:
            earlier = self.live(here.service, table.verified_in)
            verified = earlier.sha if earlier is not None and earlier.verified else None
        branches = table.allowed_branches
        return policy.Facts(
            now=self.clock(),
            live=here.live,
            verified_in_sha=verified,
            on_allowed_branch=not branches or here.repository.is_on_branch(plan.sha, branches),
            holds=self._holds(here.service, here.environment),
            running=self._running(here.service, here.environment),
            requester=requester,
        )

    def _repository_table(self, service: str) -> RepositoryTable:
        refusal = policy.check_service(service, self.catalog)
        if refusal is not None:
            raise RefusedError(refusal)
        return self.catalog.repositories[self.catalog.services[service].repository]


@dataclass(frozen=True)
class _Here:
    service: str
    environment: str
    target: Target
    repository: Repository
    live: Live | None

    @property
    def gone(self) -> bool:
        """Whether what is live is no longer in the repository."""
        return self.live is not None and not self.repository.has(self.live.sha)


def _earlier(here: _Here, ref: str | None) -> str:
    where = f"{here.service} on {here.environment}"
    if ref is None:
        current = here.live.sha if here.live else None
        sha = history.last_verified(here.target.records(), current)
        if sha is None:
            text = (
                f"There is no earlier verified release of {where}. Nothing was rolled back; name "
                "a commit that was live there, or deploy one."
            )
            raise RefusedError(Refusal("no_earlier_release", text))
        return sha
    sha = here.repository.resolve(ref).sha
    if history.last_switch_to(here.target.records(), sha) is None:
        text = (
            f"{sha[:SHORT]} of {where} was never live there. Nothing was rolled back; deploy it "
            "instead, or name a commit that was live there."
        )
        raise RefusedError(Refusal("never_live", text))
    return sha


def _between(here: _Here, action: Action, sha: str) -> tuple[tuple[Commit, ...], int]:
    if here.live is None or here.gone:
        return (), 0
    ends = (here.live.sha, sha) if action == "deploy" else (sha, here.live.sha)
    return here.repository.between(*ends, COMMITS_SHOWN), here.repository.count_between(*ends)


def _warnings(here: _Here, action: Action, sha: str) -> Iterator[str]:
    if action == "deploy" and history.was_rolled_back(here.target.records(), sha):
        yield f"{sha[:SHORT]} was rolled back from {here.environment} before."
    if here.live is None:
        yield f"It is the first release of {here.service} on {here.environment}."
    elif here.gone:
        yield f"What is live, {here.live.sha[:SHORT]}, is not in the repository any more."
    elif action == "deploy" and not here.repository.is_ancestor(here.live.sha, sha):
        yield f"It does not contain what is live, {here.live.sha[:SHORT]}."

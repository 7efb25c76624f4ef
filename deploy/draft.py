"""A plan before it is judged: what git and the targets tell of one change, in one place, as it is now."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deploy import change, history, risks
from deploy.catalog import Catalog
from deploy.change import Elsewhere, Extent, Relation
from deploy.checks import Check, wanted
from deploy.errors import DeployError
from deploy.git import COUNT_LIMIT, Changed, Repository
from deploy.plan import SHORT, Action, Commit, Plan
from deploy.target import Live, Target

COMMITS_SHOWN = 20
READ = 200
"""So many commits are read for who wrote them and which pull requests they came by."""
AUTHORS = 20
PULL_REQUESTS = 30
RISKY = 10
LONGEST_PATH = 200


@dataclass(frozen=True)
class Place:
    """One service in one environment: where it runs, where it comes from, what is live."""

    catalog: Catalog
    service: str
    environment: str
    target: Target
    repository: Repository
    live: Live | None

    def __str__(self) -> str:
        return f"{self.service} on {self.environment}"


def draft(
    place: Place,
    action: Action,
    ref: str,
    sha: str,
    *,
    elsewhere: tuple[Elsewhere, ...] = (),
    checks: tuple[Check, ...] | None = None,
) -> Plan:
    """Return the plan with every fact about it; nothing is judged yet."""
    relation = _relation(place, sha)
    goes_back = action == "roll_back" or relation == "behind"
    told, total = _between(place, relation, sha, goes_back=goes_back)
    commits = tuple(commit for commit, _ in told)
    authors = tuple(dict.fromkeys(commit.author for commit in commits))
    shown = {commit.email for commit in commits[:COMMITS_SHOWN]}
    further = dict.fromkeys(one.email for one in commits if one.email not in shown)
    merged = change.pull_requests((commit.subject, body) for commit, body in told)
    files = _changed(place, relation, sha)
    risky = risks.named(
        (file.path for file in files or ()), place.catalog.services[place.service].risky
    )
    table = place.catalog.environments[place.environment]
    wrote: tuple[str, ...] = ()
    if action == "deploy" and not table.author_may_approve and relation != "behind":
        old = place.live.sha if place.live and relation != "gone" else None
        wrote = place.repository.addresses(old, sha)
    required = table.required_checks
    wants_checks = action == "deploy" and bool(required) and checks is not None
    return Plan(
        action=action,
        service=place.service,
        environment=place.environment,
        repository=place.catalog.services[place.service].repository,
        ref=ref,
        sha=sha,
        previous_sha=place.live.sha if place.live else None,
        steps=place.target.planned_steps(action, sha),
        config_hash=place.catalog.config_hash(place.service, place.environment),
        commits=commits[:COMMITS_SHOWN],
        commits_total=total,
        warnings=tuple(_warnings(place, action, relation, sha, files)),
        relation=relation,
        authors=authors[:AUTHORS],
        authors_total=len(authors),
        author_addresses=wrote,
        further_addresses=tuple(further),
        pull_requests=merged[:PULL_REQUESTS],
        pull_requests_total=len(merged),
        extent=_extent(files),
        risky=tuple(path[:LONGEST_PATH] for path in risky[:RISKY]),
        risky_total=len(risky),
        elsewhere=elsewhere,
        required=wanted(required, checks or ()) if wants_checks else (),
    )


def _relation(place: Place, sha: str) -> Relation:
    if place.live is None:
        return "first"
    if not place.repository.has(place.live.sha):
        return "gone"
    if place.repository.is_ancestor(place.live.sha, sha):
        return "ahead"
    return "behind" if place.repository.is_ancestor(sha, place.live.sha) else "diverged"


def _between(
    place: Place, relation: Relation, sha: str, *, goes_back: bool
) -> tuple[tuple[tuple[Commit, str], ...], int]:
    """Return the newest commits that would come, or go, and how many there are."""
    if place.live is None or relation == "gone":
        return (), 0
    ends = (sha, place.live.sha) if goes_back else (place.live.sha, sha)
    told = place.repository.between(*ends, READ)
    whole = len(told) < READ
    return told, len(told) if whole else place.repository.count_between(*ends)


def _changed(place: Place, relation: Relation, sha: str) -> tuple[Changed, ...] | None:
    if place.live is None or relation == "gone":
        return None
    folder = place.catalog.services[place.service].path
    return place.repository.changed(place.live.sha, sha, folder)


def _extent(files: tuple[Changed, ...] | None) -> Extent | None:
    if files is None:
        return None
    return Extent(
        files=len(files),
        added=sum(file.added for file in files),
        removed=sum(file.removed for file in files),
    )


def _warnings(
    place: Place, action: Action, relation: Relation, sha: str, files: tuple[Changed, ...] | None
) -> Iterator[str]:
    live = place.live.sha[:SHORT] if place.live else ""
    if action == "deploy" and history.was_rolled_back(place.target.records(), sha):
        yield f"{sha[:SHORT]} was rolled back from {place.environment} before."
    if relation == "first":
        yield f"It is the first release of {place}."
    elif relation == "gone":
        yield f"What is live, {live}, is not in the repository any more."
    elif action == "deploy" and relation == "behind":
        yield f"It is older than what is live, {live}."
    elif action == "deploy" and relation == "diverged":
        yield f"It does not contain what is live, {live}: {_lost(place, sha)} would be lost."
    if files == () and relation not in ("first", "gone") and place.live and place.live.sha != sha:
        yield f"No file of {place.service} changes."


def _lost(place: Place, sha: str) -> str:
    number = place.repository.count_between(sha, place.live.sha) if place.live else 0
    more = "+" if number >= COUNT_LIMIT else ""
    return f"{number}{more} commit{'s' if number != 1 else ''}"


def elsewhere(
    catalog: Catalog, place: Place, target_of: Callable[[str, str], Target]
) -> Iterator[Elsewhere]:
    """Yield what is live of the service in the other environments; where none answers, nothing."""
    environments = sorted(catalog.environments.items(), key=lambda item: item[1].order)
    for name, table in environments:
        if name == place.environment or place.service not in table.services:
            continue
        try:
            live = target_of(place.service, name).current()
        except DeployError:
            continue
        yield Elsewhere(
            environment=name,
            sha=live.sha if live else None,
            since=live.since if live else None,
            verified=bool(live and live.verified),
        )

"""What is deployed, where, and by whose leave: the tables of the configuration, checked as a whole."""

import hashlib
import json
import zoneinfo
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from deploy import placeholders
from deploy.approval_tables import ApprovalTable, GroupTable, approvers, problem, unknown_groups
from deploy.freezes import FreezeTable
from deploy.remote_tables import shared
from deploy.risks import Pattern
from deploy.target_tables import VARIABLES, TargetTable
from deploy.values import Argv, Branch, Folder, Name, Remote, Seconds, Url, Variable

CheckName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


LOCK_REMINDER_HOURS = 8.0


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RepositoryTable(_Table):
    """Where the commits are: a local repository; with `url`, a mirror of it that is kept fresh."""

    path: Path
    url: Remote | None = None
    default_branch: Branch = "main"
    github: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")
    """owner/name, whose pushes move this repository; without it, the address or name must fit."""

    @property
    def github_name(self) -> str | None:
        """The repository's owner/name, as set or as its address says; None when neither does."""
        if self.github is not None or self.url is None:
            return self.github
        parts = urlsplit(self.url).path.strip("/").removesuffix(".git").split("/")
        return "/".join(parts) if len(parts) == 2 else None


class ServiceTable(_Table):
    """One service: the repository and folder it is built from, and how it is deployed."""

    repository: Name
    path: Folder = ""
    after: tuple[Name, ...] = ()
    """Services that must be live first: at the same commit where they share its repository."""
    risky: tuple[Pattern, ...] = ()
    """Paths, from the repository's root, that people are told of when they change."""
    target: TargetTable


class LiveTable(_Table):
    """Where one service answers in one environment, and what its processes are told there."""

    url: Url | None = None
    port: int | None = Field(default=None, ge=1, le=65_535)
    health: Url | None = None
    """A page that answers 200 while the service is well; release directories have their own."""
    variables: dict[Variable, str] = {}


class EnvironmentTable(ApprovalTable):
    """One environment: its services, its place in the order, and the rules for changing it."""

    order: int = 0
    services: dict[Name, LiveTable]
    allowed_branches: tuple[Branch, ...] = ()
    verified_in: Name | None = None
    required_checks: tuple[CheckName, ...] | Literal["all"] = ()
    """Checks that GitHub must know as passed on the commit."""
    max_commits: int | None = Field(default=None, ge=1, le=999)
    over_max_commits: Literal["warn", "refuse"] = "warn"
    freezes: tuple[FreezeTable, ...] = ()
    tests: Argv | None = None
    tests_path: Folder = ""
    tests_repository: Name | None = None
    tests_timeout_seconds: Seconds = 600
    tests_variables: dict[Variable, str] = VARIABLES
    time_zone: str = "UTC"
    roll_back_after_seconds: int | None = Field(default=None, ge=0, le=3600)
    """After failed tests plain code rolls back by itself, this long after it said so."""
    bake_seconds: float = Field(default=0, ge=0, le=3600)
    """How long the health of what went live is watched before its tests run."""
    offer_after_hours: float | None = Field(default=None, gt=0)
    """Commits that could be here and are not after so long start a thread that offers the deploy."""
    lock_reminder_hours: float = Field(default=LOCK_REMINDER_HOURS, gt=0, le=720)
    """After how long, then twice as long each time, a lock's owner is asked if it is still wanted."""
    hold_after_rollback: bool = True
    hold_after_rollback_seconds: int | None = Field(default=None, ge=60)

    @property
    def is_proved(self) -> bool:
        """Whether what goes live here is watched or tested before it counts as verified."""
        return self.tests is not None or self.bake_seconds > 0

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"there is no time zone {name!r}; write it as Europe/Berlin")
        return name

    @model_validator(mode="before")
    @classmethod
    def _freezes_are_local(cls, table: Any) -> Any:
        """Let the freezes be read in the environment's time zone, where they name none."""
        if not isinstance(table, dict) or not isinstance(table.get("freezes"), list | tuple):
            return table
        zone = {"time_zone": table.get("time_zone", "UTC")}
        freezes = [{**zone, **one} if isinstance(one, dict) else one for one in table["freezes"]]
        return {**table, "freezes": freezes}

    @model_validator(mode="after")
    def _tests_can_run(self) -> Self:
        if self.tests and placeholders.used(self.tests) - {"sha", "environment"}:
            raise ValueError("tests: only {sha} and {environment} are known to tests")
        return self


class Catalog(_Table):
    """All repositories, services and environments; consistent, or refused with the reason."""

    repositories: dict[Name, RepositoryTable] = {}
    services: dict[Name, ServiceTable] = {}
    environments: dict[Name, EnvironmentTable] = {}
    groups: dict[Name, GroupTable] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, service in self.services.items():
            if service.repository not in self.repositories:
                raise ValueError(f"services.{name}: no repository {service.repository!r}")
            for earlier in service.after:
                if earlier not in self.services:
                    raise ValueError(f"services.{name}.after: no service {earlier!r}")
            if name in self.before(name):
                raise ValueError(f"services.{name}.after: it would have to come after itself")
        for name, environment in self.environments.items():
            self._environment_fits(name, environment)
        uses = (
            (self.services[s].target, s, n)
            for n, e in self.environments.items()
            for s in e.services
        )
        if (told := shared(uses)) is not None:
            raise ValueError(told)
        return self

    def _environment_fits(self, name: str, environment: EnvironmentTable) -> None:
        for service, live in environment.services.items():
            where = f"environments.{name}.services.{service}"
            if service not in self.services:
                raise ValueError(f"{where}: no service {service!r}")
            words = self.services[service].target.needs()
            for word, value in (("port", live.port), ("url", live.url)):
                if word in words and value is None:
                    raise ValueError(f"{where}: its target needs {{{word}}}, so set {word}")
        self._rules_fit(name, environment)
        if environment.verified_in is not None:
            self._earlier_environment_fits(name, environment, environment.verified_in)
        if environment.tests is not None:
            self.tests_repository(name)

    def _rules_fit(self, name: str, environment: EnvironmentTable) -> None:
        for key, group in unknown_groups(environment, self.groups):
            raise ValueError(f"environments.{name}.{key}: no group {group!r} in [groups]")
        if (why := problem(environment, self.groups)) is not None:
            raise ValueError(f"environments.{name}: {why}")
        for freeze in environment.freezes:
            strange = sorted(set(freeze.except_services) - environment.services.keys())
            if strange:
                raise ValueError(f"environments.{name}.freezes: no service {strange[0]!r} there")
        for service in environment.services if environment.required_checks else ():
            repository = self.services[service].repository
            if self.repositories[repository].github_name is None:
                raise ValueError(
                    f"environments.{name}.required_checks: say whose checks, as owner/name in "
                    f"repositories.{repository}.github"
                )

    def approvers(self, environment: str) -> tuple[str, ...]:
        """Return everybody whom the configuration lets approve there; Slack may know more."""
        return approvers(self.environments[environment], self.groups)

    def before(self, service: str) -> frozenset[str]:
        """Return all services that have to be live before this one, near and far."""
        found: set[str] = set()
        wanted = list(self.services[service].after)
        while wanted:
            name = wanted.pop()
            if name not in found and name in self.services:
                found.add(name)
                wanted += self.services[name].after
        return frozenset(found)

    def _earlier_environment_fits(
        self, name: str, environment: EnvironmentTable, earlier_name: str
    ) -> None:
        earlier = self.environments.get(earlier_name)
        if earlier is None:
            raise ValueError(f"environments.{name}.verified_in: no environment {earlier_name!r}")
        if earlier.order >= environment.order:
            raise ValueError(f"environments.{name}.verified_in: {earlier_name} must come earlier")
        if not earlier.is_proved:
            raise ValueError(
                f"environments.{name}.verified_in: {earlier_name} has no tests, so nothing would "
                "ever be verified there"
            )
        missing = sorted(environment.services.keys() - earlier.services.keys())
        if missing:
            raise ValueError(
                f"environments.{name}.verified_in: {', '.join(missing)} is not in {earlier_name}"
            )

    def in_order(self, services: Iterable[str]) -> tuple[str, ...]:
        """Return the services, each once, in the order in which they go live; unknown ones last."""
        known = list(self.services)
        wanted = dict.fromkeys(services)
        return tuple(
            sorted(wanted, key=lambda name: known.index(name) if name in known else len(known))
        )

    def tests_repository(self, environment: str) -> str:
        """Return the repository that holds an environment's tests; ValueError if none is named."""
        table = self.environments[environment]
        shared = {self.services[service].repository for service in table.services}
        name = table.tests_repository or (shared.pop() if len(shared) == 1 else None)
        if name is None or name not in self.repositories:
            raise ValueError(f"environments.{environment}: set tests_repository to a repository")
        return name

    def config_hash(self, service: str, environment: str) -> str:
        """Return the SHA-256, in hex, of all settings that decide what runs and by whose leave."""
        table, place = self.services[service], self.environments[environment]
        other = {"services", "tests", "tests_path", "tests_repository", "tests_timeout_seconds"}
        # Asked again right before a start:
        other |= {"lock_reminder_hours", "freezes", "max_commits", "over_max_commits"}
        other |= {"offer_after_hours", "bake_seconds", "time_zone", "tests_variables"}
        other |= ApprovalTable.model_fields.keys()  # `decides` says which of them
        settings = {
            "repository": self.repositories[table.repository].model_dump(mode="json"),
            "service": table.model_dump(mode="json", exclude={"risky"}),
            "environment": place.model_dump(mode="json", exclude=other) | place.decides(),
            "live": place.services[service].model_dump(mode="json"),
        }
        canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def within(self, directory: Path) -> Self:
        """Return the same catalog, with relative paths read from `directory`."""
        repositories = {
            name: table.model_copy(update={"path": directory / table.path})
            for name, table in self.repositories.items()
        }
        services = {
            name: table.model_copy(update={"target": table.target.within(directory)})
            for name, table in self.services.items()
        }
        return self.model_copy(update={"repositories": repositories, "services": services})

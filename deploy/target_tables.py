"""How a service is deployed: one table of settings for each kind of target; the rest is `catalog`'s."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    model_validator,
)

from deploy import kinds, placeholders
from deploy.any_target import VARIABLES, AnyTarget
from deploy.remote_tables import GitHubActionsTable, KubernetesTable, VercelTable
from deploy.values import Argv, Seconds, Variable

__all__ = ["VARIABLES", "AnyTarget", "CommandTable", "ReleasesTable", "TargetTable"]


class ReleasesTable(AnyTarget):
    """Release directories under `base`: build, health check, atomic switch, confirm.

    Commands see no environment variables but `variables`, those of the live service, and SHA,
    SERVICE, ENVIRONMENT and PORT: what runs is decided here and nowhere else.
    """

    kind: Literal["releases"]
    build: tuple[Argv, ...] = ()
    build_timeout_seconds: Seconds = 600
    start: Argv | None = None
    activate: Argv | None = None
    activate_timeout_seconds: Seconds = 60
    health: str = Field(default="/healthz", pattern=r"^/[A-Za-z0-9._~/?=&%-]*$")
    health_timeout_seconds: Seconds = 30
    confirm_timeout_seconds: Seconds = 60
    variables: dict[Variable, str] = VARIABLES
    minimum_free_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    keep_releases: int = Field(default=10, ge=2)

    def needs(self) -> frozenset[str]:
        """Return what the command that tells the service must know."""
        return placeholders.used(self.activate or ()) & {"port", "url"}

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        if any("port" in placeholders.used(argv) for argv in self.build):
            raise ValueError("{port} is not known while a release is built")
        commands = [*self.build, self.start or (), self.activate or ()]
        if any(placeholders.used(argv) & {"operation", "previous_sha"} for argv in commands):
            raise ValueError("{operation} and {previous_sha} are for targets of kind command")
        return self


class CommandTable(AnyTarget):
    """Commands of your own that deploy, roll back, and tell what is live and what happened.

    `current` prints the live commit as the first word of its last line. `probe` is asked what
    became of an operation: exit code 0 says that it succeeded, 1 that it failed, any other that it
    cannot be told.
    """

    kind: Literal["command"]
    deploy: Argv
    roll_back: Argv | None = None
    current: Argv | None = None
    probe: Argv | None = None
    directory: Path = Path()
    ask_timeout_seconds: Seconds = 30
    variables: dict[Variable, str] = VARIABLES

    def needs(self) -> frozenset[str]:
        """Return whether a command must know the address of the service."""
        return frozenset().union(*map(placeholders.used, self._commands())) & {"url"}

    def within(self, directory: Path) -> Self:
        """Return the same table, with relative paths read from `directory`."""
        here = {"base": directory / self.base, "directory": directory / self.directory}
        return self.model_copy(update=here)

    def _commands(self) -> tuple[Argv, ...]:
        commands = (self.deploy, self.roll_back, self.current, self.probe)
        return tuple(argv for argv in commands if argv is not None)

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        if any(placeholders.used(argv) & {"release", "port"} for argv in self._commands()):
            raise ValueError("{release} and {port} are for targets of kind releases")
        if self.current and placeholders.used(self.current) - {"service", "environment", "url"}:
            raise ValueError("current: only {service}, {environment} and {url} are known to it")
        if self.probe and "previous_sha" in placeholders.used(self.probe):
            raise ValueError("probe: {previous_sha} is not known to it")
        return self


def _brought(value: object) -> AnyTarget:
    """Return the table of a kind that another package brings, checked by that package."""
    if isinstance(value, AnyTarget):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise ValueError("kind: say which kind of target it is")  # noqa: TRY004 (for pydantic)
    table = kinds.find(kind).table.model_validate(value)
    if not isinstance(table, AnyTarget):
        raise ValueError(f"the table of kind {kind!r} is no AnyTarget")  # noqa: TRY004 (as above)
    return table


def _tag(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in kinds.BUILT_IN else "other"


TargetTable = Annotated[
    Annotated[ReleasesTable, Tag("releases")]
    | Annotated[CommandTable, Tag("command")]
    | Annotated[GitHubActionsTable, Tag("github_actions")]
    | Annotated[VercelTable, Tag("vercel")]
    | Annotated[KubernetesTable, Tag("kubernetes")]
    | Annotated[SerializeAsAny[AnyTarget], BeforeValidator(_brought), Tag("other")],
    Discriminator(_tag),
]
"""How a service is deployed, told apart by `kind`; other packages may bring more (`kinds`)."""


def place_in_file(location: tuple[int | str, ...]) -> str:
    """Return where in a file a validation error stands, without the name of the kind."""
    parts = [str(part) for part in location]
    if "target" in parts[:-1]:
        del parts[parts.index("target") + 1]
    return ".".join(parts)

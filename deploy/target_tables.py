"""How a service is deployed: one table of settings for each kind of target; the rest is `catalog`'s."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    model_validator,
)

from deploy import kinds, placeholders
from deploy.values import Argv, Name, Seconds, Url, Variable

VARIABLES = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
"""What a command sees of the environment when its table says nothing."""


class AnyTarget(BaseModel):
    """What every kind of target is told, whatever it is.

    `base` is the folder of its journals. An order that takes longer than `timeout_seconds` in all
    is ended, and so is one of which nothing was heard for `silence_seconds`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    base: Path
    timeout_seconds: Seconds = 3600
    silence_seconds: Seconds = 900

    def needs(self) -> frozenset[str]:
        """Return which of `port` and `url` must be set wherever this target is used."""
        return frozenset()

    def within(self, directory: Path) -> Self:
        """Return the same table, with relative paths read from `directory`."""
        return self.model_copy(update={"base": directory / self.base})


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


class RemoteTable(AnyTarget):
    """What runs elsewhere: how often it is looked at, and how long it may stay out of sight.

    What has not appeared `appears_within_seconds` after it was asked for, or has not ended
    `stops_within_seconds` after it was asked to stop, is told as unknown.
    """

    look_again_seconds: Seconds = 5
    appears_within_seconds: Seconds = 120
    stops_within_seconds: Seconds = 120


class GitHubActionsTable(RemoteTable):
    """A workflow of GitHub Actions, dispatched with the commit.

    It must take the inputs `sha`, `operation`, `environment` and `service` (and `tag`, if that is
    set here), and name its runs so that their title holds the operation.
    """

    kind: Literal["github_actions"]
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
    workflow: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$")] = "main"
    inputs: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")], str] = {}
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._{}-]*$")] | None = None
    """A release tag to make for each deploy, with {date}, {n}, {service} or {environment}."""
    deployments: bool = True
    """Whether GitHub is told as deployments and their statuses; they then witness what is live."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        taken = {"sha", "operation", "environment", "service", "tag"} & self.inputs.keys()
        if taken:
            raise ValueError(f"inputs: {', '.join(sorted(taken))} is filled in by deploybot")
        if self.tag is not None:
            words = {"date": "1", "n": "1", "service": "s", "environment": "e"}
            try:
                self.tag.format_map(words)
            except (KeyError, ValueError, IndexError, AttributeError):
                text = "tag: only {date}, {n}, {service} and {environment} are known to it"
                raise ValueError(text) from None
            if "{n}" not in self.tag:
                raise ValueError("tag: without {n}, the second deploy of a day would have no name")
        return self


class VercelTable(RemoteTable):
    """A Vercel project: the production build of the commit is promoted, or rolled back to."""

    kind: Literal["vercel"]
    project: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    team: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")] | None = None


class KubernetesTable(RemoteTable):
    """A Deployment of Kubernetes, whose container is given the image of the commit.

    `image` holds {sha}, or {digest}: then `digest` is a command that prints the image's digest.
    The cluster is that of `server`, or of `context` in `kubeconfig`, or the one it runs in.
    """

    kind: Literal["kubernetes"]
    namespace: Name = "default"
    deployment: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    container: Name
    image: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./:_@{}-]*$")]
    digest: Argv | None = None
    digest_timeout_seconds: Seconds = 30
    variables: dict[Variable, str] = VARIABLES
    """What the digest command sees of the environment."""
    server: Url | None = None
    certificate_authority: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image.count("{sha}") + self.image.count("{digest}") != 1:
            raise ValueError("image: it must hold {sha} or {digest}, once")
        if "{" in self.image.replace("{sha}", "").replace("{digest}", ""):
            raise ValueError("image: only {sha} and {digest} are known to it")
        if ("{digest}" in self.image) != (self.digest is not None):
            raise ValueError("digest: set the command that prints it if image holds {digest}")
        words = {"sha", "service", "environment"}
        if self.digest is not None and placeholders.used(self.digest) - words:
            raise ValueError("digest: only {sha}, {service} and {environment} are known to it")
        if self.server is not None and (self.kubeconfig or self.context):
            raise ValueError("server: set either it, or kubeconfig and context")
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

"""How a service is deployed where it runs elsewhere: GitHub Actions, Vercel and Kubernetes."""

from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from deploy import placeholders
from deploy.any_target import VARIABLES, AnyTarget
from deploy.values import Argv, Seconds, Url, Variable


class RemoteTable(AnyTarget):
    """What runs elsewhere: how often it is looked at, and how long it may stay out of sight.

    What has not appeared `appears_within_seconds` after it was asked for, or has not ended
    `stops_within_seconds` after it was asked to stop, is told as unknown.
    """

    look_again_seconds: Seconds = 5
    appears_within_seconds: Seconds = 120
    stops_within_seconds: Seconds = 120


_Filled = Annotated[str, Field(pattern=r"^([A-Za-z0-9_./:-]|\{service\}|\{environment\})+$")]
"""A name in which {service} and {environment} are filled in."""


def filled(text: str, service: str, environment: str) -> str:
    """Return a name with {service} and {environment} filled in."""
    return text.replace("{service}", service).replace("{environment}", environment)


_Input = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]


class GitHubActionsTable(RemoteTable):
    """A workflow of GitHub Actions, dispatched with the commit.

    It must take the inputs `sha`, `operation`, `environment` and `service` (and `tag`, if that is
    set here), and name its runs so that their title holds the operation.
    """

    kind: Literal["github_actions"]
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
    workflow: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$")] = "main"
    inputs: dict[_Input, str] = Field(default_factory=dict)
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
    """A Vercel project: the production build of the commit is promoted, or rolled back to.

    {service} and {environment} in its name are filled in.
    """

    kind: Literal["vercel"]
    project: _Filled
    team: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")] | None = None

    def place(self, service: str, environment: str) -> str:
        """Return the project."""
        return f"the Vercel project {filled(self.project, service, environment)}"


class KubernetesTable(RemoteTable):
    """A Deployment of Kubernetes, whose container is given the image of the commit.

    `image` holds {sha}, or {digest}: then `digest` is a command that prints the image's digest.
    The cluster is that of `server`, or of `context` in `kubeconfig`, or the one it runs in. In all
    names {service} and {environment} are filled in.
    """

    kind: Literal["kubernetes"]
    namespace: _Filled = "default"
    deployment: _Filled
    container: _Filled
    image: Annotated[str, Field(pattern=r"^[A-Za-z0-9{][A-Za-z0-9./:_@{}-]*$")]
    digest: Argv | None = None
    digest_timeout_seconds: Seconds = 30
    variables: dict[Variable, str] = VARIABLES
    """What the digest command sees of the environment."""
    server: Url | None = None
    certificate_authority: Path | None = None
    kubeconfig: Path | None = None
    context: _Filled | None = None

    def within(self, directory: Path) -> Self:
        """Return the same table, with relative paths read from `directory`."""
        certificate, config = self.certificate_authority, self.kubeconfig
        files = {
            "certificate_authority": directory / certificate if certificate else None,
            "kubeconfig": directory / config if config else None,
        }
        return super().within(directory).model_copy(update=files)

    def place(self, service: str, environment: str) -> str:
        """Return the Deployment."""
        where = (self.server, self.context, self.namespace, self.deployment)
        names = (filled(part, service, environment) for part in where if part)
        return f"the Kubernetes Deployment {' / '.join(names)}"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image.count("{sha}") + self.image.count("{digest}") != 1:
            raise ValueError("image: it must hold {sha} or {digest}, once")
        known = ("{sha}", "{digest}", "{service}", "{environment}")
        if "{" in reduce(lambda text, word: text.replace(word, ""), known, self.image):
            raise ValueError(f"image: only {', '.join(known)} are known to it")
        if ("{digest}" in self.image) != (self.digest is not None):
            raise ValueError("digest: set the command that prints it if image holds {digest}")
        words = {"sha", "service", "environment"}
        if self.digest is not None and placeholders.used(self.digest) - words:
            raise ValueError("digest: only {sha}, {service} and {environment} are known to it")
        if self.server is not None and (self.kubeconfig or self.context):
            raise ValueError("server: set either it, or kubeconfig and context")
        return self


def shared(uses: Iterable[tuple[AnyTarget, str, str]]) -> str | None:
    """Return in words which two services or environments are one place elsewhere, if any are."""
    places: dict[str, str] = {}
    for table, service, environment in uses:
        place, here = table.place(service, environment), f"{service} on {environment}"
        if place is not None and places.setdefault(place, here) != here:
            return (
                f"{places[place]} and {here} are both {place}: write {{environment}} or {{service}} "
                "into its name, so that each is a place of its own"
            )
    return None

"""Vercel's REST API, as far as promoting goes: what is asked, and its answers as they are checked."""

import json
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import urllib3
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import HTTPError

from deploy import failpoints
from deploy.answers import REQUEST_SECONDS, refused, unheard
from deploy.connections import Connections
from deploy.errors import NoAnswerError

_SHAS = ("githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha")
_SEEN = 20


class _Answer(BaseModel):
    """Part of an answer: what is not named here is left aside."""

    model_config = {"frozen": True, "extra": "ignore"}


class AliasError(_Answer):
    """Why a domain could not be moved."""

    code: str
    message: str


class Deployment(_Answer):
    """One build of a project."""

    uid: str
    state: str = ""
    readyState: str = ""  # noqa: N815 (Vercel's name, as all that follow)
    target: str | None = None
    createdAt: int = 0  # noqa: N815
    inspectorUrl: str | None = None  # noqa: N815
    aliasError: AliasError | None = None  # noqa: N815

    @property
    def stands_as(self) -> str:
        """How far the build is: READY, BUILDING and so on."""
        return self.readyState or self.state


class Production(_Answer):
    """The deployment that the production domains lead to."""

    id: str
    createdAt: int  # noqa: N815
    readyAt: int | None = None  # noqa: N815
    meta: dict[str, str] = {}

    @property
    def sha(self) -> str | None:
        """The commit that it was built from, if it was built from one."""
        return next((self.meta[name] for name in _SHAS if name in self.meta), None)


class AliasRequest(_Answer):
    """The last time when the production domains were moved, or are being moved."""

    toDeploymentId: str  # noqa: N815
    fromDeploymentId: str | None = None  # noqa: N815
    jobStatus: Literal["succeeded", "skipped", "pending", "in-progress", "failed"]  # noqa: N815
    requestedAt: int  # noqa: N815
    type: Literal["promote", "rollback"]

    @property
    def goes_on(self) -> bool:
        """Whether domains are still being moved."""
        return self.jobStatus in ("pending", "in-progress")


class Targets(_Answer):
    """What is live where."""

    production: Production | None = None


class Project(_Answer):
    """One project: its id, what is live, and the last move of its domains."""

    id: str
    targets: Targets = Targets()
    lastAliasRequest: AliasRequest | None = None  # noqa: N815


class Alias(_Answer):
    """One domain of a move, and how it stands."""

    alias: str
    status: str


class _Deployments(_Answer):
    deployments: tuple[Deployment, ...]


class _Aliases(_Answer):
    aliases: tuple[Alias, ...] = ()


AnswerT = TypeVar("AnswerT", bound=BaseModel)


class Vercel:
    """One project of one team, spoken to with one token; raises PlaceError."""

    def __init__(self, connections: Connections, project: str, team: str | None) -> None:
        self._url = connections.vercel_url
        self._token = connections.vercel_token
        self._name = project
        self._team = {"teamId": team} if team else {}

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "deploybot", "Content-Type": "application/json"}
        if token := self._token.get_secret_value():
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def project(self) -> Project:
        """Return the project as it is now."""
        path = f"/v9/projects/{self._name}"
        return self._checked(Project, self._ask("GET", path, "show the project"))

    def builds(self, sha: str) -> tuple[Deployment, ...]:
        """Return the production builds of a commit, the newest first."""
        query = {"projectId": self._name, "target": "production", "sha": sha, "limit": str(_SEEN)}
        found = self._ask("GET", "/v7/deployments", "list the builds", query)
        return self._checked(_Deployments, found).deployments

    def aliases(self) -> tuple[Alias, ...]:
        """Return the domains of the last move."""
        path = f"/v1/projects/{self._name}/promote/aliases"
        found = self._ask("GET", path, "list the domains", {"limit": "100"})
        return self._checked(_Aliases, found).aliases

    def promote(self, deployment: str) -> None:
        """Ask that the production domains lead to a deployment."""
        path = f"/v10/projects/{self._name}/promote/{deployment}"
        self._ask("POST", path, f"promote {deployment}")

    def roll_back(self, deployment: str, says: str) -> None:
        """Ask that they lead to an earlier one again."""
        path = f"/v1/projects/{self._name}/rollback/{deployment}"
        self._ask("POST", path, f"roll back to {deployment}", {"description": says})

    def _ask(
        self, method: str, path: str, doing: str, query: dict[str, str] | None = None
    ) -> bytes:
        fields = {**(query or {}), **self._team}
        try:
            failpoints.at("vercel.call.before")
            with urllib3.PoolManager(retries=False, timeout=REQUEST_SECONDS) as pool:
                answer = pool.request(
                    method,
                    f"{self._url}{path}?{urlencode(fields)}",
                    headers=self._headers(),
                    redirect=False,
                )
            failpoints.at("vercel.call.after", lost=HTTPError)
        except HTTPError as error:
            raise unheard("Vercel", doing, error) from None
        if answer.status >= 300:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            raise refused("Vercel", doing, answer.status, headers, _reason(answer.data))
        return answer.data

    def _checked(self, model: type[AnswerT], answer: bytes) -> AnswerT:
        try:
            return model.model_validate_json(answer)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            text = f"Vercel answered with what is not its API's ({model.__name__}: {where})."
            raise NoAnswerError(text) from None


def _reason(answer: bytes) -> str | None:
    """Return what an answer that is an error says."""
    try:
        said: Any = json.loads(answer)
    except ValueError:
        return None
    error = said.get("error") if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None

"""A Vercel of our own: one project, its builds and its domains, held to the published parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from loopback_api import Answer, Asked, LoopbackApi
from shop import now

TOKEN = "vercel_canary_token_of_the_tests"
TEAM = {"teamId", "slug"}
PARAMETERS: dict[str, set[str]] = {
    "GET /v7/deployments": {
        *("app", "from", "limit", "projectId", "projectIds", "target", "to", "users", "since"),
        *("until", "state", "rollbackCandidate", "branch", "sha"),
        *TEAM,
    },
    "GET /v9/projects/{}": TEAM,
    "POST /v10/projects/{}/promote/{}": TEAM,
    "POST /v1/projects/{}/rollback/{}": TEAM | {"description"},
    "GET /v1/projects/{}/promote/aliases": TEAM | {"limit", "since", "until", "failedOnly"},
}
"""The operations that are used, and the query parameters that the API's reference lists for each."""
DOMAINS = ("shop.example", "www.shop.example", "shop-git-main.example")


def _now() -> int:
    return int(now().timestamp() * 1000)


@dataclass
class Move:
    """One time when the domains were led to another build."""

    to: str
    origin: str | None
    kind: str
    number: int
    looks: int = 0
    status: str = "pending"


class VercelApi(LoopbackApi):
    """The project `shop`, whose moves end after `takes` looks at them.

    `says` lets one more domain follow at each look, for ever; `fails` lets the last one refuse.
    """

    def __init__(self) -> None:
        super().__init__()
        self.project = "shop"
        self.builds: list[dict[str, Any]] = []
        self.live: str | None = None
        self.moves: list[Move] = []
        self.takes, self.says, self.fails = 2, False, False
        self._numbers = count(1)

    def build(self, sha: str, state: str = "READY", target: str = "production") -> str:
        """Have a commit built; return the build's id."""
        number = next(self._numbers)
        made = {
            "uid": f"dpl_{number}",
            "name": self.project,
            "url": f"shop-{number}.vercel.example",
            "created": _now(),
            "createdAt": _now(),
            "creator": {"uid": "u1"},
            "type": "LAMBDAS",
            "state": state,
            "readyState": state,
            "target": target,
            "inspectorUrl": f"https://vercel.example/acme/shop/{number}",
            "meta": {"githubCommitSha": sha},
        }
        self.builds.append(made)
        return f"dpl_{number}"

    def sha_of(self, build: str | None) -> str | None:
        """Return the commit of a build."""
        found = next((b for b in self.builds if b["uid"] == build), None)
        return found["meta"].get("githubCommitSha") if found else None

    def answer(self, asked: Asked) -> Answer:
        """Do what is asked, if it is as published; whatever is not is kept in `violations`."""
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(403, "forbidden", "Not authorized")
        parts = asked.path.strip("/").split("/")
        act: Callable[[], Answer]
        match [asked.method, *parts]:
            case ["GET", "v7", "deployments"]:
                shape, act = "GET /v7/deployments", partial(self._list, asked.query)
            case ["GET", "v9", "projects", name]:
                shape, act = "GET /v9/projects/{}", partial(self._show, name)
            case ["POST", "v10", "projects", name, "promote", build]:
                shape = "POST /v10/projects/{}/promote/{}"
                act = partial(self._move, name, build, "promote")
            case ["POST", "v1", "projects", name, "rollback", build]:
                shape = "POST /v1/projects/{}/rollback/{}"
                act = partial(self._move, name, build, "rollback")
            case ["GET", "v1", "projects", name, "promote", "aliases"]:
                shape, act = "GET /v1/projects/{}/promote/aliases", self._aliases
            case _:
                self.violations.append(f"{asked.method} {asked.path} is not published")
                return _error(404, "not_found", "Not Found")
        unknown = asked.query.keys() - PARAMETERS[shape]
        if unknown or asked.body is not None:
            self.violations.append(f"{shape}: {sorted(unknown)} or a body is not published")
            return _error(400, "bad_request", "should NOT have additional property")
        return act()

    def _list(self, query: dict[str, str]) -> Answer:
        found = [
            build
            for build in reversed(self.builds)
            if query.get("sha") in (None, build["meta"].get("githubCommitSha"))
            and query.get("target") in (None, build["target"])
            and query.get("state") in (None, build["state"])
            and query.get("projectId") in (None, self.project)
        ]
        page = found[: int(query.get("limit", 20))]
        pagination = {"count": len(page), "next": None, "prev": None}
        return Answer(200, {"deployments": page, "pagination": pagination})

    def _show(self, name: str) -> Answer:
        if name != self.project:
            return _error(404, "not_found", "Project not found.")
        self._go_on()
        shown: dict[str, Any] = {"id": "prj_1", "accountId": "team_1", "name": name, "targets": {}}
        live = next((b for b in self.builds if b["uid"] == self.live), None)
        if live is not None:
            shown["targets"]["production"] = {
                "id": live["uid"],
                "createdAt": live["createdAt"],
                "readyState": "READY",
                "meta": live["meta"],
                "url": live["url"],
            }
        if self.moves:
            last = self.moves[-1]
            shown["lastAliasRequest"] = {
                "fromDeploymentId": last.origin,
                "toDeploymentId": last.to,
                "jobStatus": last.status,
                "requestedAt": last.number,
                "type": last.kind,
            }
        return Answer(200, shown)

    def _go_on(self) -> None:
        if not self.moves or self.moves[-1].status in ("succeeded", "failed"):
            return
        move = self.moves[-1]
        move.looks += 1
        if move.looks < self.takes or (move.kind == "rollback" and move.looks < 2):
            move.status = "in-progress"
        elif self.fails and move.kind == "promote":
            move.status = "failed"
            build = next(b for b in self.builds if b["uid"] == move.to)
            text = "there is no such thing as a free deploy"
            build["aliasError"] = {"code": "cert_missing", "message": text}
        else:
            move.status, self.live = "succeeded", move.to

    def _move(self, name: str, build: str, kind: str) -> Answer:
        known = any(b["uid"] == build and b["state"] == "READY" for b in self.builds)
        if name != self.project or not known:
            return _error(404, "not_found", "Deployment not found")
        number = _now() + len(self.moves)
        self.moves.append(Move(build, self.live, kind, number))
        if kind == "rollback":
            self.moves[-1].looks = self.takes
        return Answer(201 if kind == "rollback" else 202)

    def _aliases(self) -> Answer:
        move = self.moves[-1]
        done = move.looks if self.says else move.looks * len(DOMAINS) // max(self.takes, 1)
        if move.status == "failed":
            states = ["completed", "completed", "failed"]
        elif self.says:
            states = ["completed" if (done >> bit) & 1 else "pending" for bit in range(3)]
        else:
            states = ["completed" if bit < done else "pending" for bit in range(3)]
        pairs = zip(DOMAINS, states, strict=True)
        aliases = [{"alias": name, "id": name, "status": state} for name, state in pairs]
        pagination = {"count": 3, "next": None, "prev": None}
        return Answer(200, {"aliases": aliases, "pagination": pagination})


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})

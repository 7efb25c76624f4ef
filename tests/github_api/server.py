"""A GitHub of our own: dispatches, runs, deployments, tags and checks, held to the published API."""

import hashlib
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from loopback_api import Answer, Asked, Kind, LoopbackApi
from openapi_check import Description
from shop import now

TOKEN = "ghp_canary_token_of_the_tests"
DESCRIPTION = Description(Path(__file__).parent / "openapi.json")


def _now() -> str:
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Run:
    """One run of a workflow: what it was given, and how far it is."""

    id: int
    workflow: str
    inputs: dict[str, str]
    ref: str
    takes: int
    ends_as: str
    hidden: int
    created_at: str = field(default_factory=_now)
    updated_at: str = field(default_factory=_now)
    status: str = "queued"
    conclusion: str | None = None
    looks: int = 0

    def looked_at(self) -> None:
        """Go on by one look."""
        if self.status == "completed":
            return
        self.looks += 1
        if self.looks >= self.takes:
            self.end(self.ends_as)
        elif self.looks > 1:
            self.status = "in_progress"

    def end(self, conclusion: str) -> None:
        self.status, self.conclusion, self.updated_at = "completed", conclusion, _now()


class GitHubApi(LoopbackApi):
    """One repository; a run ends after `takes` looks at it, as `ends_as`.

    `hidden` hides a new run from that many looks. `details` is whether a dispatch names its run:
    "given" (200), "none" (204), or "unknown" (422 for the parameter, as older servers do). A run
    that `says` something shows another step at each look.
    """

    def __init__(self, repository: str = "acme/shop", workflow: str = "deploy.yml") -> None:
        super().__init__()
        self.repository = repository
        self.workflow = workflow
        self.runs: list[Run] = []
        self.deployments: list[dict[str, Any]] = []
        self.statuses: dict[int, list[dict[str, Any]]] = {}
        self.refs: dict[str, str] = {}
        self.tags: dict[str, dict[str, Any]] = {}
        self.checks: dict[str, list[dict[str, Any]]] = {}
        self.commit_statuses: dict[str, list[dict[str, Any]]] = {}
        self.takes, self.ends_as, self.hidden, self.details = 2, "success", 0, "given"
        self.says = False
        self._ids = count(1001)

    def rate_limited(self, kind: Kind) -> Answer:
        text = "API rate limit exceeded for user ID 1."
        if kind == "403 rate":
            return Answer(403, {"message": text}, {"Retry-After": "1"})
        return Answer(429, {"message": text}, {"Retry-After": "1"})

    def of(self, operation: str) -> list[Run]:
        """Return the runs that were dispatched for an operation."""
        return [run for run in self.runs if run.inputs.get("operation") == operation]

    def answer(self, asked: Asked) -> Answer:
        """Do what is asked, if it is as published; whatever is not is kept in `violations`."""
        if asked.path.startswith("/blob/"):
            if "authorization" in asked.headers:
                self.violations.append("the token was shown to where the log is kept")
            return Answer(
                200, b"\x1b[36;1mcompiling\x1b[0m\nthere is no such thing as a free deploy\n"
            )
        if TOKEN not in asked.headers.get("authorization", ""):
            return Answer(401, {"message": "Bad credentials"})
        route = DESCRIPTION.route(asked.method, asked.path)
        if route is None:
            self.violations.append(f"{asked.method} {asked.path} is not published")
            return Answer(404, {"message": "Not Found"})
        name, braces, operation = route
        faults = DESCRIPTION.faults_of_request(operation, braces, asked.query, asked.body)
        if faults:
            self.violations += [f"{asked.method} {asked.path}: {fault}" for fault in faults]
            return Answer(422, {"message": f"Validation Failed: {faults[0]}"})
        if f"{braces['owner']}/{braces['repo']}" != self.repository:
            return Answer(404, {"message": "Not Found"})
        answer = self._act(
            f"{asked.method} {name.removeprefix('/repos/{owner}/{repo}')}", braces, asked
        )
        if answer.status < 300 and answer.body is not None:
            schema = DESCRIPTION.schema(operation, answer.status)
            answer = Answer(answer.status, DESCRIPTION.filled(schema, answer.body), answer.headers)
            faults = DESCRIPTION.faults_of_answer(operation, answer.status, answer.body)
            self.violations += [f"answer to {asked.path}: {fault}" for fault in faults]
        return answer

    def _act(self, what: str, braces: dict[str, str], asked: Asked) -> Answer:  # noqa: C901, PLR0911, PLR0912
        match what:
            case "POST /actions/workflows/{workflow_id}/dispatches":
                return self._dispatch(braces["workflow_id"], asked.body)
            case "GET /actions/workflows/{workflow_id}":
                if braces["workflow_id"] != self.workflow:
                    return Answer(404, {"message": "Not Found"})
                path = f"/repos/{self.repository}/actions/workflows/{self.workflow}"
                return Answer(200, {"id": 7, "name": "deploy", "url": self.url + path})
            case "GET /actions/workflows/{workflow_id}/runs":
                return self._list_runs(asked.query)
            case "GET /actions/runs/{run_id}":
                run = self._run(int(braces["run_id"]))
                if run is None:
                    return Answer(404, {"message": "Not Found"})
                run.looked_at()
                return Answer(200, self._shown(run))
            case "GET /actions/runs/{run_id}/jobs":
                run = self._run(int(braces["run_id"]))
                jobs = [self._job(run)] if run and run.status != "queued" else []
                return Answer(200, {"total_count": len(jobs), "jobs": jobs})
            case "GET /actions/jobs/{job_id}/logs":
                return Answer(302, None, {"Location": f"{self.url}/blob/{braces['job_id']}"})
            case "POST /actions/runs/{run_id}/cancel":
                run = self._run(int(braces["run_id"]))
                if run is None or run.status == "completed":
                    return Answer(
                        409, {"message": "Cannot cancel a workflow run that is completed."}
                    )
                run.end("cancelled")
                return Answer(202, {})
            case "GET /deployments":
                return Answer(200, self._list_deployments(asked.query))
            case "POST /deployments":
                return self._deploy(asked.body)
            case "GET /deployments/{deployment_id}":
                return Answer(200, self._deployment(int(braces["deployment_id"])))
            case "GET /deployments/{deployment_id}/statuses":
                return Answer(200, self.statuses[int(braces["deployment_id"])][::-1])
            case "POST /deployments/{deployment_id}/statuses":
                status = {**asked.body, "id": next(self._ids), "created_at": _now()}
                status.pop("auto_inactive", None)
                self.statuses[int(braces["deployment_id"])].append(status)
                return Answer(201, status)
            case "GET /git/matching-refs/{ref}":
                head = f"refs/{braces['ref']}"
                return Answer(200, [self._ref(n) for n in sorted(self.refs) if n.startswith(head)])
            case "GET /git/ref/{ref}":
                name = f"refs/{braces['ref']}"
                known = name in self.refs
                return (
                    Answer(200, self._ref(name)) if known else Answer(404, {"message": "Not Found"})
                )
            case "POST /git/tags":
                sha = hashlib.sha1(f"{asked.body}{next(self._ids)}".encode()).hexdigest()
                self.tags[sha] = {**asked.body, "sha": sha}
                made = {"sha": sha, "tag": asked.body["tag"], "message": asked.body["message"]}
                return Answer(201, made)
            case "POST /git/refs":
                name = asked.body["ref"]
                if name in self.refs:
                    return Answer(422, {"message": "Reference already exists"})
                self.refs[name] = asked.body["sha"]
                return Answer(201, self._ref(name))
            case "GET /commits/{ref}":
                path = f"/repos/{self.repository}/commits/{braces['ref']}"
                return Answer(200, {"sha": braces["ref"], "url": self.url + path})
            case "GET /commits/{ref}/check-runs":
                runs = self.checks.get(braces["ref"], [])
                return Answer(200, {"total_count": len(runs), "check_runs": runs})
            case "GET /commits/{ref}/status":
                set_so_far = self.commit_statuses.get(braces["ref"], [])
                total = {"total_count": len(set_so_far), "sha": braces["ref"]}
                bad = any(status["state"] in ("failure", "error") for status in set_so_far)
                state = "failure" if bad else "success" if set_so_far else "pending"
                return Answer(200, {**total, "state": state, "statuses": set_so_far})
        raise NotImplementedError(what)

    def _dispatch(self, workflow: str, body: dict[str, Any]) -> Answer:
        if workflow != self.workflow:
            return Answer(404, {"message": "Not Found"})
        if self.details == "unknown" and "return_run_details" in body:
            return Answer(422, {"message": '"return_run_details" is not a permitted key.'})
        run = Run(
            id=next(self._ids),
            workflow=workflow,
            inputs=body.get("inputs", {}),
            ref=body["ref"],
            takes=self.takes,
            ends_as=self.ends_as,
            hidden=self.hidden,
        )
        self.runs.append(run)
        if self.details != "given":
            return Answer(204)
        place = f"/repos/{self.repository}/actions/runs/{run.id}"
        names = {"run_url": self.url + place, "html_url": self._page(run)}
        return Answer(200, {"workflow_run_id": run.id, **names})

    def _list_runs(self, query: dict[str, str]) -> Answer:
        since = query.get("created", ">=").removeprefix(">=")
        shown: list[Run] = []
        for run in reversed(self.runs):
            if run.hidden > 0:
                run.hidden -= 1
            elif run.created_at >= since:
                run.looked_at()
                shown.append(run)
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        part = shown[(page - 1) * size : page * size]
        runs = [self._shown(run) for run in part]
        return Answer(200, {"total_count": len(shown), "workflow_runs": runs})

    def _run(self, number: int) -> Run | None:
        run = next((run for run in self.runs if run.id == number), None)
        if run is not None and run.hidden > 0:
            run.hidden -= 1
            return None
        return run

    def _page(self, run: Run) -> str:
        return f"https://github.example/{self.repository}/actions/runs/{run.id}"

    def _shown(self, run: Run) -> dict[str, Any]:
        place = f"{self.url}/repos/{self.repository}/actions/runs/{run.id}"
        operation = run.inputs.get("operation", "")
        return {
            "id": run.id,
            "name": "deploy",
            "display_title": f"Deploy {run.inputs.get('service')} ({operation})",
            "event": "workflow_dispatch",
            "status": run.status,
            "conclusion": run.conclusion,
            "head_branch": run.ref,
            "url": place,
            "html_url": self._page(run),
            "jobs_url": f"{place}/jobs",
            "cancel_url": f"{place}/cancel",
            "created_at": run.created_at,
            "updated_at": run.updated_at,
        }

    def _job(self, run: Run) -> dict[str, Any]:
        ended = run.status == "completed"
        number = 2 + (run.looks if self.says else 0)
        step = {"name": "Roll out", "number": number, "status": run.status}
        step["conclusion"] = run.conclusion
        done = {"name": "Set up", "number": 1, "status": "completed", "conclusion": "success"}
        return {
            "id": run.id * 10,
            "run_id": run.id,
            "name": "deploy",
            "status": run.status,
            "conclusion": run.conclusion,
            "completed_at": run.updated_at if ended else None,
            "url": f"{self.url}/repos/{self.repository}/actions/jobs/{run.id * 10}",
            "html_url": self._page(run),
            "steps": [done, step],
        }

    def _deploy(self, body: dict[str, Any]) -> Answer:
        number = next(self._ids)
        made = {
            "id": number,
            "sha": body["ref"],
            "ref": body["ref"],
            "task": body.get("task", "deploy"),
            "environment": body.get("environment", "production"),
            "payload": body.get("payload", {}),
            "description": body.get("description"),
            "created_at": _now(),
            "url": f"{self.url}/repos/{self.repository}/deployments/{number}",
        }
        self.deployments.append(made)
        self.statuses[number] = []
        return Answer(201, made)

    def _list_deployments(self, query: dict[str, str]) -> list[dict[str, Any]]:
        names = ("task", "environment", "sha", "ref")
        return [
            made
            for made in reversed(self.deployments)
            if all(made[name] == query[name] for name in names if name in query)
        ]

    def _deployment(self, number: int) -> dict[str, Any]:
        return next(made for made in self.deployments if made["id"] == number)

    def _ref(self, name: str) -> dict[str, Any]:
        sha = self.refs[name]
        return {"ref": name, "object": {"type": "tag", "sha": sha, "url": f"{self.url}/x"}}

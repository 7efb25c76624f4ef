"""A cluster of our own: one Deployment with its pods, held to the models of the official client."""

import copy
import json
from dataclasses import dataclass
from typing import Any

from kubernetes.client.models.core_v1_event_list import CoreV1EventList
from kubernetes.client.models.v1_deployment import V1Deployment
from kubernetes.client.models.v1_pod_list import V1PodList
from loopback_api import Answer, Asked, LoopbackApi
from shop import now

TOKEN = "eyJhbGciOi.canary.token_of_the_tests"
PATCH = "application/strategic-merge-patch+json"
PARAMETERS = {
    "GET deployment": {"pretty"},
    "PATCH deployment": {"pretty", "dryRun", "fieldManager", "fieldValidation", "force"},
    "GET list": {
        *("pretty", "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit"),
        *("resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds"),
        "watch",
    },
}
"""The query parameters that the API's description lists for each operation."""
TROUBLE = "there is no such thing as a free deploy"


def _now() -> str:
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Rollout:
    """One image on its way to all pods."""

    image: str
    is_back: bool
    looks: int = 0
    state: str = "going"


class KubernetesApi(LoopbackApi):
    """The Deployment `backend` in the namespace `shop`, three pods; a rollout ends after `takes` looks.

    `says` lets the count of available pods change at each look, for ever; `fails` lets a new image
    never come up. A rollout back to the image before always comes up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.takes, self.says, self.fails = 2, False, False
        self.trouble = TROUBLE
        self.rollouts: list[Rollout] = []
        self.live = "registry.example/backend:by-hand"
        self._deployment: dict[str, Any] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "backend",
                "namespace": "shop",
                "generation": 1,
                "resourceVersion": "100",
                "annotations": {},
            },
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "backend"}},
                "template": {
                    "metadata": {"labels": {"app": "backend"}},
                    "spec": {
                        "containers": [
                            {"name": "sidecar", "image": "registry.example/sidecar:1"},
                            {"name": "web", "image": self.live},
                        ]
                    },
                },
            },
            "status": {},
        }
        self._stands(updated=3, available=3, observed=1)

    def set_by_hand(self, image: str) -> None:
        """Give the container another image, as `kubectl set image` does."""
        self._merge(
            {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
        )

    def answer(self, asked: Asked) -> Answer:
        """Do what is asked, if it is as described; whatever is not is kept in `violations`."""
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        match [asked.method, *asked.path.strip("/").split("/")]:
            case [
                ("GET" | "PATCH") as method,
                "apis",
                "apps",
                "v1",
                "namespaces",
                "shop",
                "deployments",
                name,
            ]:
                shape = f"{method} deployment"
            case ["GET", "api", "v1", "namespaces", "shop", "pods" | "events" as name]:
                shape = "GET list"
            case _:
                return _status(404, f"{asked.path} not found")
        unknown = asked.query.keys() - PARAMETERS[shape]
        if unknown:
            self.violations.append(f"{shape}: {sorted(unknown)} is not described")
        match shape, name:
            case "GET list", "pods":
                return _listed("PodList", self._pods(asked.query), V1PodList)
            case "GET list", _:
                return _listed("EventList", self._events(), CoreV1EventList)
            case _, "backend":
                return self._show() if asked.method == "GET" else self._patch(asked)
        return _status(404, f'deployments.apps "{name}" not found')

    def _show(self) -> Answer:
        self._go_on()
        return Answer(200, self._checked())

    def _patch(self, asked: Asked) -> Answer:
        if asked.headers.get("content-type") != PATCH:
            self.violations.append(f"a patch of type {asked.headers.get('content-type')}")
            return _status(415, "the body of the request was in an unknown format")
        patch = copy.deepcopy(asked.body)
        wanted = patch.get("metadata", {}).pop("resourceVersion", None)
        if wanted not in (None, self._deployment["metadata"]["resourceVersion"]):
            text = 'Operation cannot be fulfilled on deployments.apps "backend": the object has been modified'
            return _status(409, text)
        self._merge(patch)
        return Answer(200, self._checked())

    def _merge(self, patch: dict[str, Any]) -> None:
        there = self._deployment
        before = json.dumps(there["spec"], sort_keys=True)
        for name, value in patch.get("metadata", {}).get("annotations", {}).items():
            if value is None:
                there["metadata"]["annotations"].pop(name, None)
            else:
                there["metadata"]["annotations"][name] = value
        containers = there["spec"]["template"]["spec"]["containers"]
        given = patch.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
        for change in given:
            one = next(c for c in containers if c["name"] == change["name"])
            one.update(change)
        self._changed()
        if json.dumps(there["spec"], sort_keys=True) != before:
            there["metadata"]["generation"] += 1
            is_back = self.image == self.live
            self.rollouts.append(Rollout(self.image, is_back))

    @property
    def image(self) -> str:
        """The image that the container is meant to run."""
        containers = self._deployment["spec"]["template"]["spec"]["containers"]
        return next(c["image"] for c in containers if c["name"] == "web")

    def _changed(self) -> None:
        metadata = self._deployment["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def _go_on(self) -> None:
        """Let the controller act once."""
        if not self.rollouts or self.rollouts[-1].state != "going":
            return
        rollout = self.rollouts[-1]
        rollout.looks += 1
        observed = self._deployment["metadata"]["generation"]
        if rollout.is_back or (rollout.looks >= self.takes and not self.fails):
            rollout.state, self.live = "done", rollout.image
            self._stands(updated=3, available=3, observed=observed)
        elif rollout.looks == 1:
            self._stands(updated=3, available=3, observed=observed - 1)  # not yet seen
        elif self.fails and rollout.looks >= self.takes:
            rollout.state = "failed"
            self._stands(updated=1, available=3, observed=observed, late=True)
        else:
            available = rollout.looks % 3 if self.says else 1
            self._stands(updated=3, available=available, observed=observed)
        self._changed()

    def _stands(self, *, updated: int, available: int, observed: int, late: bool = False) -> None:
        reason = "ProgressDeadlineExceeded" if late else "ReplicaSetUpdated"
        text = 'ReplicaSet "backend-2" has timed out progressing.' if late else "progressing"
        condition = {
            "type": "Progressing",
            "status": str(not late),
            "reason": reason,
            "message": text,
        }
        self._deployment["status"] = {
            "observedGeneration": observed,
            "replicas": 3,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "readyReplicas": available,
            "conditions": [condition],
        }

    def _pods(self, query: dict[str, str]) -> list[dict[str, Any]]:
        if query.get("labelSelector") != "app=backend":
            return []
        bad = bool(self.rollouts) and self.fails and not self.rollouts[-1].is_back
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}
        status = {
            "name": "web",
            "image": self.image,
            "imageID": "",
            "ready": not bad,
            "restartCount": 3 if bad else 0,
            "state": state if bad else {"running": {"startedAt": _now()}},
        }
        pod = {
            "metadata": {"name": "backend-2-x7f", "namespace": "shop"},
            "status": {"phase": "Running", "containerStatuses": [status]},
        }
        return [pod]

    def _events(self) -> list[dict[str, Any]]:
        about = {"kind": "Pod", "name": "backend-2-x7f", "namespace": "shop"}
        event = {
            "metadata": {"name": "backend-2-x7f.1", "namespace": "shop"},
            "involvedObject": about,
            "type": "Warning",
            "reason": "BackOff",
            "message": self.trouble,
        }
        return [event]

    def _checked(self) -> dict[str, Any]:
        """Return the Deployment, having made sure that the description knows every part of it."""
        shown = copy.deepcopy(self._deployment)
        known = V1Deployment.model_validate(shown).model_dump(by_alias=True, exclude_none=True)
        lost = _lost(shown, json.loads(json.dumps(known, default=str)))
        if lost:
            self.violations.append(f"the Deployment has what is not described: {lost}")
        return shown


def _lost(given: Any, known: Any, at: str = "") -> list[str]:
    if isinstance(given, dict) and isinstance(known, dict):
        missing = [f"{at}.{name}" for name in given.keys() - known.keys() if given[name] != {}]
        shared = given.keys() & known.keys()
        return missing + [
            x for name in shared for x in _lost(given[name], known[name], f"{at}.{name}")
        ]
    return []


def _listed(kind: str, items: list[dict[str, Any]], model: Any) -> Answer:
    shown = {"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": "1"}, "items": items}
    model.model_validate(shown)
    return Answer(200, shown)


def _status(code: int, message: str) -> Answer:
    shown = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
    return Answer(code, {**shown, "reason": "x", "code": code, "metadata": {}})

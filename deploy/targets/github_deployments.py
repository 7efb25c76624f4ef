"""Deployments on GitHub: what is told there of each order, and what that says of the past."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from github.Deployment import Deployment
from github.Repository import Repository

from deploy.errors import OldFenceError, SeenApprovalError
from deploy.github import github_answers
from deploy.target import Live, Order

_SEEN = 100
_FAILED_IN_A_ROW = 20


class Deployments:
    """The deployments of one service to one environment, as far as they are ours.

    Each holds the approval, the fence and the digest, so that a lost journal does not make an
    approval good again.
    """

    def __init__(self, repository: Repository, service: str, environment: str) -> None:
        self._repository = repository
        self._service = service
        self._environment = environment

    def record(self, order: Order) -> str:
        """Record that the order begins; return the deployment's id."""
        with github_answers("record the deployment"):
            made = self._repository.create_deployment(
                ref=order.plan.sha,
                task=self._task,
                auto_merge=False,
                required_contexts=[],
                environment=self._environment,
                description=f"{order.plan.action.replace('_', ' ')} of {self._service}",
                payload={
                    "deploybot": 1,
                    "service": self._service,
                    "approval": order.approval_id,
                    "fence": order.fence,
                    "digest": order.digest,
                },
            )
            return str(made.id)

    def mark(self, deployment: str | None, state: str, link: str, says: str = "") -> None:
        """Set a deployment's status, unless it has that status; None is no deployment."""
        if deployment is None:
            return
        with github_answers("set the deployment's status"):
            there = self._repository.get_deployment(int(deployment))
            last = next(iter(there.get_statuses()), None)
            if last is None or last.state != state:
                # others in this environment are not over because this one is there
                there.create_status(
                    state, target_url=link, description=says[:140], auto_inactive=False
                )

    def live(self) -> Live | None:
        """Return the last one that succeeded; None if none of the last ones is known to have."""
        with github_answers("list the deployments"):
            for deployment, payload in islice(self._ours(), _FAILED_IN_A_ROW):
                for status in deployment.get_statuses():
                    if status.state == "success":
                        return Live(
                            sha=deployment.sha,
                            release=f"deployment {deployment.id}",
                            since=status.created_at,
                            approval_id=payload["approval"],
                            verified=False,
                        )
        return None

    def witness(self, order: Order) -> None:
        """Raise SeenApprovalError or OldFenceError if a deployment says that it may not begin."""
        with github_answers("list the deployments"):
            past = [payload for _, payload in self._ours()]
        if any(payload["approval"] == order.approval_id for payload in past):
            raise SeenApprovalError(
                "A deployment on GitHub says that this approval has begun once already. It was "
                "not run again; ask for a new one."
            )
        last = max((payload["fence"] for payload in past), default=0)
        if order.fence <= last:
            raise OldFenceError(
                f"Operation number {order.fence} is not newer than {last}, the last that GitHub "
                "knows of. Nothing was run; check that no older copy of the threads is in use."
            )

    @property
    def _task(self) -> str:
        return f"deploy:{self._service}"

    def _ours(self) -> Iterator[tuple[Deployment, dict[str, Any]]]:
        """Yield our deployments, the newest first, with what we wrote into them."""
        listed = self._repository.get_deployments(task=self._task, environment=self._environment)
        for deployment in islice(listed, _SEEN):
            payload: Any = deployment.payload
            if (
                isinstance(payload, dict)
                and payload.get("deploybot") == 1
                and payload.get("service") == self._service
                and isinstance(payload.get("approval"), str)
                and isinstance(payload.get("fence"), int)
            ):
                yield deployment, payload

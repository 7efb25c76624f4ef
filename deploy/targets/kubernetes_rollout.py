"""How a rollout stands, read from a Deployment and its pods; nothing is asked here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubernetes.client.models.core_v1_event import CoreV1Event
from kubernetes.client.models.v1_container import V1Container
from kubernetes.client.models.v1_deployment import V1Deployment
from kubernetes.client.models.v1_deployment_status import V1DeploymentStatus
from kubernetes.client.models.v1_pod import V1Pod

from deploy.answers import one_line


@dataclass(frozen=True)
class Stand:
    """How far a rollout is: done, failed for good, or under way, in a few words."""

    done: bool
    failed: bool
    says: str


def annotation(deployment: V1Deployment, name: str) -> str:
    """Return one of our annotations, "" if it is not there."""
    metadata = deployment.metadata
    return ((metadata.annotations if metadata else None) or {}).get(f"deploybot/{name}", "")


def image_of(deployment: V1Deployment, container: str) -> str | None:
    """Return the image that a container is meant to run; None if there is no such container."""
    found = (one for one in _containers(deployment) if one.name == container)
    one = next(found, None)
    return one.image if one else None


def stand_of(deployment: V1Deployment) -> Stand:
    """Tell how the rollout stands, by the same rules as `kubectl rollout status`."""
    status, metadata, spec = deployment.status, deployment.metadata, deployment.spec
    generation = metadata.generation if metadata else None
    if status is None or (status.observed_generation or 0) < (generation or 0):
        return _going("waiting for the cluster to see it")
    late = [c for c in status.conditions or [] if c.reason == "ProgressDeadlineExceeded"]
    if late:
        said = late[0].message or "its deadline for progress is over"
        return Stand(done=False, failed=True, says=one_line(said).rstrip("."))
    if spec.paused:
        return _going("paused on the cluster")
    return _pods_stand(status, 1 if spec.replicas is None else spec.replicas)


def _pods_stand(status: V1DeploymentStatus, wanted: int) -> Stand:
    updated, available = status.updated_replicas or 0, status.available_replicas or 0
    total = status.replicas or 0
    if updated < wanted:
        return _going(f"{updated} of {wanted} pods are new")
    if total > updated:
        return _going(f"{total - updated} old pods are ending")
    if available < updated:
        return _going(f"{available} of {updated} new pods are available")
    return Stand(done=True, failed=False, says=f"{available} pods are available")


def troubles(pods: Iterable[V1Pod]) -> Iterator[tuple[str, str]]:
    """Yield the name of each pod that is not well, and why, in the cluster's words."""
    for pod in pods:
        name = pod.metadata.name if pod.metadata else None
        for status in (pod.status.container_statuses if pod.status else None) or []:
            state = status.state
            if state is None or name is None:
                continue
            if state.waiting is not None and state.waiting.reason != "ContainerCreating":
                said = f"{state.waiting.reason}: {state.waiting.message or ''}"
                yield name, one_line(said).rstrip(": ")
            elif state.terminated is not None and state.terminated.exit_code:
                yield name, f"ended with exit code {state.terminated.exit_code}"


def told(events: Iterable[CoreV1Event]) -> Iterator[str]:
    """Yield the warnings among events, in a line each."""
    for event in events:
        if event.type == "Warning":
            yield one_line(f"{event.reason}: {event.message or ''}")


def _going(says: str) -> Stand:
    return Stand(done=False, failed=False, says=says)


def _containers(deployment: V1Deployment) -> list[V1Container]:
    pods = deployment.spec.template.spec
    return pods.containers if pods is not None else []

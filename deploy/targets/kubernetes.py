"""Kubernetes: a container of a Deployment is given the image of the commit, and the rollout followed."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from kubernetes.client.models.v1_deployment import V1Deployment

from deploy import history
from deploy.errors import DeniedError, OldFenceError, PlaceError, SeenApprovalError, TargetError
from deploy.plan import SHORT, Action, PlannedStep
from deploy.records import Record
from deploy.remote_tables import KubernetesTable, filled
from deploy.target import Live, Order, Site
from deploy.targets.elsewhere import Going, Over, Sight, Unseen, Work
from deploy.targets.image import Images, image_before
from deploy.targets.kubernetes_api import Cluster
from deploy.targets.kubernetes_rollout import annotation, image_of, stand_of, told, troubles
from deploy.targets.remote import Remote

TAIL_LINES = 20


class KubernetesDeployment:
    """One Deployment; its annotations say which order gave it its image, and what was before.

    Every change is made only to what was looked at, so a late one is refused by the cluster.
    """

    launches_at = "set-image"

    def __init__(
        self, site: Site, table: KubernetesTable, past: Callable[[], Iterable[Record]]
    ) -> None:
        self.site = site
        self.past = past
        self.cluster = Cluster(table, site.connections, site.service, site.environment)
        self.container = filled(table.container, site.service, site.environment)
        self.images = Images(table, site)

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps, with the very image; raises PlaceError if its digest is not known."""
        where = f"{self.cluster.namespace}/{self.cluster.name}"
        says = f"Give {self.container} of {where} the image {self._image(action, sha)}"
        after = "Wait until all pods run it; if they do not come up, the image before is put back"
        return (
            PlannedStep(name="set-image", says=says),
            PlannedStep(name="rollout", says=after),
        )

    def current(self, records: Iterable[Record]) -> Live | None:
        """Return the commit of the image that is rolled out; None while none of ours ever was."""
        there = self.cluster.deployment()
        image = image_of(there, self.container)
        sha = self._sha_of(there, image)
        operation = annotation(there, "operation")
        was_done = operation and annotation(there, "done") == operation
        if sha is not None and operation and not was_done and not stand_of(there).done:
            sha = annotation(there, "previous-sha") or None  # until it is out, the old one is live
        if sha is None:
            return None
        known = history.last_switch_to(records, sha)
        at = annotation(there, "at")
        return Live(
            sha=sha,
            release=image or "",
            since=known.at if known else datetime.fromisoformat(at) if at else _unknown(),
            approval_id=known.approval_id if known else None,
            verified=False,
        )

    def witness(self, order: Order) -> None:
        """Raise SeenApprovalError or OldFenceError if the annotations say that it may not begin."""
        self._may_act(self.cluster.deployment(), order)

    def prepare(self, step: str, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Return nothing: no step comes before the launch."""
        return {}

    def before(self, order: Order) -> dict[str, str]:
        """Return the image, and the one that is to be put back if it does not come up."""
        previous = image_of(self.cluster.deployment(), self.container)
        if previous is None:
            text = f"{self.cluster.name} has no container {self.container}."
            raise DeniedError(text, 404)
        image = self._image(order.plan.action, order.plan.sha)
        return {"image": image, "previous_image": previous}

    def launch(self, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Set the image, unless the Deployment has seen the order, or a newer one."""
        plan = order.plan
        notes = {
            "operation": order.approval_id,
            "fence": str(order.fence),
            "digest": order.digest,
            "sha": plan.sha,
            "image": facts["image"],
            "previous-sha": plan.previous_sha,
            "previous-image": facts["previous_image"],
            "at": self.site.clock().isoformat(),
            "undone": None,
        }
        cause = f"deploybot: {plan.action.replace('_', ' ')} of {plan.sha[:SHORT]}"

        def make(there: V1Deployment) -> dict[str, Any] | None:
            if annotation(there, "operation") == order.approval_id:
                return None
            try:
                self._may_act(there, order)
            except OldFenceError as error:
                raise DeniedError(str(error), 409) from error
            if image_of(there, self.container) != facts["previous_image"]:
                raise DeniedError("Somebody else gave it another image just now.", 409)
            return self._patch(facts["image"], notes, cause)

        self.cluster.change(make)
        return {}

    def announce(self, facts: Mapping[str, str]) -> None:
        """Tell nobody: the annotations say it already."""

    def look(self, work: Work) -> Sight:
        """Tell how the rollout stands; of one that failed, what happened to its pods."""
        there = self.cluster.deployment()
        if annotation(there, "operation") != work.approval_id:
            return Unseen()
        if annotation(there, "undone") == work.approval_id:
            return _undoing(there)
        return self._ours(there, work)

    def _ours(self, there: V1Deployment, work: Work) -> Sight:
        stand = stand_of(there)
        if stand.failed:
            return self._failed(there, stand.says)
        if not stand.done:
            why = sorted(set(self._troubles(there).values()))
            return Going("; ".join([stand.says, *why[:1]]), "", f"{stand.says} {why}")
        if image_of(there, self.container) != work.facts["image"]:
            error = "somebody else gave it another image meanwhile"
            return Over(ok=False, step="rollout", error=error)
        return Over(ok=True)

    def stop(self, work: Work) -> None:
        """Put the image back that was there before, unless that was done, or others came after."""

        def make(there: V1Deployment) -> dict[str, Any] | None:
            is_ours = annotation(there, "operation") == work.approval_id
            if not is_ours or annotation(there, "undone") == work.approval_id:
                return None
            previous = annotation(there, "previous-image")
            notes = {
                "undone": work.approval_id,
                "sha": annotation(there, "previous-sha") or None,
                "image": previous,
            }
            return self._patch(previous, notes, f"deploybot: {work.sha[:SHORT]} was undone")

        self.cluster.change(make)

    def finish(self, work: Work, over: Over) -> None:
        """Note that the rollout was complete, so that a pod that dies later does not undo that."""

        def make(there: V1Deployment) -> dict[str, Any] | None:
            is_ours = annotation(there, "operation") == work.approval_id
            if not over.ok or not is_ours or annotation(there, "done") == work.approval_id:
                return None
            return {"metadata": {"annotations": {"deploybot/done": work.approval_id}}}

        self.cluster.change(make)

    def _may_act(self, there: V1Deployment, order: Order) -> None:
        if annotation(there, "operation") == order.approval_id:
            raise SeenApprovalError(
                f"The Deployment {self.cluster.name} says that this approval has begun once "
                "already. It was not run again; ask for a new one."
            )
        last = int(annotation(there, "fence") or 0)
        if order.fence <= last:
            raise OldFenceError(
                f"Operation number {order.fence} is not newer than {last}, the last that the "
                f"Deployment {self.cluster.name} has seen. It was not changed; check that no "
                "older copy of the threads is in use."
            )

    def _image(self, action: Action, sha: str) -> str:
        """Return the image of a commit; a roll back takes the very one that was live before."""
        known = image_before(self.past(), sha) if action == "roll_back" else None
        return known or self.images.of(sha)

    def _sha_of(self, there: V1Deployment, image: str | None) -> str | None:
        """Return which commit an image is of: by the annotations, or by its name."""
        ours = annotation(there, "image")
        if ours and image == ours:
            return annotation(there, "sha") or None
        sha = self.images.sha_in(image or "")
        if sha is None and ours:
            raise TargetError(
                f"{self.container} of {self.cluster.name} is to run {image}, which no deploy gave "
                "it. Nothing was changed; put back what a deploy left, or remove our annotations."
            )
        return sha

    def _patch(self, image: str, notes: Mapping[str, str | None], cause: str) -> dict[str, Any]:
        named = {f"deploybot/{name}": value for name, value in notes.items()}
        container = {"name": self.container, "image": image}
        return {
            "metadata": {"annotations": {**named, "kubernetes.io/change-cause": cause}},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }

    def _troubles(self, there: V1Deployment) -> dict[str, str]:
        with suppress(PlaceError):
            return dict(troubles(self.cluster.pods(there)))
        return {}

    def _failed(self, there: V1Deployment, error: str) -> Over:
        found = self._troubles(there)
        lines = [f"{pod}: {why}" for pod, why in found.items()]
        for pod in islice(found, 3):
            with suppress(PlaceError):
                lines += told(self.cluster.events(pod))
        tail = tuple(lines[-TAIL_LINES:])
        return Over(ok=False, step="rollout", error=error, tail=tail, undo=True)


def _undoing(there: V1Deployment) -> Sight:
    stand = stand_of(there)
    if stand.done:
        return Over(ok=False, step="rollout", error="the image before is live again")
    return Going("undo", "", f"undo {stand.says}")


class KubernetesTarget(Remote[KubernetesDeployment]):
    """One service of one environment, running as a Deployment of Kubernetes."""

    def __init__(self, site: Site) -> None:
        table = site.catalog.services[site.service].target
        if not isinstance(table, KubernetesTable):
            raise TypeError(f"{site.service} has no table of kind kubernetes")
        there = KubernetesDeployment(site, table, self.records)
        super().__init__(site, table, there)


def _unknown() -> datetime:
    return datetime.fromtimestamp(0, UTC)

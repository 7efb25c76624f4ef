"""The Kubernetes target, against a cluster whose pods do not come up and whom others change too."""

import shutil
import sys
from datetime import timedelta

import pytest
import yaml
from elsewhere_orders import A, B, C, Yard
from kubernetes_api.server import TOKEN, KubernetesApi
from loopback_api import Answer, Asked
from shop import free
from target_harness import followed

from deploy.connections import Connections
from deploy.errors import (
    DeniedError,
    NoAnswerError,
    OldFenceError,
    RefusedError,
    SeenApprovalError,
    TargetError,
)
from deploy.run import run
from deploy.target import Began, Ended, NeverBegan, Progress, Running, StepStarted

DIGEST = "sha256:" + "5" * 64


@pytest.fixture(name="api")
def _api():
    api = KubernetesApi()
    with api.serving():
        yield api
    assert api.violations == []


@pytest.fixture(name="yard")
def _yard(api, tmp_path):
    return Yard(
        tmp_path,
        Connections(kubernetes_token=TOKEN),
        kind="kubernetes",
        server=api.url,
        namespace="shop",
        deployment="{service}",
        container="web",
        image="registry.example/{service}:{sha}",
    )


def notes(api: KubernetesApi) -> dict[str, str]:
    annotations = api._deployment["metadata"]["annotations"]
    ours = {k: v for k, v in annotations.items() if k.startswith("deploybot/")}
    return {name.removeprefix("deploybot/"): value for name, value in ours.items()}


def test_the_container_is_given_the_image_and_the_deployment_is_told_why(api, yard):
    order = yard.order(A)

    assert yard.done(order).outcome == "succeeded"

    assert api.image == f"registry.example/backend:{A}"
    told = notes(api)
    assert told.pop("at")
    assert told == {
        "operation": order.approval_id,
        "fence": str(order.fence),
        "digest": order.digest,
        "sha": A,
        "image": f"registry.example/backend:{A}",
        "previous-image": "registry.example/backend:by-hand",
        "done": order.approval_id,
    }
    cause = api._deployment["metadata"]["annotations"]["kubernetes.io/change-cause"]
    assert cause == "deploybot: deploy of aaaaaaa"


def test_the_plan_names_the_very_image(yard):
    steps = yard.order(A).plan.steps

    assert steps[0].says == f"Give web of shop/backend the image registry.example/backend:{A}"


def printing(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", f"print({text!r})"]


def test_an_image_by_digest_is_asked_for_by_the_commit(api, yard):
    yard.set(image="registry.example/x@{digest}", digest=printing(f"for {{sha}}\n{DIGEST}"))

    assert yard.done(yard.order(A)).outcome == "succeeded"

    assert api.image == f"registry.example/x@{DIGEST}"
    assert yard.target.current().sha == A


@pytest.mark.parametrize("said", ["sha256:5", "", f"{DIGEST} and more", "latest"])
def test_what_is_no_digest_is_not_rolled_out(api, yard, said):
    yard.set(image="registry.example/x@{digest}", digest=printing(said))

    with pytest.raises(DeniedError, match="The command that prints an image's digest ended"):
        yard.order(A)

    assert api.rollouts == []


def test_a_digest_that_changed_since_the_plan_is_refused(api, yard):
    digest = yard.folder / "digest"
    digest.write_text(DIGEST)
    yard.set(image="registry.example/x@{digest}", digest=["cat", str(digest)])
    order = yard.order(A)
    digest.write_text("sha256:" + "6" * 64)

    with pytest.raises(RefusedError) as refused:
        yard.begun(order)

    assert refused.value.reason_code == "plan_changed"
    assert api.rollouts == []


def test_a_roll_back_takes_the_image_that_was_live_whatever_its_tag_is_now(api, yard):
    digest = yard.folder / "digest"
    digest.write_text(DIGEST)
    yard.set(image="registry.example/x@{digest}", digest=["cat", str(digest)])
    yard.done(yard.order(A))
    digest.write_text("sha256:" + "6" * 64)
    yard.done(yard.order(B))
    digest.write_text("sha256:" + "7" * 64)

    assert yard.done(yard.order(A, action="roll_back")).outcome == "succeeded"

    assert api.image == f"registry.example/x@{DIGEST}"


def test_pods_that_do_not_come_up_are_named_and_the_image_before_is_put_back(api, yard):
    yard.done(yard.order(A))
    api.fails = True

    found = yard.done(yard.order(B))

    assert (found.outcome, found.step) == ("failed", "rollout")
    assert found.error == (
        'ReplicaSet "backend-2" has timed out progressing; the image before is live again'
    )
    assert found.tail == (
        "backend-2-x7f: CrashLoopBackOff: back-off 20s",
        "BackOff: there is no such thing as a free deploy",
    )
    assert api.image == f"registry.example/backend:{A}"
    assert yard.target.current().sha == A


def test_after_an_undo_the_next_deploy_goes_through(api, yard):
    yard.done(yard.order(A))
    api.fails = True
    yard.done(yard.order(B))
    api.fails = False

    assert yard.done(yard.order(C)).outcome == "succeeded"

    assert yard.target.current().sha == C


def test_until_a_rollout_is_complete_the_commit_before_is_live(api, yard):
    yard.done(yard.order(A))
    api.takes = 1000
    yard.begun(yard.order(B))

    assert yard.target.current().sha == A


def test_a_pod_that_dies_later_does_not_make_the_release_before_live(api, yard):
    yard.done(yard.order(A))
    yard.done(yard.order(B))

    api._stands(updated=3, available=1, observed=api._deployment["metadata"]["generation"])

    assert yard.target.current().sha == B


@pytest.mark.parametrize("kind", ["lose", "502 after"])
def test_a_change_whose_answer_was_lost_is_followed_all_the_same(api, yard, kind):
    api.goes_wrong("PATCH", "/deployments/", kind)

    assert yard.done(yard.order(A)).outcome == "succeeded"

    assert len(api.rollouts) == 1


@pytest.mark.parametrize("kind", ["drop", "500"])
def test_a_change_that_may_have_been_lost_is_told_as_unknown(api, yard, kind):
    api.goes_wrong("PATCH", "/deployments/", kind)
    order = yard.order(A)

    assert isinstance(yard.begun(order), Running)
    yard.ahead = timedelta(seconds=121)

    assert isinstance(yard.target.settle(order), Began)
    assert api.rollouts == []


def test_a_change_of_others_just_before_ours_is_looked_at_first(api, yard):
    order = yard.order(A)
    answer, in_between = api._patch, iter([True])

    def later(asked: Asked) -> Answer:
        if next(in_between, False):
            api._changed()  # as the autoscaler does, between our look and our change
        return answer(asked)

    api._patch = later

    assert yard.done(order).outcome == "succeeded"

    assert api.count("PATCH", "/deployments/") == 3  # refused, made, noted as done
    assert len(api.rollouts) == 1


def test_an_image_that_others_set_by_hand_is_not_built_upon(api, yard):
    yard.set(image="registry.example/x@{digest}", digest=printing(DIGEST))
    yard.done(yard.order(A))
    api.set_by_hand("registry.example/evil:latest")

    with pytest.raises(TargetError, match="which no deploy gave it"):
        yard.target.current()


def test_an_image_that_others_set_during_the_rollout_is_said(api, yard):
    api.takes = 2
    order = yard.order(A)
    yard.begun(order)
    api.set_by_hand("registry.example/backend:by-hand-2")

    found = followed(yard.target, order)

    assert isinstance(found, Ended)
    assert found.error == "somebody else gave it another image meanwhile"


def test_the_cluster_itself_refuses_what_the_journal_has_lost(api, yard):
    order = yard.order(A)
    yard.done(order)
    shutil.rmtree(yard.folder / "journals")
    again = order.plan.model_copy(update={"previous_sha": A})

    with pytest.raises(SeenApprovalError):
        yard.begun(order.model_copy(update={"fence": 99, "plan": again}))
    with pytest.raises(OldFenceError):
        yard.begun(order.model_copy(update={"approval_id": "other", "plan": again}))

    assert len(api.rollouts) == 1


def test_an_order_that_was_overtaken_elsewhere_changes_nothing(api, yard):
    order = yard.order(A)

    def overtaken(told: Progress) -> None:
        if told == StepStarted("set-image"):
            api._merge({"metadata": {"annotations": {"deploybot/fence": "99"}}})

    outcome = run(yard.target, order, guard=free, progress=overtaken)

    assert (outcome.outcome, outcome.step) == ("failed", "set-image")
    assert outcome.error.startswith("Operation number 1 is not newer than 99")
    assert api.rollouts == []


def test_what_a_cluster_says_is_shown_on_one_line_without_what_nobody_can_see(api, yard):
    yard.done(yard.order(A))
    api.fails = True
    api.trouble = "one\n\x1b[31mtwo\u202e three"

    found = yard.done(yard.order(B))

    assert found.tail[-1] == "BackOff: one [31mtwo three"


def test_a_stop_that_was_not_heard_is_asked_again_and_undoes_once(api, yard):
    yard.done(yard.order(A))
    api.takes = 1000
    order = yard.order(B)
    yard.begun(order)
    api.goes_wrong("PATCH", "/deployments/", "drop")

    yard.target.cancel(order)
    found = followed(yard.target, order)
    yard.target.cancel(order)

    assert isinstance(found, Ended)
    assert found.error == "a person stopped it; the image before is live again"
    assert [rollout.is_back for rollout in api.rollouts] == [False, False, True]


def test_a_container_that_is_not_there_is_said_before_anything_changes(api, yard):
    yard.set(container="api")

    outcome = yard.begun(yard.order(A))

    assert outcome.error == "backend has no container api. Nothing was launched."
    assert api.rollouts == []


def test_a_deployment_that_is_not_there_is_said(yard):
    yard.set(deployment="frontend")

    with pytest.raises(DeniedError, match=r'\(404\): deployments.apps "frontend" not found'):
        yard.target.current()


def test_the_cluster_and_its_key_may_come_from_a_kubeconfig(api, yard, tmp_path):
    config = tmp_path / "kubeconfig"
    place = {"cluster": "c", "user": "u"}
    tables = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "eu-staging", "context": place}],
    }
    config.write_text(yaml.safe_dump(tables))
    yard.set(server=None, kubeconfig=str(config), context="eu-{environment}")

    assert yard.done(yard.order(A)).outcome == "succeeded"


def test_outside_a_cluster_without_a_configuration_nothing_is_asked(yard):
    yard.set(server=None)

    with pytest.raises(DeniedError, match="The cluster's configuration cannot be used"):
        yard.target.current()


def test_a_cluster_that_cannot_be_reached_is_said_and_nothing_begins(yard):
    order = yard.order(A)
    yard.set(server="http://127.0.0.1:9")

    with pytest.raises(DeniedError, match="Kubernetes cannot be reached"):
        yard.begun(order)

    assert yard.target.probe(order.approval_id) == NeverBegan()


def test_an_answer_that_is_none_of_kubernetes_is_told_as_none(api, yard):
    api._checked = lambda: {"kind": "Deployment", "spec": {"replicas": "many"}}

    with pytest.raises(NoAnswerError, match="what is not its API's"):
        yard.target.current()


def test_the_token_is_in_nothing_that_is_kept(api, yard):
    yard.done(yard.order(A))

    kept = (yard.folder / "journals/staging/backend/journal.jsonl").read_text()
    assert TOKEN not in kept + repr(yard.connections) + str(api._deployment)

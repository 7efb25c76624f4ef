"""One Deployment of a cluster, through the official client, with its errors in our words."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kubernetes import client, config
from kubernetes.client.api.apps_v1_api import AppsV1Api
from kubernetes.client.api.core_v1_api import CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.client.models.core_v1_event import CoreV1Event
from kubernetes.client.models.v1_deployment import V1Deployment
from kubernetes.client.models.v1_pod import V1Pod
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from deploy import failpoints
from deploy.answers import REQUEST_SECONDS, refused, unheard
from deploy.connections import Connections
from deploy.errors import DeniedError, NoAnswerError
from deploy.remote_tables import KubernetesTable, filled

MANAGER = "deploybot"
_TRIES = 5
_SEEN = 50

AnswerT = TypeVar("AnswerT")


class Cluster:
    """One Deployment in one namespace; connected to when it is first asked for."""

    def __init__(
        self, table: KubernetesTable, connections: Connections, service: str, environment: str
    ) -> None:
        def name(text: str) -> str:
            return filled(text, service, environment)

        self._table = table
        self._token = connections.kubernetes_token
        self._context = name(table.context) if table.context else None
        self.namespace = name(table.namespace)
        self.name = name(table.deployment)
        self._client: client.ApiClient | None = None

    def deployment(self) -> V1Deployment:
        """Return the Deployment as it is now."""
        with _answers("show the deployment"):
            return AppsV1Api(self._connected()).read_namespaced_deployment(
                self.name, self.namespace, _request_timeout=REQUEST_SECONDS
            )

    def change(self, make: Callable[[V1Deployment], dict[str, Any] | None]) -> None:
        """Change the Deployment, if it is still as it was when `make` said what to change.

        `make` is given the Deployment, returns a strategic merge patch or None for none, and is
        asked again when something else changed it in between.
        """
        for _ in range(_TRIES):
            there = self.deployment()
            patch = make(there)
            if patch is None:
                return
            patch["metadata"]["resourceVersion"] = _version(there)
            try:
                with _answers("change the deployment"):
                    AppsV1Api(self._connected()).patch_namespaced_deployment(
                        self.name,
                        self.namespace,
                        patch,
                        field_manager=MANAGER,
                        _content_type="application/strategic-merge-patch+json",
                        _request_timeout=REQUEST_SECONDS,
                    )
            except DeniedError as error:
                if error.status != 409:
                    raise
            else:
                return
        raise DeniedError("The deployment kept being changed by others, so it was left alone.", 409)

    def pods(self, deployment: V1Deployment) -> tuple[V1Pod, ...]:
        """Return its pods."""
        labels = deployment.spec.selector.match_labels
        selector = ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        with _answers("list the pods"):
            found = CoreV1Api(self._connected()).list_namespaced_pod(
                self.namespace,
                label_selector=selector,
                limit=_SEEN,
                _request_timeout=REQUEST_SECONDS,
            )
            return tuple(found.items)

    def events(self, pod: str) -> tuple[CoreV1Event, ...]:
        """Return what happened to a pod."""
        with _answers("list the events"):
            found = CoreV1Api(self._connected()).list_namespaced_event(
                self.namespace,
                field_selector=f"involvedObject.name={pod}",
                limit=_SEEN,
                _request_timeout=REQUEST_SECONDS,
            )
            return tuple(found.items)

    def _connected(self) -> client.ApiClient:
        if self._client is None:
            self._client = client.ApiClient(self._configuration())
        return self._client

    def _configuration(self) -> client.Configuration:
        table, token = self._table, self._token.get_secret_value()
        if table.server is not None:
            authority = table.certificate_authority
            return client.Configuration(
                host=table.server,
                api_key={"BearerToken": f"Bearer {token}"} if token else {},
                ssl_ca_cert=str(authority) if authority else None,
                retries=0,
            )
        there = client.Configuration(retries=0)
        try:
            if table.kubeconfig is None and self._context is None:
                config.load_incluster_config(  # type: ignore[no-untyped-call]
                    client_configuration=there
                )
            else:
                file = str(table.kubeconfig) if table.kubeconfig else None
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    file, self._context, client_configuration=there, persist_config=False
                )
        except config.ConfigException as error:
            text = f"The cluster's configuration cannot be used: {error}. Nothing was asked of it."
            raise DeniedError(text, 0) from None
        there.retries = 0
        return there


def _version(deployment: V1Deployment) -> str | None:
    return deployment.metadata.resource_version if deployment.metadata else None


@contextmanager
def _answers(doing: str) -> Iterator[None]:
    """Turn what goes wrong with the cluster into NoAnswerError, BusyError or DeniedError."""
    try:
        failpoints.at("kubernetes.call.before")
        yield
        failpoints.at("kubernetes.call.after", lost=HTTPError)
    except ApiException as error:
        headers = {name.lower(): str(value) for name, value in dict(error.headers or {}).items()}
        status = int(error.status or 0)
        raise refused("Kubernetes", doing, status, headers, _reason(error)) from None
    except HTTPError as error:
        raise unheard("Kubernetes", doing, error) from None
    except (ValidationError, ValueError) as error:
        text = f"Kubernetes, asked to {doing}, answered with what is not its API's."
        raise NoAnswerError(text) from error


def _reason(error: ApiException) -> str | None:
    try:
        said = json.loads(error.body or "")
    except (TypeError, ValueError):
        return str(error.reason or "") or None
    message = said.get("message") if isinstance(said, dict) else None
    return message if isinstance(message, str) else None

"""The Kubernetes API: a rollout with its Deployment, its runs and its pods; or, for the doctor, any path of it.

It gets and lists, and never writes.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.canary import facts
from slipway.canary.records import Rollout
from slipway.doctor.records import Answer
from slipway.errors import Broken
from slipway.rollout import seen
from slipway.rollout.records import Seen

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

GROUP, VERSION = "argoproj.io", "v1alpha1"
REMEDY = "Look at the cluster's API, and at the rights of the judge's ServiceAccount: get and list."


class Cluster:
    """The cluster that this runs in, or the one of the current kubeconfig.

    Raises:
        Broken: there is neither.

    """

    def __init__(self, *, seconds: float = 1.0) -> None:
        from kubernetes import client

        api = _client()
        self._objects, self._core, self._apps = (
            client.CustomObjectsApi(api),
            client.CoreV1Api(api),
            client.AppsV1Api(api),
        )
        self._seconds = seconds

    def rollout(self, namespace: str, name: str, now: float) -> Rollout:
        """Say what is known of the canary at `now`.

        Raises:
            Broken: the API does not answer, or no canary is under way.

        """
        found = self._rollout(namespace, name)
        canary = found.get("status", {}).get("currentPodHash", "none")
        pods = _asked(
            lambda: self._core.list_namespaced_pod(
                namespace,
                label_selector=f"{facts.HASH}={canary}",
                _preload_content=False,
                _request_timeout=self._seconds,
            )
        )
        deployment = self._deployment(namespace, facts.workload(found))
        return facts.rollout(found, self._runs(namespace, canary), _items(pods), now, deployment=deployment)

    def asked(self, namespace: str, name: str) -> Mapping[str, str]:
        """Say what the rollout's last analysis asks for.

        Raises:
            Broken: the API does not answer, or there is no rollout.

        """
        canary = self._rollout(namespace, name).get("status", {}).get("currentPodHash", "none")
        return facts.asked(self._runs(namespace, canary))

    def seen(self, namespace: str, name: str, now: float) -> Seen:
        """Say how a rollout stands at `now`.

        Raises:
            Broken: the API does not answer, or there is no rollout.

        """
        found = self._rollout(namespace, name)
        deployment = self._deployment(namespace, facts.workload(found))
        if deployment is None:
            raise Broken(f"{namespace}/{name} takes its pods from no Deployment", "Give it a workloadRef.")
        runs = self._runs(namespace, found.get("status", {}).get("currentPodHash", "none"))
        return seen.seen(found, deployment, runs, now)

    def _rollout(self, namespace: str, name: str) -> Mapping[str, Any]:
        return _asked(
            lambda: self._objects.get_namespaced_custom_object(
                GROUP,
                VERSION,
                namespace,
                "rollouts",
                name,
                _preload_content=False,
                _request_timeout=self._seconds,
            )
        )

    def _deployment(self, namespace: str, name: str | None) -> Mapping[str, Any] | None:
        if name is None:
            return None
        found = _asked(
            lambda: self._apps.read_namespaced_deployment(
                name, namespace, _preload_content=False, _request_timeout=self._seconds
            )
        )
        if not isinstance(found.get("spec"), dict):
            raise Broken("what the cluster's API answers is no Deployment", REMEDY)
        return found

    def _runs(self, namespace: str, canary: str) -> Sequence[Mapping[str, Any]]:
        return _items(
            _asked(
                lambda: self._objects.list_namespaced_custom_object(
                    GROUP,
                    VERSION,
                    namespace,
                    "analysisruns",
                    label_selector=f"{facts.HASH}={canary},rollout-type=Step",
                    _preload_content=False,
                    _request_timeout=self._seconds,
                )
            )
        )


class Api:
    """The same cluster's API by path, as a person may read it: each answer is one, whatever its status.

    The client's own call for a Service's proxy takes no query and escapes the slashes of its path.

    Raises:
        Broken: there is no cluster.

    """

    def __init__(self, *, seconds: float = 10.0) -> None:
        self._api, self._seconds = _client(), seconds

    @property
    def server(self) -> str:
        """Where it is."""
        return str(self._api.configuration.host)

    def ask(self, path: str) -> Answer:
        """GET a path; of a Secret, say no more than what can be compared.

        An address beyond the cluster is asked by itself: no credential goes there.
        """
        import urllib3
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        if not path.startswith("/"):
            try:
                answer = urllib3.request("GET", path, redirect=False, retries=False, timeout=self._seconds / 2)
            except (HTTPError, OSError, ValueError):
                return Answer(status=0)
            return Answer(status=answer.status, body=_told(answer.data))
        try:
            asked = self._api.param_serialize(
                "GET", path, query_params=[], header_params={"Accept": "*/*"}, auth_settings=["BearerToken"]
            )
            found = self._api.call_api(*asked, _request_timeout=self._seconds)
            status, body = int(found.status), found.read()  # type: ignore[no-untyped-call]
        except ApiException as error:
            status, body = int(error.status or 0), error.body or b""
        except (HTTPError, OSError):
            return Answer(status=0)
        told = _told(body)
        if isinstance(told, dict) and told.get("kind") == "Secret":  # also its annotations may hold what it holds
            told = {"kind": "Secret", "data": _compared(told)}
        return Answer(status=status, body=told)


def _told(body: bytes | str) -> Any:  # noqa: ANN401  # JSON, else text
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _client() -> "ApiClient":
    from kubernetes import client, config

    settings = client.Configuration()
    paths = os.environ.get("KUBECONFIG") or "~/.kube/config"  # several, as kubectl takes them
    try:
        # In a pod a user may have no home, which pathlib calls an error.
        if any(Path(os.path.expanduser(path)).exists() for path in paths.split(os.pathsep) if path):  # noqa: PTH111
            config.load_kube_config(paths, client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001  # whatever a kubeconfig holds, the library trips over it in its own way
        raise Broken("there is no cluster to ask", "Run in a pod, or make a kubeconfig.") from None
    settings.retries = 0  # the next look is one
    return client.ApiClient(settings)


def _compared(secret: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What may be known of a Secret's keys: digest, length, a line break at the end; of a certificate, its end."""
    found: dict[str, dict[str, Any]] = {}
    for key, text in (secret.get("data") or {}).items():
        value = base64.b64decode(text)
        found[key] = {
            "digest": hashlib.sha256(value).hexdigest(),
            "bytes": len(value),
            "line_break": value.endswith((b"\n", b"\r")),
            **({"expires": _expires(value)} if key == "tls.crt" else {}),
        }
    return found


def _expires(chain: bytes) -> float | None:
    """When the first certificate of a chain ends, in seconds since 1970; None where there is none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError:
        return None


def _asked(call: Callable[[], Any]) -> Mapping[str, Any]:
    """Get an object of the API as JSON; its own types would lose what they do not know."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        found = json.loads(call().data)
    except ApiException as error:
        raise Broken(f"the cluster's API says {error.status} {error.reason}", REMEDY) from None
    except (HTTPError, OSError):
        raise Broken("the cluster's API does not answer", REMEDY) from None
    except ValueError:
        raise Broken("what the cluster's API answers is no JSON", REMEDY) from None
    if not isinstance(found, dict):
        raise Broken("what the cluster's API answers is no object", REMEDY)
    return found


def _items(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    items = found.get("items")
    if not isinstance(items, list):
        raise Broken("what the cluster's API answers is no list", REMEDY)
    return items

"""A cluster in which all is well, made from our own manifests, with a canary of production under way.

It answers paths of the Kubernetes API; what stands behind its Services answers through the API server's proxy.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from tests.conftest import ROOT

from slipway.canary.facts import HASH
from slipway.manifests import tree

NOW = 1_795_000_000.0
DIGEST = "sha256:" + 64 * "a"
IMAGE = f"ghcr.io/example/flights:1.1.0@{DIGEST}"
STABLE, CANARY = "7d9f8c6b5", "5c4b7d8f9"
JUDGE, RELAY, COUNTERS = "slipway/judge:8080", "slipway/relay:8080", "monitoring/prometheus:9090"
OUTSIDE = "10.0.0.0:19090"  # where Prometheus listens
TOKEN = b"0123456789abcdef"
LISTING = re.search(r"buckets=([\d.,]+)", (ROOT / "rollouts/judge.yaml").read_text())
assert LISTING
EDGES = LISTING[1]
PLURALS = {
    "Application": "applications",
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "EndpointSlice": "endpointslices",
    "IngressRoute": "ingressroutes",
    "Job": "jobs",
    "Pod": "pods",
    "Rollout": "rollouts",
    "AnalysisTemplate": "analysistemplates",
    "Secret": "secrets",
    "Service": "services",
    "TraefikService": "traefikservices",
}
Answers = Callable[[str, dict[str, str]], tuple[int, Any]]


class Live:
    """Objects by kind, namespace and name, and what the Services behind the proxy say."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.unknown: set[str] = set()  # plurals that the API answers 404: a CRD that is not installed
        self.forbidden: set[str] = set()  # parts of paths that are answered 403
        self.odd: dict[str, tuple[int, Any]] = {}  # what is answered instead, by a part of the path
        self.version = "v1.34.4"
        self.series: dict[str, list[dict[str, str]]] = {}  # labels of what a selector finds, by a part of the query
        self.metrics: dict[str, float] = relay_metrics()
        self.verdict: dict[str, Any] = {"verdict": "continue", "held": [{"reason": "evidence", "detail": "240 more"}]}
        self.value = "0"
        self.scrape = 5.0
        for each in objects():
            self.add(each)

    def add(self, given: dict[str, Any]) -> dict[str, Any]:
        """Put an object there."""
        metadata = given["metadata"]
        self.objects[given["kind"], metadata.get("namespace", ""), metadata["name"]] = given
        return given

    def get(self, kind: str, name: str, namespace: str = "flights-production") -> dict[str, Any]:
        """An object, to be changed."""
        return self.objects[kind, namespace, name]

    def answer(self, path: str) -> tuple[int, Any]:
        """Answer a path of the API: status, and JSON or text."""
        for part, said in self.odd.items():
            if part in path:
                return said
        if any(part in path for part in self.forbidden):
            return 403, {"kind": "Status", "code": 403, "message": "forbidden: you may not"}
        split = urlsplit(path)
        if split.netloc == OUTSIDE:
            return self._proxied(COUNTERS, split.path.removeprefix("/"), _one_each(split.query))
        query = _one_each(split.query)
        if split.path == "/version":
            return 200, {"gitVersion": self.version}
        if proxied := re.fullmatch(r"/api/v1/namespaces/([^/]+)/services/http:([^/]+)/proxy/(.*)", split.path):
            return self._proxied(f"{proxied[1]}/{proxied[2]}", proxied[3], query)
        return self._object(split.path, query)

    def _object(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        found = re.fullmatch(r"/apis?/(?:[^/]+/)?v1[^/]*(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?", path)
        assert found, path
        namespace, plural, name = found.groups()
        absent = 404, {"kind": "Status", "code": 404}
        if plural in self.unknown:
            return absent
        there = [
            each
            for (kind, place, _), each in self.objects.items()
            if PLURALS.get(kind) == plural and namespace in (None, place) and _selects(query, each)
        ]
        if name is None:  # the items of a list do not say their kind
            return 200, {"kind": "List", "items": [{k: v for k, v in each.items() if k != "kind"} for each in there]}
        return next(((200, each) for each in there if each["metadata"]["name"] == name), absent)

    def _proxied(self, service: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if service == COUNTERS and path == "api/v1/query":
            return 200, {"status": "success", "data": {"result": list(self._counted(query["query"]))}}
        if path == "healthz":
            return 200, "ok\n"
        if service == RELAY and path == "metrics":
            return 200, "".join(f"{name} {value!r}\n" for name, value in self.metrics.items())
        if service == JUDGE and path == "verdict":
            return 200, self.verdict
        if service == JUDGE and path == "api/v1/query" and re.fullmatch(r"verdict\{[^{}]*\}", query["query"].strip()):
            return 200, {"status": "success", "data": {"result": [{"metric": {}, "value": [NOW, self.value]}]}}
        return 404, "Not Found"

    def _counted(self, query: str) -> Iterator[dict[str, Any]]:
        for part, labels in self.series.items():
            if part in query:
                yield from ({"metric": each, "value": [NOW, "1"]} for each in labels)
                return
        if query == "time()":
            return
        if query.startswith("up"):
            up = {"metric": {"job": "traefik", "instance": "10.0.0.9:9100"}}
            times = [NOW - self.scrape * tick for tick in range(12, -1, -1)]
            yield up | ({"values": [[at, "1"] for at in times]} if query.endswith("s]") else {"value": [NOW, "1"]})
        elif "exported_service" in query or "code!~" in query:
            return
        elif "_bucket" in query:
            for edge in (*EDGES.split(","), "+Inf"):
                within = 0.0 if float(edge) < 0.02 else 960.0 if float(edge) < 0.2 else 1000.0
                yield {"metric": {"le": edge, "service": "s"}, "value": [NOW, str(within)]}
        else:
            yield {"metric": {"service": "s", "code": "200"}, "value": [NOW, "1000"]}


def objects() -> Iterator[dict[str, Any]]:
    """Everything that such a cluster holds."""
    for name in tree.ENVIRONMENTS:
        yield from environment(name)
        yield application(name)
    yield platform()
    for name in ("notifications", "health"):
        yield yaml.safe_load((ROOT / f"argocd/{name}.yaml").read_text())
    yield running("argo-rollouts", "argo-rollouts", "quay.io/argoproj/argo-rollouts:v1.10.1")
    yield running("argocd-server", "argocd", "quay.io/argoproj/argocd:v3.2.11")
    router = ROOT / "tests/cluster/platform/traefik.yaml"
    yield next(each for each in yaml.safe_load_all(router.read_text()) if each["kind"] == "Deployment")
    for path in (ROOT / "k8s/rendered/platform").glob("slipway_*_judge*.yaml"):
        each = yaml.safe_load(path.read_text())
        if each["kind"] in ("Deployment", "ConfigMap"):
            yield each
    for name, namespace, pods in (("judge", "slipway", 2), ("relay", "slipway", 1), ("prometheus", "monitoring", 1)):
        yield {
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app.kubernetes.io/name": name}, "ports": [{"name": "http", "port": 9090}]},
        }
        yield {
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-x",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
            },
            "ports": [{"name": "http", "port": 19090}],
            "endpoints": [{"addresses": [f"10.0.0.{pod}"], "conditions": {"ready": True}} for pod in range(pods)],
        }
    yield secret("argo-rollouts", "argo-rollouts-notification-secret", {"relay-token": TOKEN})
    yield secret("slipway", "relay", {"relay-token": TOKEN})


def environment(name: str) -> Iterator[dict[str, Any]]:
    """What Argo CD applies, after the controller has written to it; in production 10 % are the canary's."""
    canary = CANARY if name == "production" else STABLE
    for path in sorted((ROOT / "k8s/next" / name).glob("*.yaml")):
        each = yaml.safe_load(re.sub(rf"\S+{re.escape(tree.UNRELEASED)}", IMAGE, path.read_text()))
        if each["kind"] == "Service":
            each["spec"]["selector"][HASH] = canary if each["metadata"]["name"].endswith("-canary") else STABLE
        if each["kind"] == "TraefikService" and canary != STABLE:
            for child, weight in zip(each["spec"]["weighted"]["services"], (90, 10), strict=True):
                child["weight"] = weight
        if each["kind"] == "Rollout":
            each["status"] = {"stableRS": STABLE, "currentPodHash": canary, "phase": "Progressing"}
            if canary != STABLE:
                each["status"]["canary"] = {"weights": {"canary": {"weight": 10}, "stable": {"weight": 90}}}
        yield each
    keys = {"url": b"postgresql://", "keys": b"k", "credentials": b"c"}
    yield secret(f"flights-{name}", "flights-ledger", keys)
    for pod in ("flights-a", "flights-b"):
        yield {
            "kind": "Pod",
            "metadata": {
                "name": pod,
                "namespace": f"flights-{name}",
                "labels": {"app.kubernetes.io/name": "flights"},
            },
            "status": {"initContainerStatuses": [{"name": "shipper", "state": {"running": {}}}]},
        }


def application(name: str) -> dict[str, Any]:
    """An Application after its sync."""
    found: dict[str, Any] = yaml.safe_load((ROOT / f"argocd/{name}.yaml").read_text())
    done = [{"kind": "Job", "namespace": f"flights-{name}", "name": "migrate", "hookType": "PreSync"}]
    found["status"] = {
        "sync": {"status": "Synced", "revision": 40 * "c"},
        "operationState": {"syncResult": {"resources": done}},
    }
    return found


def platform() -> dict[str, Any]:
    """The Application of judge and relay."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "argocd/platform/application.yaml").read_text())
    found["status"] = {"sync": {"status": "Synced", "revision": 40 * "c"}, "health": {"status": "Healthy"}}
    return found


def running(name: str, namespace: str, image: str, *arguments: str) -> dict[str, Any]:
    """A Deployment with one container."""
    labels = {"app.kubernetes.io/name": name}
    container = {"name": name, "image": image, "command": ["run"], "args": list(arguments)}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }


def secret(namespace: str, name: str, values: dict[str, bytes]) -> dict[str, Any]:
    """A Secret as the API has it."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


def relay_metrics(now: float = NOW) -> dict[str, float]:
    """The relay's /metrics, a few seconds after its last turn."""
    looked = {f'slipway_relay_looked_at{{environment="{name}"}}': now - 5 for name in tree.ENVIRONMENTS}
    clocks = {"slipway_relay_turned_at": now - 5, "slipway_relay_fetched_at": now - 4}
    failures = {f'slipway_relay_failures_{name}{{source="git"}}': 3.0 for name in ("total", "created")}
    return clocks | looked | failures


def encoded(said: Any) -> bytes:
    """An answer as bytes."""
    return said.encode() if isinstance(said, str) else json.dumps(said).encode()


def _one_each(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _selects(query: dict[str, str], each: dict[str, Any]) -> bool:
    wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)
    return wanted.items() <= each["metadata"].get("labels", {}).items()

"""What docs/deployment.md has a person do once: Secrets, Argo CD's project and applications, and Git's webhook."""

import base64
import subprocess
from collections.abc import Mapping
from secrets import token_hex

import yaml
from tests.cluster.machine import outside
from tests.cluster.machine.box import Box
from tests.cluster.machine.fork import Fork
from tests.cluster.machine.kubernetes import Kubectl
from tests.cluster.machine.place import Place

POSTGRES = "postgres.ledger.svc"
STATE = "/run/slipway-relay"  # in the box; there is nobody who makes volumes
ENVIRONMENTS = ("flights-staging", "flights-production")
HOOK = """#!/bin/sh
# What Argo CD does itself when it hears GitHub's webhook: it looks now, and not within two minutes.
exec {kubectl} --kubeconfig={kubeconfig} --namespace=argocd annotate applications --all --overwrite \
  argocd.argoproj.io/refresh=normal >/dev/null
"""


def prepare(box: Box, fork: Fork, kubectl: Kubectl) -> None:
    """Make the namespaces and Secrets, have Argo CD follow the fork, and Git tell it of each push."""
    place = box.place
    subprocess.run(box.enter("install", "--directory", "--mode=0777", STATE), check=True)
    made = [_namespace(name) for name in ("slipway", *ENVIRONMENTS)] + [_volume()]
    made += [_secret(*secret) for secret in _secrets(place)]
    path = place.secrets / "cluster.yaml"
    path.write_text(yaml.safe_dump_all(made))
    kubectl.apply(path)
    hook = outside.repository(place) / "hooks/post-receive"
    hook.write_text(HOOK.format(kubectl=kubectl.program, kubeconfig=place.kubeconfig))
    hook.chmod(0o755)
    argocd = fork.root / "argocd"
    for name in ("notifications", "project", "platform/project", "platform/application", "staging", "production"):
        kubectl.apply(argocd / f"{name}.yaml")
    kubectl.run("--namespace=argocd", "patch", "configmap", "argocd-cm", f"--patch-file={argocd / 'health.yaml'}")


def credential(place: Place) -> str:
    """What /feedback asks for."""
    return (place.secrets / "credential").read_text()


def _secrets(place: Place) -> list[tuple[str, str, dict[str, str]]]:
    token, keys = token_hex(32), token_hex(32)
    (place.secrets / "credential").write_text(token_hex(32))
    url = outside.ledger(place, outside.OWNER, POSTGRES)
    service = {"url": url, "keys": keys, "credentials": credential(place)}
    relay = {
        "relay-token": token,
        "git-credentials": outside.credentials(place),
    }
    return [
        *((namespace, "flights-ledger", service) for namespace in ENVIRONMENTS),
        ("slipway", "ledger", {"url": outside.ledger(place, outside.READER, POSTGRES)}),
        ("slipway", "ledger-owner", {"url": url}),
        ("slipway", "relay", relay),
        ("argo-rollouts", "argo-rollouts-notification-secret", {"relay-token": token}),
    ]


def _secret(namespace: str, name: str, data: Mapping[str, str]) -> dict[str, object]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return _object("v1", "Secret", name, namespace) | {"data": encoded}


def _namespace(name: str) -> dict[str, object]:
    return _object("v1", "Namespace", name)


def _volume() -> dict[str, object]:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": STATE},
        "claimRef": {"namespace": "slipway", "name": "relay"},
        "storageClassName": "",
    }
    return _object("v1", "PersistentVolume", "relay") | {"spec": spec}


def _object(version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, object]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata}

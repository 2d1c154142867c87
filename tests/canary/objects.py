"""Objects of the Kubernetes API as Argo Rollouts 1.10 writes them, cut to what the judge may look at."""

from typing import Any

from slipway.canary import facts

DAY = "2026-11-21T"
NOW = facts.time(f"{DAY}13:00:00Z")
GATE = {"analysis": {"templates": [{"templateName": "judge"}]}}
DIGEST = "sha256:" + 64 * "a"
IMAGE = f"ghcr.io/example/flights:1.1.0@{DIGEST}"
STEPS = [{"setWeight": 10}, GATE, {"setWeight": 30}, GATE, {"setWeight": 60}, GATE, {"setWeight": 100}]


def rollout(**status: Any) -> dict[str, Any]:
    """A Rollout whose second revision is on its way."""
    return {
        "metadata": {
            "name": "flights",
            "namespace": "shop",
            "uid": "u-1",
            "annotations": {"rollout.argoproj.io/revision": "2"},
        },
        "spec": {
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "flights"},
            "strategy": {"canary": {"steps": STEPS, "trafficRouting": {"traefik": {}}}},
        },
        "status": {
            "stableRS": "aaa",
            "currentPodHash": "bbb",
            "currentStepIndex": 1,
            "workloadObservedGeneration": "7",
            **status,
        },
    }


def deployment(**annotations: str) -> dict[str, Any]:
    """The Deployment that the Rollout takes its pods from; a `rollback` is what it says of one."""
    said = {"deployment.kubernetes.io/revision": "1"}
    return {
        "metadata": {
            "name": "flights",
            "namespace": "shop",
            "generation": 7,
            "annotations": said | {f"slipway.dev/{name}": text for name, text in annotations.items()},
        },
        "spec": {"template": {"spec": {"containers": [{"name": "flights", "image": IMAGE}]}}},
    }


def run(step: int, start: str, end: str | None = None, phase: str = "Running", **changes: str) -> dict[str, Any]:
    """A step run as the controller labels it; `end` goes with a phase that has ended."""
    known = {"uid": "u-1", "revision": "2", "hash": "bbb", "type": "Step", "name": f"flights-bbb-2-{step}"} | changes
    return {
        "metadata": {
            "name": known["name"],
            "creationTimestamp": f"{DAY}{start}Z",
            "labels": {
                "rollouts-pod-template-hash": known["hash"],
                "rollout-type": known["type"],
                "step-index": str(step),
            },
            "annotations": {"rollout.argoproj.io/revision": known["revision"]},
            "ownerReferences": [{"kind": "Rollout", "uid": known["uid"], "controller": True}],
        },
        "spec": {"args": [{"name": "bake", "value": "30m"}, {"name": "secret", "valueFrom": {}}]},
        "status": {"phase": phase} | ({"completedAt": f"{DAY}{end}Z"} if end else {}),
    }


def pod(ready: str, since: str, **metadata: Any) -> dict[str, Any]:
    """A pod of the canary with its Ready condition."""
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": f"{DAY}{since}Z"}
    return {
        "metadata": {"name": "p", "creationTimestamp": f"{DAY}11:59:00Z", **metadata},
        "status": {"conditions": [{"type": "Initialized", "status": "True"}, condition]},
    }


def going(over: str, grace: int) -> dict[str, Any]:
    """A pod that was deleted `grace` seconds before its time is `over`, and still says that it is ready."""
    return pod("True", "12:00:00", deletionTimestamp=f"{DAY}{over}Z", deletionGracePeriodSeconds=grace)


def at(text: str) -> float:
    """Seconds of a time of the day."""
    return facts.time(f"{DAY}{text}Z")

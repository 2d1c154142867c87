"""The kinds of object that the manifests use, as types: which fields may stand in them, and which must.

Cluster and kustomize accept a misspelt field in silence, and some spelt correctly undo a guarantee. So each kind lists
the fields we use, which are far fewer than the cluster knows; `make test-full` proves that the cluster knows them all.
To use another field, add it here with its type, and say in the type what it may hold.
"""

import msgspec

from slipway.manifests.kinds import argocd, kubernetes, platform, rollouts, workload
from slipway.manifests.kinds.base import Object

KINDS: dict[tuple[str, str], type[Object]] = {
    ("v1", "Service"): kubernetes.Service,
    ("v1", "ServiceAccount"): kubernetes.ServiceAccount,
    ("v1", "ConfigMap"): argocd.ConfigMap,
    ("apps/v1", "Deployment"): workload.Deployment,
    ("policy/v1", "PodDisruptionBudget"): kubernetes.PodDisruptionBudget,
    ("networking.k8s.io/v1", "NetworkPolicy"): kubernetes.NetworkPolicy,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): kubernetes.HorizontalPodAutoscaler,
    ("argoproj.io/v1alpha1", "Rollout"): rollouts.Rollout,
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): rollouts.AnalysisTemplate,
    ("argoproj.io/v1alpha1", "AppProject"): argocd.AppProject,
    ("argoproj.io/v1alpha1", "Application"): argocd.Application,
    ("traefik.io/v1alpha1", "TraefikService"): platform.TraefikService,
    ("traefik.io/v1alpha1", "IngressRoute"): platform.IngressRoute,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): platform.ServiceMonitor,
}


def decode(plain: object) -> Object:
    """Type an object as it was read from YAML.

    Raises:
        ValueError: the kind is not one of ours, or a field is unknown, missing, or holds what it may not; the message
            ends with the path of the field.

    """
    if not isinstance(plain, dict):
        raise ValueError("no object")  # noqa: TRY004  # one kind of refusal, whatever was read
    found = (str(plain.get("apiVersion")), str(plain.get("kind")))
    if found not in KINDS:
        raise ValueError(f"no kind that is used here: apiVersion {found[0]}, kind {found[1]}")
    return msgspec.convert(plain, KINDS[found])

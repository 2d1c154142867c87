"""What Argo CD is told fits the environments, and a change in one place is refused."""

import copy
from typing import Any

import pytest

from slipway import manifests
from slipway.manifests import delivery

PRODUCTION, STAGING = "Application/flights-production", "Application/flights-staging"
PROJECT, NOTIFICATIONS = "AppProject/slipway", "ConfigMap/argo-rollouts-notification-configmap"
SYNC = "spec.syncPolicy"
ON_CALL = "p, proj:slipway:on-call, {}, slipway/*, allow"
GENERATE = "metadata.annotations.argocd~argoproj~io/manifest-generate-paths"

# object, path of the field, its new value, what the refusal names
CASES = [
    (PRODUCTION, GENERATE, "/k8s", "manifest-generate-paths"),
    (PRODUCTION, "spec.source.path", "k8s/next/production", "spec.source.path"),
    (PRODUCTION, "spec.source.path", "k8s/rendered/staging", "Application"),
    (PRODUCTION, "spec.source.path", "k8s/rendered/elsewhere", "Application"),
    (PRODUCTION, "spec.source.targetRevision", "HEAD", "targetRevision"),
    (PRODUCTION, "spec.source.repoURL", "https://github.com/else/slipway.git", "repoURL"),
    (PRODUCTION, "spec.destination.namespace", "flights-staging", "destination.namespace"),
    (PRODUCTION, "spec.destination.server", "https://elsewhere.example.com", "spec.destination"),
    (PRODUCTION, "spec.project", "default", "spec.project"),
    (PRODUCTION, f"{SYNC}.automated.prune", False, "prune"),
    (STAGING, f"{SYNC}.automated.selfHeal", False, "selfHeal"),
    (STAGING, f"{SYNC}.automated.allowEmpty", True, "allowEmpty"),
    (STAGING, f"{SYNC}.syncOptions.3", "ServerSideApply=true", "syncOptions"),
    (STAGING, f"{SYNC}.syncOptions.1", "ServerSideApply=true", "syncOptions"),
    (STAGING, f"{SYNC}.managedNamespaceMetadata.labels", {"pod-security.kubernetes.io/enforce": "baseline"}, "labels"),
    (STAGING, "spec.ignoreDifferences.0.jqPathExpressions", [".spec.weighted"], "jqPathExpressions"),
    (STAGING, "spec.ignoreDifferences", [], "ignoreDifferences"),
    (PROJECT, "spec.namespaceResourceWhitelist", [], "namespaceResourceWhitelist: lacks Rollout"),
    (PROJECT, "spec.destinations.1.namespace", "default", "spec.destination"),
    (PROJECT, "spec.roles.1.policies.2", ON_CALL.format("applications, delete"), "roles: on-call"),
    (PROJECT, "spec.roles.1.policies.2", ON_CALL.format("applications, action/argoproj.io/Rollout/undo"), "undo"),
    (PROJECT, "spec.roles.1.policies.2", ON_CALL.replace("on-call", "admin").format("logs, get"), "roles: on-call"),
    (PROJECT, "spec.roles.1.policies.2", ON_CALL.replace("slipway/*", "*/*").format("logs, get"), "roles: on-call"),
    (PROJECT, "spec.roles.0.groups", [], "groups"),
    (NOTIFICATIONS, "data.trigger~on-rollout-aborted", "- send: [other]", "template.other"),
]


@pytest.fixture(scope="module")
def environments(production: Any) -> dict[str, Any]:
    """Both environments, typed."""
    staging = copy.deepcopy(production)
    for each in staging:
        each["metadata"]["namespace"] = "flights-staging"
    both = {"staging": manifests.examine(staging)[0], "production": manifests.examine(production)[0]}
    assert None not in both.values()
    return both


def test_what_is_shipped_fits(argocd: Any, environments: Any) -> None:
    """Project, applications and notifications as shipped are accepted."""
    assert delivery.check(argocd, environments) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: ":".join(case[:2]))
def test_one_change_is_refused(argocd: Any, environments: Any, change: Any, case: tuple[str, str, Any, str]) -> None:
    """A setting that would lose the canary, reach elsewhere or delete production is refused by name."""
    label, path, value, field = case
    problems = delivery.check(change(argocd, label, path, value), environments)
    assert any(field in problem for problem in problems), problems


def test_a_lost_object_is_refused(argocd: Any, environments: Any) -> None:
    """Without a project, an application or the notifications nothing is delivered as the design says."""
    for each in argocd:
        assert delivery.check([other for other in argocd if other is not each], environments), each["kind"]


def test_a_lost_trigger_is_refused(argocd: Any, environments: Any, change: Any, absent: object) -> None:
    """A subscription of the Rollout without its trigger or its receiver would be silent for ever."""
    for key in ("trigger.on-rollout-completed", "service.webhook.relay", "template.rollout-ended"):
        problems = delivery.check(change(argocd, NOTIFICATIONS, f"data.{key.replace('.', '~')}", absent), environments)
        assert any(f"lacks {key}" in problem for problem in problems)

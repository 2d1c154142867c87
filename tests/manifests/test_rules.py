"""Each rule refuses a manifest that was changed in one place, and says in which."""

from pathlib import Path
from typing import Any

import pytest

from slipway import manifests
from slipway.adapters import spool
from slipway.manifests import environment, safety, wiring
from slipway.manifests.wiring import Rule

DEPLOYMENT, ROLLOUT, JUDGE = "Deployment/flights", "Rollout/flights", "AnalysisTemplate/judge"
POD = "spec.template.spec"
CONTAINER, SHIPPER = f"{POD}.containers.0", f"{POD}.initContainers.0"
CANARY = "spec.strategy.canary"
LABELS = "namespaceSelector.matchLabels"
METRIC = "spec.metrics.0"
ANALYSIS = {"analysis": {"templates": [{"templateName": "judge"}], "args": []}}
PROBE = {"httpGet": {"path": "/livez", "port": "web"}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}

# object, path of the field, its new value, what the refusal names
BY_TYPE = [
    (DEPLOYMENT, "spec.replicas", 2, "$.spec.replicas"),
    (DEPLOYMENT, f"{POD}.containers.1", {"name": "second"}, "containers"),
    (DEPLOYMENT, f"{POD}.hostNetwork", True, "hostNetwork"),
    (DEPLOYMENT, f"{POD}.initContainers", [], "initContainers"),
    (DEPLOYMENT, f"{SHIPPER}.restartPolicy", "Never", "restartPolicy"),
    (DEPLOYMENT, f"{SHIPPER}.command.1", "/home/bento/shipper.py", "command"),
    (DEPLOYMENT, f"{CONTAINER}.args.1", "5", "args"),
    (DEPLOYMENT, f"{CONTAINER}.env.1.valueFrom.fieldRef.fieldPath", "metadata.name", "fieldPath"),
    (DEPLOYMENT, f"{CONTAINER}.env.6", {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a"}}}, "secretKeyRef"),
    (DEPLOYMENT, f"{POD}.volumes.1.secret.defaultMode", 0o444, "defaultMode"),
    (DEPLOYMENT, f"{POD}.securityContext.runAsUser", 0, "runAsUser"),
    (DEPLOYMENT, f"{POD}.securityContext.runAsGroup", 0, "runAsGroup"),
    (DEPLOYMENT, f"{POD}.securityContext.seccompProfile.type", "Unconfined", "seccompProfile"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.capabilities.drop", ["NET_RAW"], "drop"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.capabilities.add", ["NET_ADMIN"], "add"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.privileged", True, "privileged"),
    (DEPLOYMENT, f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 1, "preStop.sleep.seconds"),
    (DEPLOYMENT, f"{CONTAINER}.lifecycle.preStop", {"exec": {"command": ["sleep", "2"]}}, "exec"),
    (DEPLOYMENT, f"{CONTAINER}.resources.limits.memory", "512M", "limits.memory"),
    (DEPLOYMENT, f"{CONTAINER}.ports.0.containerPort", 0, "containerPort"),
    (DEPLOYMENT, f"{POD}.volumes.2", {"name": "tmp", "hostPath": {"path": "/var"}}, "hostPath"),
    ("PodDisruptionBudget/flights", "spec.maxUnavailable", 0, "maxUnavailable"),
    ("PodDisruptionBudget/flights", "spec.minAvailable", 1, "minAvailable"),
    ("NetworkPolicy/flights", "spec.policyTypes", ["Ingress"], "policyTypes"),
    ("NetworkPolicy/flights", "spec.egress", [{}], "egress"),
    ("NetworkPolicy/flights", "spec.egress.2", {"to": [], "ports": []}, "egress"),
    ("NetworkPolicy/flights", "spec.egress.1.ports.0.port", 443, "port"),
    ("NetworkPolicy/flights", "spec.egress.1.to", [], "to"),
    ("NetworkPolicy/flights", "spec.ingress.0.from", [], "from"),
    ("Service/flights-stable", "spec.type", "LoadBalancer", "type"),
    ("Service/flights-canary", "spec.ports.0.targetPort", 3000, "targetPort"),
    ("IngressRoute/flights", "spec.routes.0.match", "PathPrefix(`/`)", "match"),
    ("IngressRoute/flights", "spec.routes.0.services.0.kind", "Service", "services[0].kind"),
    ("TraefikService/flights", "spec.mirroring", {}, "mirroring"),
    ("TraefikService/flights", "spec.weighted.services.1.weight", 10, "weight"),
    ("TraefikService/flights", "spec.weighted.services.2", {"name": "a", "port": "http", "weight": 0}, "services"),
    (ROLLOUT, "spec.workloadRef.scaleDown", "onsuccess", "workloadRef.scaleDown"),
    (ROLLOUT, "spec.workloadRef.kind", "ReplicaSet", "workloadRef.kind"),
    (ROLLOUT, "spec.rollbackWindow", {"revisions": 3}, "rollbackWindow"),
    (ROLLOUT, "spec.replicas", 1, "$.spec.replicas"),
    (ROLLOUT, f"{CANARY}.minPodsPerReplicaSet", 1, "minPodsPerReplicaSet"),
    (ROLLOUT, f"{CANARY}.abortScaleDownDelaySeconds", 30, "abortScaleDownDelaySeconds"),
    (ROLLOUT, f"{CANARY}.dynamicStableScale", True, "dynamicStableScale"),
    (ROLLOUT, f"{CANARY}.steps.1", {"pause": {}}, "pause"),
    (ROLLOUT, f"{CANARY}.steps.1", {"setCanaryScale": {"replicas": 1}}, "setCanaryScale"),
    (JUDGE, f"{METRIC}.provider", {"web": {"url": "http://judge.slipway.svc"}}, "web"),
    (JUDGE, f"{METRIC}.provider.prometheus.address", "http://example.org/judge", "address"),
    (JUDGE, f"{METRIC}.successCondition", "result[0] == 1", "successCondition"),
    (JUDGE, f"{METRIC}.failureCondition", "len(result) == 1 && result[0] == -1", "failureCondition"),
    (JUDGE, f"{METRIC}.failureLimit", 1, "failureLimit"),
    (JUDGE, f"{METRIC}.consecutiveSuccessLimit", 2, "consecutiveSuccessLimit"),
    (JUDGE, "spec.dryRun", [{"metricName": ".*"}], "dryRun"),
    ("HorizontalPodAutoscaler/flights", "spec.minReplicas", 1, "minReplicas"),
    ("HorizontalPodAutoscaler/flights", "spec.scaleTargetRef.kind", "Deployment", "scaleTargetRef.kind"),
    ("ServiceMonitor/flights", "spec.podTargetLabels", ["app"], "podTargetLabels"),
]
BY_RULE: list[tuple[Rule, str, str, Any, str]] = [
    (wiring.references, ROLLOUT, "spec.workloadRef.name", "flight", "spec.workloadRef.name"),
    (wiring.references, DEPLOYMENT, "metadata.name", "v2-flights", "spec.workloadRef.name"),  # as a namePrefix does
    (wiring.references, ROLLOUT, f"{CANARY}.stableService", "flights", "stableService"),
    (wiring.references, ROLLOUT, f"{CANARY}.canaryService", "flights", "canaryService"),
    (wiring.references, "Service/flights-canary", "metadata.name", "canary", "canaryService"),
    (wiring.references, ROLLOUT, f"{CANARY}.trafficRouting.traefik.weightedTraefikServiceName", "x", "weightedTraefik"),
    (wiring.references, ROLLOUT, f"{CANARY}.steps.1.analysis.templates.0.templateName", "score", "templateName"),
    (wiring.references, "IngressRoute/flights", "spec.routes.0.services.0.name", "x", "routes[0].services[0].name"),
    (wiring.references, DEPLOYMENT, f"{POD}.serviceAccountName", "default", "serviceAccountName"),
    (wiring.references, "HorizontalPodAutoscaler/flights", "spec.scaleTargetRef.name", "x", "scaleTargetRef.name"),
    (wiring.split_services, "TraefikService/flights", "spec.weighted.services.0.weight", 0, "weighted.services"),
    (wiring.split_services, "TraefikService/flights", "spec.weighted.services.1.name", "x", "weighted.services"),
    (wiring.split_services, "TraefikService/flights", "spec.weighted.services.1.port", "x", "weighted.services[].port"),
    (wiring.split_services, ROLLOUT, f"{CANARY}.canaryService", "flights-stable", "canaryService"),
    (wiring.ports, DEPLOYMENT, f"{CONTAINER}.startupProbe.httpGet.port", "web", "startupProbe.httpGet.port"),
    (wiring.ports, DEPLOYMENT, f"{CONTAINER}.readinessProbe.httpGet.port", "web", "readinessProbe.httpGet.port"),
    (wiring.ports, DEPLOYMENT, f"{CONTAINER}.livenessProbe", PROBE, "livenessProbe.httpGet.port"),
    (wiring.ports, "Service/flights-canary", "spec.ports.0.targetPort", "web", "spec.ports[].targetPort"),
    (wiring.ports, "NetworkPolicy/flights", "spec.ingress.0.ports.0.port", "web", "spec.ingress[].ports[].port"),
    (wiring.ports, "ServiceMonitor/flights", "spec.endpoints.0.port", "web", "spec.endpoints[0].port"),
    (wiring.selectors, DEPLOYMENT, "spec.selector.matchLabels", {"app": "x"}, "Deployment/flights: spec.selector"),
    (wiring.selectors, "PodDisruptionBudget/flights", "spec.selector.matchLabels", {"app": "x"}, "spec.selector"),
    (wiring.selectors, "NetworkPolicy/flights", "spec.podSelector.matchLabels", {"app": "x"}, "spec.podSelector"),
    (
        wiring.selectors,
        "Service/flights-stable",
        "spec.selector",
        {"app": "x"},
        "Service/flights-stable: spec.selector",
    ),
    (
        wiring.selectors,
        DEPLOYMENT,
        f"{POD}.topologySpreadConstraints.0.labelSelector.matchLabels",
        {"app": "x"},
        "topologySpreadConstraints",
    ),
    (wiring.selectors, "ServiceMonitor/flights", "spec.selector.matchLabels", {"app": "x"}, "does not select"),
    (wiring.volumes, DEPLOYMENT, f"{CONTAINER}.volumeMounts.2.name", "scratch", "containers[0].volumeMounts[].name"),
    (wiring.volumes, DEPLOYMENT, f"{SHIPPER}.volumeMounts.0.name", "scratch", "initContainers[0].volumeMounts[].name"),
    (wiring.arguments, ROLLOUT, f"{CANARY}.steps.3.analysis.args", [], "steps[].analysis.args"),
    (wiring.arguments, JUDGE, "spec.args.7", {"name": "extra", "value": "1"}, "query"),
    (wiring.arguments, JUDGE, f"{METRIC}.provider.prometheus.query", "vector(1)", "query"),
    (safety.pod, DEPLOYMENT, f"{POD}.automountServiceAccountToken", True, "automountServiceAccountToken"),
    (safety.pod, "ServiceAccount/flights", "automountServiceAccountToken", True, "automountServiceAccountToken"),
    (safety.pod, DEPLOYMENT, f"{POD}.enableServiceLinks", True, "enableServiceLinks"),
    (safety.pod, DEPLOYMENT, f"{POD}.securityContext.runAsNonRoot", False, "runAsNonRoot"),
    (safety.pod, DEPLOYMENT, f"{CONTAINER}.securityContext.allowPrivilegeEscalation", True, "allowPrivilegeEscalation"),
    (safety.pod, DEPLOYMENT, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False, "readOnlyRootFilesystem"),
    (safety.pod, DEPLOYMENT, f"{CONTAINER}.volumeMounts.2.mountPath", "/scratch", "volumeMounts"),
    (safety.pod, DEPLOYMENT, f"{CONTAINER}.env.4.value", "/home/bentoml", "BENTOML_HOME"),
    (safety.life, DEPLOYMENT, f"{CONTAINER}.startupProbe.httpGet.path", "/livez", "startupProbe.httpGet.path"),
    (safety.life, DEPLOYMENT, f"{CONTAINER}.readinessProbe.httpGet.path", "/livez", "readinessProbe.httpGet.path"),
    (safety.life, DEPLOYMENT, f"{CONTAINER}.livenessProbe.httpGet.path", "/readyz", "livenessProbe.httpGet.path"),
    (safety.life, DEPLOYMENT, f"{POD}.terminationGracePeriodSeconds", 51, "terminationGracePeriodSeconds"),
    (safety.image, DEPLOYMENT, f"{CONTAINER}.image", "ghcr.io/example/flights:1.0.0", "containers[0].image"),
    (
        safety.image,
        DEPLOYMENT,
        f"{CONTAINER}.image",
        f"ghcr.io/example/flights@sha256:{64 * '1'}",
        "containers[0].image",
    ),
    (safety.image, DEPLOYMENT, f"{CONTAINER}.env.5.value", "1.0.0", "SLIPWAY_BENTO must be sha256:DIGEST"),
    (safety.image, DEPLOYMENT, f"{CONTAINER}.env.5.name", "BENTO", "SLIPWAY_BENTO must be sha256:DIGEST"),
    (safety.image, DEPLOYMENT, f"{CONTAINER}.env.6", {"name": "SLIPWAY_BENTO", "value": f"sha256:{64 * '1'}"}, "once"),
    (
        safety.image,
        DEPLOYMENT,
        f"{SHIPPER}.image",
        f"ghcr.io/example/flights:1.0.0@sha256:{64 * '1'}",
        "that of contain",
    ),
    (safety.pod, DEPLOYMENT, f"{SHIPPER}.securityContext.allowPrivilegeEscalation", True, "initContainers[0].security"),
    (safety.pod, DEPLOYMENT, f"{SHIPPER}.securityContext.readOnlyRootFilesystem", False, "initContainers[0].security"),
    (safety.memory, DEPLOYMENT, f"{CONTAINER}.env.0.name", "ENVIRONMENT", "lacks SLIPWAY_ENVIRONMENT"),
    (safety.memory, DEPLOYMENT, f"{CONTAINER}.env.1", {"name": "SLIPWAY_POD"}, "lacks SLIPWAY_POD"),
    (safety.memory, DEPLOYMENT, f"{CONTAINER}.env.1.value", "6d4cf56db6", "SLIPWAY_POD needs `value` or `valueFrom`"),
    (safety.memory, DEPLOYMENT, f"{CONTAINER}.env.2.value", "/etc/ledger", "SLIPWAY_LEDGER must lead to a Secret"),
    (safety.memory, DEPLOYMENT, f"{SHIPPER}.env.1.value", "/var/spool", "SLIPWAY_SPOOL must lead to the emptyDir"),
    (safety.memory, DEPLOYMENT, f"{SHIPPER}.volumeMounts.0.readOnly", True, "SLIPWAY_SPOOL must lead to the emptyDir"),
    (safety.memory, DEPLOYMENT, f"{CONTAINER}.volumeMounts.1.readOnly", False, "SLIPWAY_LEDGER must lead to a Secret"),
    (safety.memory, DEPLOYMENT, f"{CONTAINER}.volumeMounts.0.name", "tmp", "SLIPWAY_SPOOL must lead to the emptyDir"),
    (safety.memory, DEPLOYMENT, f"{POD}.volumes.0", {"name": "spool"}, "spool needs `emptyDir` or `secret`"),
    (safety.memory, DEPLOYMENT, f"{POD}.volumes.0.emptyDir.sizeLimit", "1Gi", "spool needs 1280Mi"),
    (safety.memory, DEPLOYMENT, f"{POD}.volumes.0.emptyDir.sizeLimit", "2000", "spool needs 1280Mi"),
    (safety.outward, "NetworkPolicy/flights", "spec.egress.0.ports.0.port", 5432, "spec.egress[0]"),
    (safety.outward, "NetworkPolicy/flights", f"spec.egress.0.to.0.{LABELS}", {"a": "b"}, "spec.egress[0]"),
    (safety.outward, "NetworkPolicy/flights", "spec.egress.1.ports.0.protocol", "UDP", "spec.egress[1].ports"),
    (safety.replicas, ROLLOUT, "spec.replicas", 2, "spec.replicas"),  # beside the autoscaler
    (safety.steps, ROLLOUT, "spec.progressDeadlineAbort", False, "progressDeadlineAbort"),
    (safety.steps, ROLLOUT, f"{CANARY}.steps.2.setWeight", 10, "steps"),
    (safety.steps, ROLLOUT, f"{CANARY}.steps.6.setWeight", 90, "steps"),
    (safety.steps, ROLLOUT, f"{CANARY}.steps.3", {"setWeight": 40}, "steps"),
    (safety.steps, ROLLOUT, f"{CANARY}.steps.3.setWeight", 40, "steps"),
    (safety.steps, ROLLOUT, f"{CANARY}.steps", [{"setWeight": 100}], "steps"),
    (safety.analysis, JUDGE, "spec.args.4", {"name": "deadline", "value": "soon"}, "deadline"),
    (safety.analysis, JUDGE, "spec.args.4.value", "71h", "count"),
    (safety.analysis, JUDGE, f"{METRIC}.interval", "60s", "count"),
    (safety.analysis, JUDGE, f"{METRIC}.inconclusiveLimit", 10, "inconclusiveLimit"),
    (safety.analysis, JUDGE, f"{METRIC}.consecutiveErrorLimit", 1, "consecutiveErrorLimit"),
    (safety.analysis, JUDGE, f"{METRIC}.provider.prometheus.timeout", 30, "timeout"),
    (safety.placement, "Service/flights-stable", "metadata.namespace", "default", "metadata.namespace"),
    (safety.placement, ROLLOUT, "metadata.annotations.argocd~argoproj~io/sync-wave", "1", "sync-wave"),
    (safety.placement, DEPLOYMENT, "metadata.annotations", {"argocd.argoproj.io/hook": "PostSync"}, "hook"),
]


def _id(case: Any) -> str:
    return ":".join(case[-4:-2])


@pytest.mark.parametrize("case", BY_TYPE, ids=_id)
def test_a_type_refuses(with_components: Any, change: Any, case: tuple[str, str, Any, str]) -> None:
    """A field that may not be there, or may not hold this, is refused by name."""
    label, path, value, field = case
    (problem,) = manifests.check(change(with_components, label, path, value))
    assert problem.startswith(f"{label}: ")
    assert field in problem


@pytest.mark.parametrize("case", BY_RULE, ids=_id)
def test_a_rule_refuses(with_components: Any, change: Any, case: tuple[Rule, str, str, Any, str]) -> None:
    """What types cannot say is refused by its rule, and the refusal names the field."""
    rule, label, path, value, field = case
    changed = change(with_components, label, path, value)
    objects, problems = environment.typed(changed)
    assert problems == []
    assert any(field in problem for problem in rule(environment.assemble(objects)))
    assert any(field in problem for problem in manifests.check(changed))


def test_the_rules_and_the_service_agree() -> None:
    """What the rules leave room and time for is what the spool and the shipper take."""
    assert spool.LIMIT < safety.SPOOL_MEBIBYTES << 20
    shipper = (Path(__file__).parents[2] / "bentos/flights/shipper.py").read_text()
    assert f"DRAIN_SECONDS = {safety.DRAIN_SECONDS}.0 " in shipper


def test_every_rule_is_tried() -> None:
    """No rule exists without a manifest that it refuses."""
    assert {case[0] for case in BY_RULE} == {*wiring.RULES, *safety.RULES}


def test_no_replicas_at_all(production: Any, change: Any, absent: object) -> None:
    """Without an autoscaler the Rollout says how many pods there are: the controller would take one."""
    assert "spec.replicas" in manifests.check(change(production, ROLLOUT, "spec.replicas", absent))[0]


def test_each_object_is_needed_once(production: Any) -> None:
    """A tree in which any object is missing, or there twice, is refused."""
    for each in production:
        assert manifests.check([other for other in production if other is not each]), each["kind"]
        assert any("twice" in problem for problem in manifests.check([*production, each])), each["kind"]


def test_a_foreign_kind_is_refused(production: Any) -> None:
    """A kind that no type describes is refused, whatever is in it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "flights-production"}}
    assert manifests.check([*production, secret]) == [
        "Secret/key: no kind that is used here: apiVersion v1, kind Secret"
    ]
    assert manifests.check([*production, ["no", "object"]]) != []

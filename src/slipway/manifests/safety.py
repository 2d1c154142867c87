"""May these manifests run? What a type cannot say: booleans that must be so, and values that depend on one another.

Each rule yields what is wrong as "Kind/name: path of the field: why".
"""

from collections.abc import Iterator

from slipway.manifests import tree
from slipway.manifests.environment import Environment
from slipway.manifests.kinds.base import Selector
from slipway.manifests.kinds.kubernetes import Peer
from slipway.manifests.kinds.workload import Running
from slipway.manifests.wiring import Rule

SPARE_MEASUREMENTS = 6  # the judge answers for good at its deadline; a few more questions may still be under way
ERROR_RETRY_SECONDS = 10  # of the Rollouts controller, whatever the interval is
PATIENCE_SECONDS = 600  # a judge that restarts must not abort a good canary; an error never promotes one
WRITABLE = "/tmp"  # noqa: S108  # of the pod: an emptyDir of its own
UNITS = {"s": 1, "m": 60, "h": 3600}
LEDGER_VARIABLES = {"SLIPWAY_LEDGER", "SLIPWAY_SPOOL", "SLIPWAY_ENVIRONMENT", "SLIPWAY_POD"}
DRAIN_SECONDS = 40  # the shipper's, when the service has ended
SPOOL_MEBIBYTES = 1024 + 256  # the spool's own limit, and room to notice it
SYSTEM = Selector(match_labels={"kubernetes.io/metadata.name": "kube-system"})


def pod(env: Environment) -> Iterator[str]:
    """A pod has no rights, a root it cannot write to, and room to write where the service needs it."""
    spec, at = env.deployment.spec.template.spec, f"{env.deployment.label}: spec.template.spec."
    writable = {mount.mount_path for mount in env.container.volume_mounts}
    facts = {
        "automountServiceAccountToken: must be false": not spec.automount_service_account_token,
        "enableServiceLinks: must be false": not spec.enable_service_links,
        "securityContext.runAsNonRoot: must be true": spec.security_context.run_as_non_root,
        f"containers[0].volumeMounts: {WRITABLE} must be one": WRITABLE in writable,
        f"containers[0].env: BENTOML_HOME must lie below {WRITABLE}": (
            str(_variables(env.container).get("BENTOML_HOME")).startswith(f"{WRITABLE}/")
        ),
    }
    for place, container in env.running.items():
        security = container.security_context
        facts |= {
            f"{place}.securityContext.allowPrivilegeEscalation: must be false": not security.allow_privilege_escalation,
            f"{place}.securityContext.readOnlyRootFilesystem: must be true": security.read_only_root_filesystem,
        }
    yield from (at + why for why, holds in facts.items() if not holds)
    if env.account.automount_service_account_token:
        yield f"{env.account.label}: automountServiceAccountToken: must be false"


def life(env: Environment) -> Iterator[str]:
    """Ready means the model is loaded, alive means the process answers, and the end leaves time to finish requests."""
    at, container = f"{env.deployment.label}: spec.template.spec.", env.container
    paths = {
        "startupProbe": (container.startup_probe, "/readyz"),
        "readinessProbe": (container.readiness_probe, "/readyz"),
        "livenessProbe": (container.liveness_probe, "/livez"),
    }
    for field, (probe, path) in paths.items():
        if probe.http_get.path != path:
            yield f"{at}containers[0].{field}.httpGet.path: must be {path}"
    grace = env.deployment.spec.template.spec.termination_grace_period_seconds
    if grace < container.lifecycle.pre_stop.sleep.seconds + 10 + DRAIN_SECONDS:
        yield f"{at}terminationGracePeriodSeconds: must leave 10 s after the preStop sleep, and {DRAIN_SECONDS} to ship"


def image(env: Environment) -> Iterator[str]:
    """The image is named by version and digest: a tag alone can change under a running release. So is its bento."""
    at = f"{env.deployment.label}: spec.template.spec."
    if not tree.REFERENCE.fullmatch(env.container.image):
        yield f"{at}containers[0].image: {env.container.image!r} must be NAME:VERSION@sha256:DIGEST"
    told = [variable.value for variable in env.container.env if variable.name == tree.BENTO]
    if len(told) != 1 or not tree.DIGEST.fullmatch(str(told[0])):
        yield f"{at}containers[0].env: {tree.BENTO} must be sha256:DIGEST, once: the service compares its files with it"
    if env.shipper.image != env.container.image:
        yield f"{at}initContainers[0].image: must be that of containers[0]: the shipper reads what that release writes"


def memory(env: Environment) -> Iterator[str]:
    """What is answered is kept: service and shipper share a spool with room, and a Secret that neither can change."""
    spec, at = env.deployment.spec.template.spec, f"{env.deployment.label}: spec.template.spec."
    spools = {volume.name for volume in spec.volumes if volume.empty_dir and volume.name == "spool"}
    secrets = {volume.name for volume in spec.volumes if volume.secret}
    variables = _variables(env.container)
    if unset := LEDGER_VARIABLES - {name for name, value in variables.items() if value}:
        yield f"{at}containers[0].env: lacks {', '.join(sorted(unset))}"
    for place, container in env.running.items():
        own = _variables(container)
        for name, volumes, locked in (("SLIPWAY_SPOOL", spools, False), ("SLIPWAY_LEDGER", secrets, True)):
            mounted = {m.mount_path for m in container.volume_mounts if m.name in volumes and m.read_only is locked}
            if own.get(name) != variables.get(name) or own.get(name) not in mounted:
                how = "a Secret, mounted readOnly" if locked else "the emptyDir `spool`, not readOnly"
                yield f"{at}{place}.volumeMounts: {name} must lead to {how}, the same for both containers"
        for variable in container.env:
            if (variable.value is None) == (variable.value_from is None):
                yield f"{at}{place}.env: {variable.name} needs `value` or `valueFrom`"
    for volume in spec.volumes:
        if (volume.empty_dir is None) == (volume.secret is None):
            yield f"{at}volumes: {volume.name} needs `emptyDir` or `secret`"
        if volume.name in spools and volume.empty_dir and _mebibytes(volume.empty_dir.size_limit) < SPOOL_MEBIBYTES:
            yield f"{at}volumes: spool needs {SPOOL_MEBIBYTES}Mi: a pod that exceeds its limit is evicted with it"


def outward(env: Environment) -> Iterator[str]:
    """Nothing leaves but questions for names, to the cluster's own server, and what goes to the ledger."""
    at = f"{env.policy.label}: spec.egress"
    names, ledger = env.policy.spec.egress
    if {port.port for port in names.ports} != {53} or names.to != (Peer(namespace_selector=SYSTEM),):
        yield f"{at}[0]: must be port 53 of kube-system"
    if [(port.port, port.protocol) for port in ledger.ports] != [(5432, "TCP")]:
        yield f"{at}[1].ports: must be TCP 5432, the ledger"


def replicas(env: Environment) -> Iterator[str]:
    """Git or the autoscaler sets the number of pods, never both; it caps minPodsPerReplicaSet, the two of each arm."""
    if not env.autoscalers and env.rollout.spec.replicas is None:
        yield f"{env.rollout.label}: spec.replicas: missing, and no HorizontalPodAutoscaler sets it"
    if env.autoscalers and env.rollout.spec.replicas is not None:
        yield f"{env.rollout.label}: spec.replicas: Git and the HorizontalPodAutoscaler would fight over it"


def steps(env: Environment) -> Iterator[str]:
    """Weights rise to 100, each below it is followed by an analysis, and pods that never start abort the rollout."""
    spec, at = env.rollout.spec, f"{env.rollout.label}: spec."
    if not spec.progress_deadline_abort:
        yield f"{at}progressDeadlineAbort: must be true"
    taken = [(step.set_weight, step.analysis is not None) for step in spec.strategy.canary.steps]
    weights = [weight for weight, _ in taken if weight is not None]
    expected = [entry for weight in weights[:-1] for entry in ((weight, False), (None, True))] + [(100, False)]
    if taken != expected or len(weights) < 2 or weights != sorted(set(weights)):
        yield f"{at}strategy.canary.steps: must be rising setWeights, an analysis after each, then setWeight: 100"


def analysis(env: Environment) -> Iterator[str]:
    """The judge has time until its deadline, and only then does the controller stop asking."""
    for template in env.templates.values():
        metric, at = template.spec.metrics[0], f"{template.label}: spec.metrics[0]."
        deadline = {argument.name: argument.value for argument in template.spec.args}.get("deadline")
        if deadline is None or deadline[-1:] not in UNITS or not deadline[:-1].isdigit():
            yield f"{template.label}: spec.args: `deadline` must have a default such as 72h"
        elif metric.count != _seconds(deadline) // _seconds(metric.interval) + SPARE_MEASUREMENTS:
            yield f"{at}count: must be deadline / interval + {SPARE_MEASUREMENTS}"
        if metric.inconclusive_limit != metric.count:
            yield f"{at}inconclusiveLimit: must equal count, or the first doubt pauses the rollout for good"
        if metric.consecutive_error_limit != PATIENCE_SECONDS // ERROR_RETRY_SECONDS:
            yield f"{at}consecutiveErrorLimit: must be {PATIENCE_SECONDS // ERROR_RETRY_SECONDS}, ten minutes of errors"
        if metric.provider.prometheus.timeout >= _seconds(metric.interval):
            yield f"{at}provider.prometheus.timeout: must be shorter than the interval"


def placement(env: Environment) -> Iterator[str]:
    """Everything is in one namespace, and synced at once: a wave or a hook makes Argo CD wait for a canary to end."""
    for each in env.objects:
        if each.metadata.namespace != env.rollout.metadata.namespace:
            yield f"{each.label}: metadata.namespace: must be {env.rollout.metadata.namespace}, as of the Rollout"
        for annotation in ("argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook"):
            if annotation in each.metadata.annotations:
                yield f"{each.label}: metadata.annotations: {annotation} would hold back a revert during a canary"


RULES: tuple[Rule, ...] = (pod, life, image, memory, outward, replicas, steps, analysis, placement)


def _variables(container: Running) -> dict[str, object]:
    return {variable.name: variable.value or variable.value_from for variable in container.env}


def _mebibytes(quantity: str) -> float:
    sizes = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}
    return int(quantity[:-2]) * sizes[quantity[-2:]] if quantity[-2:] in sizes else 0


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]

"""May these manifests run? What a type cannot say: booleans that must be so, and values that depend on one another.

Each rule yields what is wrong as "Kind/name: path of the field: why".
"""

from collections.abc import Iterator

from slipway.manifests import tree
from slipway.manifests.environment import Environment
from slipway.manifests.wiring import Rule

SPARE_MEASUREMENTS = 6  # the judge answers for good at its deadline; a few more questions may still be under way
ERROR_RETRY_SECONDS = 10  # of the Rollouts controller, whatever the interval is
PATIENCE_SECONDS = 600  # a judge that restarts must not abort a good canary; an error never promotes one
WRITABLE = "/tmp"  # noqa: S108  # of the pod: an emptyDir of its own
UNITS = {"s": 1, "m": 60, "h": 3600}


def pod(env: Environment) -> Iterator[str]:
    """A pod has no rights, a root it cannot write to, and room to write where the service needs it."""
    spec, at = env.deployment.spec.template.spec, f"{env.deployment.label}: spec.template.spec."
    security = env.container.security_context
    writable = {mount.mount_path for mount in env.container.volume_mounts}
    variables = {variable.name: variable.value for variable in env.container.env}
    facts = {
        "automountServiceAccountToken: must be false": not spec.automount_service_account_token,
        "enableServiceLinks: must be false": not spec.enable_service_links,
        "securityContext.runAsNonRoot: must be true": spec.security_context.run_as_non_root,
        "containers[0].securityContext.allowPrivilegeEscalation: must be false": (
            not security.allow_privilege_escalation
        ),
        "containers[0].securityContext.readOnlyRootFilesystem: must be true": security.read_only_root_filesystem,
        f"containers[0].volumeMounts: {WRITABLE} must be one": WRITABLE in writable,
        f"containers[0].env: BENTOML_HOME must lie below {WRITABLE}": (
            variables.get("BENTOML_HOME", "").startswith(f"{WRITABLE}/")
        ),
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
    if grace < container.lifecycle.pre_stop.sleep.seconds + 10:
        yield f"{at}terminationGracePeriodSeconds: must leave 10 s after the preStop sleep"


def image(env: Environment) -> Iterator[str]:
    """The image is named by version and digest: a tag alone can change under a running release."""
    if not tree.REFERENCE.fullmatch(env.container.image):
        at = f"{env.deployment.label}: spec.template.spec.containers[0].image"
        yield f"{at}: {env.container.image!r} must be NAME:VERSION@sha256:DIGEST"


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


RULES: tuple[Rule, ...] = (pod, life, image, replicas, steps, analysis, placement)


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]

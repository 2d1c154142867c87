"""The objects of Argo Rollouts: the steps of a canary, and the question asked at each.

What is not here cannot be used: no `pause` (nothing can abort in one), no `rollbackWindow` (it lets an aborted image
through unjudged), no provider but `prometheus` (`web` calls an HTML page a success).
"""

from typing import Annotated, Literal

import msgspec

from slipway.manifests.kinds.base import Duration, Name, Object, Part, WorkloadReference

Count = Annotated[int, msgspec.Meta(ge=1)]


class WorkloadRef(WorkloadReference, frozen=True):
    """The Deployment whose pod template the Rollout runs."""

    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    scale_down: Literal["never"]


class FieldRef(Part, frozen=True):
    """A fact of the Rollout itself."""

    field_path: Literal["metadata.namespace", "metadata.name"]


class ValueFrom(Part, frozen=True):
    """Where an argument gets its value."""

    field_ref: FieldRef


class StepArgument(Part, frozen=True):
    """An argument that a step hands to its template."""

    name: str
    value_from: ValueFrom


class TemplateRef(Part, frozen=True):
    """An AnalysisTemplate by name."""

    template_name: Name


class StepAnalysis(Part, frozen=True):
    """What must succeed before the next step."""

    templates: tuple[TemplateRef]
    args: tuple[StepArgument, ...]


class Step(Part, frozen=True):
    """A weight, or an analysis: one of the two."""

    set_weight: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    analysis: StepAnalysis | None = None


class TraefikRouting(Part, frozen=True):
    """The TraefikService whose weights the controller writes."""

    weighted_traefik_service_name: Name


class TrafficRouting(Part, frozen=True):
    """Only the controller's own Traefik provider."""

    traefik: TraefikRouting


class Canary(Part, frozen=True):
    """How a new version meets traffic."""

    stable_service: Name
    canary_service: Name
    min_pods_per_replica_set: Annotated[int, msgspec.Meta(ge=2)]
    abort_scale_down_delay_seconds: Literal[0]  # with a delay the controller may forget the next canary's deadline
    traffic_routing: TrafficRouting
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]


class Strategy(Part, frozen=True):
    """Canary; blue-green is not used."""

    canary: Canary


class History(Part, frozen=True):
    """How many finished AnalysisRuns are kept: by the failed ones the judge counts the attempts."""

    unsuccessful_run_history_limit: Annotated[int, msgspec.Meta(ge=20)]


class RolloutSpec(Part, frozen=True):
    """`replicas` is absent where an autoscaler sets it."""

    workload_ref: WorkloadRef
    progress_deadline_seconds: Count
    progress_deadline_abort: bool
    revision_history_limit: Count
    analysis: History
    strategy: Strategy
    replicas: Annotated[int, msgspec.Meta(ge=2)] | None = None  # minPodsPerReplicaSet is capped by it


class Rollout(Object, frozen=True):
    """The owner of the pods."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["Rollout"]
    spec: RolloutSpec


class TemplateArgument(Part, frozen=True):
    """An argument, with a default or to be given by the step."""

    name: str
    value: str | None = None


class Prometheus(Part, frozen=True):
    """Where and what to ask; an answer that is no Prometheus vector is an error."""

    address: Annotated[str, msgspec.Meta(pattern=r"^http://[a-z0-9.-]+:\d+$")]
    query: str
    timeout: Count


class Provider(Part, frozen=True):
    """The one provider that fails closed."""

    prometheus: Prometheus


class Metric(Part, frozen=True):
    """One question, how often it is asked, and what the answers mean."""

    name: Name
    interval: Duration
    count: Count
    success_condition: Literal["len(result) == 1 && result[0] == 1"]
    failure_condition: Literal["len(result) == 1 && result[0] < 0"]
    failure_limit: Literal[0]
    consecutive_success_limit: Literal[1]
    inconclusive_limit: Count
    consecutive_error_limit: Count
    provider: Provider


class AnalysisSpec(Part, frozen=True):
    """One metric: the judge weighs all evidence itself."""

    args: tuple[TemplateArgument, ...]
    metrics: tuple[Metric]


class AnalysisTemplate(Object, frozen=True):
    """The question to the judge."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["AnalysisTemplate"]
    spec: AnalysisSpec

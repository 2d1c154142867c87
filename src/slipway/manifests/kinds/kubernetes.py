"""The objects of Kubernetes itself: the pod and what stands around it."""

from typing import Annotated, Literal

import msgspec

from slipway.manifests.kinds.base import Labels, Name, Object, Part, Quantity, RolloutReference, Selector

Seconds = Annotated[int, msgspec.Meta(ge=1)]
NotRoot = Annotated[int, msgspec.Meta(ge=1000)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class HttpGet(Part, frozen=True):
    """What a probe asks, at a port of the container by name."""

    path: Literal["/readyz", "/livez"]
    port: Name


class Probe(Part, frozen=True):
    """An HTTP probe and its patience."""

    http_get: HttpGet
    period_seconds: Seconds
    timeout_seconds: Seconds
    failure_threshold: Seconds


class Sleep(Part, frozen=True):
    """Seconds between the decision to end a pod and the signal: routers hear of it first."""

    seconds: Annotated[int, msgspec.Meta(ge=2)]


class PreStop(Part, frozen=True):
    """Only a sleep: it needs no shell in the image."""

    sleep: Sleep


class Lifecycle(Part, frozen=True):
    """Without a preStop sleep 1 request in 200 failed at a pod's end."""

    pre_stop: PreStop


class Amounts(Part, frozen=True):
    """Processor and memory."""

    cpu: Quantity
    memory: Quantity


class Resources(Part, frozen=True):
    """What the scheduler reserves, and where the kernel stops a pod."""

    requests: Amounts
    limits: Amounts


class Capabilities(Part, frozen=True):
    """None are left."""

    drop: tuple[Literal["ALL"]]


class ContainerSecurity(Part, frozen=True):
    """The booleans are held to their one right value by the rules."""

    allow_privilege_escalation: bool
    read_only_root_filesystem: bool
    capabilities: Capabilities


class EnvironmentVariable(Part, frozen=True):
    """A plain value; secrets are not passed this way."""

    name: str
    value: str


class ContainerPort(Part, frozen=True):
    """A port by name: everything else refers to the name."""

    name: Name
    container_port: Port


class VolumeMount(Part, frozen=True):
    """Where a volume appears."""

    name: Name
    mount_path: str


class Container(Part, frozen=True):
    """The one container of a pod."""

    name: Name
    image: str
    env: tuple[EnvironmentVariable, ...]
    ports: Annotated[tuple[ContainerPort, ...], msgspec.Meta(min_length=1)]
    startup_probe: Probe
    readiness_probe: Probe
    liveness_probe: Probe
    lifecycle: Lifecycle
    resources: Resources
    security_context: ContainerSecurity
    volume_mounts: tuple[VolumeMount, ...]


class Seccomp(Part, frozen=True):
    """The runtime's own filter."""

    type: Literal["RuntimeDefault"]


class PodSecurity(Part, frozen=True):
    """A user and group that are not root."""

    run_as_non_root: bool
    run_as_user: NotRoot
    run_as_group: NotRoot
    fs_group: NotRoot
    seccomp_profile: Seccomp


class Spread(Part, frozen=True):
    """Pods prefer different nodes, and start anyway where there is one."""

    topology_key: Literal["kubernetes.io/hostname"]
    max_skew: Literal[1]
    when_unsatisfiable: Literal["ScheduleAnyway"]
    label_selector: Selector


class EmptyDir(Part, frozen=True):
    """Room that ends with the pod."""

    size_limit: Quantity


class Volume(Part, frozen=True):
    """Only emptyDir: nothing of a pod outlives it."""

    name: Name
    empty_dir: EmptyDir


class PodSpec(Part, frozen=True):
    """What a pod runs, and as whom."""

    service_account_name: Name
    automount_service_account_token: bool
    enable_service_links: bool
    termination_grace_period_seconds: Seconds
    security_context: PodSecurity
    topology_spread_constraints: tuple[Spread, ...]
    containers: tuple[Container]
    volumes: tuple[Volume, ...]


class TemplateMetadata(Part, frozen=True):
    """What each pod is labelled with."""

    labels: Labels


class PodTemplate(Part, frozen=True):
    """What the Rollout takes over by workloadRef."""

    metadata: TemplateMetadata
    spec: PodSpec


class DeploymentSpec(Part, frozen=True):
    """Owns no pods of its own: with `replicas: 0` and `scaleDown: never` nobody scales it but Git."""

    replicas: Literal[0]
    selector: Selector
    template: PodTemplate


class Deployment(Object, frozen=True):
    """The object that carries the image."""

    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    spec: DeploymentSpec


class ServicePort(Part, frozen=True):
    """A port by name, leading to a container's port by name."""

    name: Name
    port: Port
    target_port: Name


class ServiceSpec(Part, frozen=True):
    """The controller adds the pod-template hash to the selector; Git never holds it."""

    selector: Labels
    ports: Annotated[tuple[ServicePort, ...], msgspec.Meta(min_length=1)]


class Service(Object, frozen=True):
    """A door to stable pods or to the canary's."""

    api_version: Literal["v1"]
    kind: Literal["Service"]
    spec: ServiceSpec


class ServiceAccount(Object, frozen=True):
    """An identity without rights."""

    api_version: Literal["v1"]
    kind: Literal["ServiceAccount"]
    automount_service_account_token: bool


class BudgetSpec(Part, frozen=True):
    """How many pods a drain may take at once."""

    max_unavailable: Annotated[int, msgspec.Meta(ge=1)]
    selector: Selector


class PodDisruptionBudget(Object, frozen=True):
    """Keeps a drain from taking every pod."""

    api_version: Literal["policy/v1"]
    kind: Literal["PodDisruptionBudget"]
    spec: BudgetSpec


class Peer(Part, frozen=True):
    """Who may connect: pods of the namespaces with these labels."""

    namespace_selector: Selector


class PolicyPort(Part, frozen=True):
    """A container's port by name."""

    port: Name
    protocol: Literal["TCP"]


class Ingress(Part, frozen=True):
    """Who may connect to what."""

    from_: Annotated[tuple[Peer, ...], msgspec.Meta(min_length=1)] = msgspec.field(name="from")
    ports: Annotated[tuple[PolicyPort, ...], msgspec.Meta(min_length=1)]


class PolicySpec(Part, frozen=True):
    """No `egress` field: nothing leaves the pod."""

    pod_selector: Selector
    policy_types: tuple[Literal["Ingress"], Literal["Egress"]]
    ingress: Annotated[tuple[Ingress, ...], msgspec.Meta(min_length=1)]


class NetworkPolicy(Object, frozen=True):
    """Who may speak to the pods."""

    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    spec: PolicySpec


class Utilization(Part, frozen=True):
    """Share of what the pods asked for, in percent."""

    type: Literal["Utilization"]
    average_utilization: Annotated[int, msgspec.Meta(ge=1, le=100)]


class ScaledResource(Part, frozen=True):
    """What is watched."""

    name: Literal["cpu", "memory"]
    target: Utilization


class ScaleMetric(Part, frozen=True):
    """Only what metrics-server knows."""

    type: Literal["Resource"]
    resource: ScaledResource


class AutoscalerSpec(Part, frozen=True):
    """Never under two pods."""

    scale_target_ref: RolloutReference
    min_replicas: Annotated[int, msgspec.Meta(ge=2)]
    max_replicas: Annotated[int, msgspec.Meta(ge=2)]
    metrics: Annotated[tuple[ScaleMetric, ...], msgspec.Meta(min_length=1)]


class HorizontalPodAutoscaler(Object, frozen=True):
    """Of the component `hpa`."""

    api_version: Literal["autoscaling/v2"]
    kind: Literal["HorizontalPodAutoscaler"]
    spec: AutoscalerSpec

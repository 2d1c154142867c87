"""The Deployment, which carries the image, and the pod that the Rollout takes over from it."""

from typing import Annotated, Literal

import msgspec

from slipway.manifests.kinds.base import Labels, Name, Object, Part, Port, Quantity, Selector

Seconds = Annotated[int, msgspec.Meta(ge=1)]
NotRoot = Annotated[int, msgspec.Meta(ge=1000)]


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


class LabelRef(Part, frozen=True):
    """The label by which stable and canary are told apart; the Rollouts controller sets it."""

    field_path: Literal["metadata.labels['rollouts-pod-template-hash']"]


class LabelSource(Part, frozen=True):
    """A label of the pod itself, by the downward API."""

    field_ref: LabelRef


class EnvironmentVariable(Part, frozen=True):
    """A plain value, or a label of the pod: one of the two. Secrets are not passed this way."""

    name: str
    value: str | None = None
    value_from: LabelSource | None = None


class ContainerPort(Part, frozen=True):
    """A port by name: everything else refers to the name."""

    name: Name
    container_port: Port


class VolumeMount(Part, frozen=True):
    """Where a volume appears."""

    name: Name
    mount_path: str
    read_only: bool = False


class Running(Part, frozen=True):
    """What every container has."""

    name: Name
    image: str
    env: tuple[EnvironmentVariable, ...]
    resources: Resources
    security_context: ContainerSecurity
    volume_mounts: tuple[VolumeMount, ...]


class Shipper(Running, frozen=True):
    """The native sidecar that takes predictions to the ledger: begun before the service, ended after it."""

    restart_policy: Literal["Always"]
    command: tuple[Literal["python"], Literal["/home/bento/bento/src/shipper.py"]]


class Container(Running, frozen=True):
    """The service. It keeps a connection for longer than its router, which is 90 seconds in Traefik."""

    args: tuple[Literal["--timeout-keep-alive"], Literal["100"]]
    ports: Annotated[tuple[ContainerPort, ...], msgspec.Meta(min_length=1)]
    startup_probe: Probe
    readiness_probe: Probe
    liveness_probe: Probe
    lifecycle: Lifecycle


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


class SecretSource(Part, frozen=True):
    """The files of a Secret, which stands in the cluster and never in Git; only the pod's group may read them."""

    secret_name: Name
    default_mode: Literal[0o440]


class Volume(Part, frozen=True):
    """Room that ends with the pod, or a Secret: one of the two. Nothing of a pod outlives it."""

    name: Name
    empty_dir: EmptyDir | None = None
    secret: SecretSource | None = None


class PodSpec(Part, frozen=True):
    """What a pod runs, and as whom."""

    service_account_name: Name
    automount_service_account_token: bool
    enable_service_links: bool
    termination_grace_period_seconds: Seconds
    security_context: PodSecurity
    topology_spread_constraints: tuple[Spread, ...]
    init_containers: tuple[Shipper]
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

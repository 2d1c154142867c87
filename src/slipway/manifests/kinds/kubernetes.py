"""What stands around the pods: the objects of Kubernetes itself."""

from typing import Annotated, Literal

import msgspec

from slipway.manifests.kinds.base import Labels, Name, Object, Part, Port, RolloutReference, Selector


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
    """Pods of the namespaces with these labels."""

    namespace_selector: Selector


class PolicyPort(Part, frozen=True):
    """A container's port by name."""

    port: Name
    protocol: Literal["TCP"]


class Ingress(Part, frozen=True):
    """Who may connect to what."""

    from_: Annotated[tuple[Peer, ...], msgspec.Meta(min_length=1)] = msgspec.field(name="from")
    ports: Annotated[tuple[PolicyPort, ...], msgspec.Meta(min_length=1)]


class OutwardPort(Part, frozen=True):
    """PostgreSQL, or the names of the cluster."""

    port: Literal[53, 5432]
    protocol: Literal["TCP", "UDP"]


class Egress(Part, frozen=True):
    """Whom the pods may connect to, and for what."""

    to: Annotated[tuple[Peer, ...], msgspec.Meta(min_length=1)]
    ports: Annotated[tuple[OutwardPort, ...], msgspec.Meta(min_length=1)]


class PolicySpec(Part, frozen=True):
    """What comes in, and the little that leaves."""

    pod_selector: Selector
    policy_types: tuple[Literal["Ingress"], Literal["Egress"]]
    ingress: Annotated[tuple[Ingress, ...], msgspec.Meta(min_length=1)]
    egress: tuple[Egress, Egress]  # names, then the ledger


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

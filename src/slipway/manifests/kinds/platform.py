"""The objects of the router (Traefik) and of monitoring (Prometheus Operator)."""

from typing import Annotated, Literal

import msgspec

from slipway.manifests.kinds.base import Duration, Name, Object, Part, Selector


class WeightedService(Part, frozen=True):
    """A Service, its port by name, and its share: the controller owns the share after the first sync."""

    name: Name
    port: Name
    weight: Literal[0, 100]


class Weighted(Part, frozen=True):
    """Stable first, then canary."""

    services: tuple[WeightedService, WeightedService]


class TraefikServiceSpec(Part, frozen=True):
    """A split by weight; mirrors are not used."""

    weighted: Weighted


class TraefikService(Object, frozen=True):
    """Splits requests between stable and canary."""

    api_version: Literal["traefik.io/v1alpha1"]
    kind: Literal["TraefikService"]
    spec: TraefikServiceSpec


class RouteService(Part, frozen=True):
    """Where matching requests go."""

    kind: Literal["TraefikService"]
    name: Name


class Route(Part, frozen=True):
    """Which requests are meant."""

    kind: Literal["Rule"]
    match: Annotated[str, msgspec.Meta(pattern=r"^Host\(`[a-z0-9.-]+`\)")]
    services: tuple[RouteService]


class IngressRouteSpec(Part, frozen=True):
    """Entry points of Traefik, and the route."""

    entry_points: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    routes: tuple[Route]


class IngressRoute(Object, frozen=True):
    """From a host name to the split."""

    api_version: Literal["traefik.io/v1alpha1"]
    kind: Literal["IngressRoute"]
    spec: IngressRouteSpec


class Endpoint(Part, frozen=True):
    """What is scraped."""

    port: Name
    path: Literal["/metrics"]
    interval: Duration


class MonitorSpec(Part, frozen=True):
    """Which Services are scraped; the pod label tells stable from canary."""

    selector: Selector
    pod_target_labels: tuple[Literal["rollouts-pod-template-hash"]]
    endpoints: tuple[Endpoint]


class ServiceMonitor(Object, frozen=True):
    """Of the component `servicemonitor`."""

    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["ServiceMonitor"]
    spec: MonitorSpec

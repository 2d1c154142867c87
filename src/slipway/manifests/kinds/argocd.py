"""The objects of Argo CD, and the ConfigMaps by which it says how things are, and Argo Rollouts notifies.

The settings that leave the canary's weights to the controller are part of the types: without any one of them the
cluster says "Synced" while the canary gets no traffic, or the wrong share.
"""

from typing import Annotated, Literal

import msgspec

from slipway.manifests.kinds.base import Name, Object, Part


class Destination(Part, frozen=True):
    """A namespace of a cluster."""

    server: str
    namespace: Name


class GroupKind(Part, frozen=True):
    """A kind of object."""

    group: str
    kind: str


class Role(Part, frozen=True):
    """What people of these groups may do with the applications, as Casbin's lines: p, who, what, how, which, allow."""

    name: Name
    description: str
    groups: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    policies: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class ProjectSpec(Part, frozen=True):
    """What applications of the project may do at most."""

    description: str
    source_repos: tuple[str]
    destinations: tuple[Destination, ...]
    cluster_resource_whitelist: tuple[GroupKind, ...]
    namespace_resource_whitelist: tuple[GroupKind, ...]
    roles: tuple[Role, ...]


class AppProject(Object, frozen=True):
    """The fence around the applications."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["AppProject"]
    spec: ProjectSpec


class Source(Part, frozen=True):
    """A folder of rendered manifests: no templating happens in the cluster."""

    repo_url: str = msgspec.field(name="repoURL")
    target_revision: Literal["main"]
    path: str


class IgnoredDifference(Part, frozen=True):
    """The weights of the split, and nothing more."""

    group: Literal["traefik.io"]
    kind: Literal["TraefikService"]
    jq_path_expressions: tuple[Literal[".spec.weighted.services[].weight"]]


class Automated(Part, frozen=True):
    """Git wins, except that an empty folder deletes nothing."""

    prune: bool
    self_heal: bool
    allow_empty: bool


class NamespaceMetadata(Part, frozen=True):
    """Labels of the namespace that Argo CD makes."""

    labels: dict[Literal["pod-security.kubernetes.io/enforce"], Literal["restricted"]]


class SyncPolicy(Part, frozen=True):
    """How Git reaches the cluster."""

    automated: Automated
    sync_options: tuple[
        Literal["CreateNamespace=true"], Literal["RespectIgnoreDifferences=true"], Literal["ApplyOutOfSyncOnly=true"]
    ]
    managed_namespace_metadata: NamespaceMetadata


class ApplicationSpec(Part, frozen=True):
    """From a folder to a namespace."""

    project: Name
    source: Source
    destination: Destination
    ignore_differences: tuple[IgnoredDifference]
    sync_policy: SyncPolicy


class Application(Object, frozen=True):
    """One environment."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["Application"]
    spec: ApplicationSpec


class ConfigMap(Object, frozen=True):
    """The notifications of Argo Rollouts, or what Argo CD says of an analysis."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    data: Annotated[dict[str, str], msgspec.Meta(min_length=1)]

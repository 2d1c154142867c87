"""The objects of one environment, typed and each in its place: what the rules of `wiring` and `safety` speak about."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from slipway.manifests import kinds
from slipway.manifests.kinds import kubernetes, platform, rollouts, workload
from slipway.manifests.kinds.base import Object

Kind = TypeVar("Kind", bound=Object)
ONE_OF_EACH = (
    workload.Deployment,
    rollouts.Rollout,
    platform.TraefikService,
    platform.IngressRoute,
    kubernetes.ServiceAccount,
    kubernetes.PodDisruptionBudget,
    kubernetes.NetworkPolicy,
)


@dataclass(frozen=True)
class Environment:
    """One service with its rollout. The last two are there where their component is switched on."""

    deployment: workload.Deployment
    rollout: rollouts.Rollout
    split: platform.TraefikService
    route: platform.IngressRoute
    account: kubernetes.ServiceAccount
    budget: kubernetes.PodDisruptionBudget
    policy: kubernetes.NetworkPolicy
    services: dict[str, kubernetes.Service]
    templates: dict[str, rollouts.AnalysisTemplate]
    autoscalers: tuple[kubernetes.HorizontalPodAutoscaler, ...]
    monitors: tuple[platform.ServiceMonitor, ...]

    @property
    def objects(self) -> tuple[Object, ...]:
        """All of them."""
        named = (self.deployment, self.rollout, self.split, self.route, self.account, self.budget, self.policy)
        return (*named, *self.services.values(), *self.templates.values(), *self.autoscalers, *self.monitors)

    @property
    def container(self) -> workload.Container:
        """The service's container."""
        return self.deployment.spec.template.spec.containers[0]

    @property
    def shipper(self) -> workload.Shipper:
        """The container that stands beside it."""
        return self.deployment.spec.template.spec.init_containers[0]

    @property
    def running(self) -> dict[str, workload.Running]:
        """Both, by where they stand in the pod."""
        return {"containers[0]": self.container, "initContainers[0]": self.shipper}

    @property
    def pod_labels(self) -> dict[str, str]:
        """What every pod carries."""
        return self.deployment.spec.template.metadata.labels

    @property
    def ports(self) -> set[str]:
        """Names of the container's ports."""
        return {port.name for port in self.container.ports}


def typed(plain: Iterable[object]) -> tuple[list[Object], list[str]]:
    """Type objects as read from YAML: those that could be, and for each other one what is wrong with it."""
    fine: list[Object] = []
    problems: list[str] = []
    for each in plain:
        try:
            fine.append(kinds.decode(each))
        except ValueError as error:
            problems.append(f"{_label(each)}: {error}")
    return fine, problems


def miscounted(objects: Iterable[Object]) -> list[str]:
    """Say which kinds are missing or there too often, and which objects appear twice."""
    every = list(objects)
    counts = Counter(type(each) for each in every)
    wrong = [f"{kind.__name__}: {counts[kind]} of them instead of one" for kind in ONE_OF_EACH if counts[kind] != 1]
    twice = [label for label, count in Counter(each.label for each in every).items() if count > 1]
    return wrong + [f"{label}: defined twice" for label in twice]


def assemble(objects: Iterable[Object]) -> Environment:
    """Put each object in its place; the counts are right (`miscounted`)."""
    every = list(objects)

    def all_of(kind: type[Kind]) -> list[Kind]:
        return [each for each in every if isinstance(each, kind)]

    return Environment(
        deployment=all_of(workload.Deployment)[0],
        rollout=all_of(rollouts.Rollout)[0],
        split=all_of(platform.TraefikService)[0],
        route=all_of(platform.IngressRoute)[0],
        account=all_of(kubernetes.ServiceAccount)[0],
        budget=all_of(kubernetes.PodDisruptionBudget)[0],
        policy=all_of(kubernetes.NetworkPolicy)[0],
        services={each.metadata.name: each for each in all_of(kubernetes.Service)},
        templates={each.metadata.name: each for each in all_of(rollouts.AnalysisTemplate)},
        autoscalers=tuple(all_of(kubernetes.HorizontalPodAutoscaler)),
        monitors=tuple(all_of(platform.ServiceMonitor)),
    )


def _label(plain: object) -> str:
    if not isinstance(plain, dict):
        return "an object"
    metadata = plain.get("metadata")
    return f"{plain.get('kind')}/{metadata.get('name') if isinstance(metadata, dict) else None}"

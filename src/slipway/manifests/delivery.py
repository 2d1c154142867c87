"""Do Argo CD's project, its applications and the notifications fit the environments that they deliver.

Each rule yields what is wrong as "Kind/name: path of the field: why".
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import yaml

from slipway.manifests import environment
from slipway.manifests.environment import Environment
from slipway.manifests.kinds import argocd

SUBSCRIPTION = "notifications.argoproj.io/subscribe."
NOTIFICATIONS, SETTINGS = "argo-rollouts-notification-configmap", "argocd-cm"  # both products find theirs by name
ACTIONS = r"action/argoproj\.io/Rollout/(promote-full|abort|retry|restart)"
ALLOWED = re.compile(rf"applications, (get|sync|\*|{ACTIONS})|logs, get|exec, create")
OWN_PATH = {"argocd.argoproj.io/manifest-generate-paths": "."}


@dataclass(frozen=True)
class Delivery:
    """What stands in `argocd/`; applications by the environment that their source path ends with."""

    project: argocd.AppProject
    notifications: argocd.ConfigMap
    applications: dict[str, argocd.Application]


def check(plain: Iterable[object], environments: Mapping[str, Environment]) -> list[str]:
    """Say what is wrong with the objects of `argocd/`, as read from YAML, given the environments by name."""
    fine, problems = environment.typed(plain)
    counts = Counter("AppProject" if isinstance(each, argocd.AppProject) else each.label for each in fine)
    problems += [
        f"{what}: {counts[what]} of them instead of one"
        for what in ("AppProject", f"ConfigMap/{NOTIFICATIONS}", f"ConfigMap/{SETTINGS}")
        if counts[what] != 1
    ]
    if problems:
        return problems
    applications = [each for each in fine if isinstance(each, argocd.Application)]
    delivery = Delivery(
        next(each for each in fine if isinstance(each, argocd.AppProject)),
        next(each for each in fine if isinstance(each, argocd.ConfigMap) and each.metadata.name == NOTIFICATIONS),
        {each.spec.source.path.rpartition("/")[2]: each for each in applications},
    )
    if set(delivery.applications) != set(environments) or len(applications) != len(environments):
        problems.append(f"Application: must be one for each of {', '.join(sorted(environments))}")
    for name, application in delivery.applications.items():
        if name in environments:
            problems += _application(application, name, environments[name], delivery.project)
    problems += _roles(delivery.project)
    for env in environments.values():
        problems += _permitted(delivery.project, env)
        problems += _notified(delivery.notifications, env)
    return problems


def _application(app: argocd.Application, name: str, env: Environment, project: argocd.AppProject) -> Iterator[str]:
    spec, namespace = app.spec, env.rollout.metadata.namespace
    facts = {
        "metadata.annotations: manifest-generate-paths must be '.'": OWN_PATH.items()
        <= app.metadata.annotations.items(),
        f"spec.source.path: must be k8s/rendered/{name}": spec.source.path == f"k8s/rendered/{name}",
        f"spec.destination.namespace: must be {namespace}": spec.destination.namespace == namespace,
        f"spec.project: must be {project.metadata.name}": spec.project == project.metadata.name,
        "spec.source.repoURL: not among sourceRepos of the project": spec.source.repo_url in project.spec.source_repos,
        "spec.destination: not among those of the project": spec.destination in project.spec.destinations,
        "spec.syncPolicy.automated.prune: must be true": spec.sync_policy.automated.prune,
        "spec.syncPolicy.automated.selfHeal: must be true": spec.sync_policy.automated.self_heal,
        "spec.syncPolicy.automated.allowEmpty: must be false": not spec.sync_policy.automated.allow_empty,
    }
    yield from (f"{app.label}: {why}" for why, holds in facts.items() if not holds)


def _permitted(project: argocd.AppProject, env: Environment) -> Iterator[str]:
    permitted = {(each.group, each.kind) for each in project.spec.namespace_resource_whitelist}
    for each in env.objects:
        group = each.api_version.rpartition("/")[0]
        if (group, each.kind) not in permitted:
            yield f"{project.label}: spec.namespaceResourceWhitelist: lacks {each.kind} of {group or 'the core group'}"


def _roles(project: argocd.AppProject) -> Iterator[str]:
    """Argo CD refuses the whole project for one line that it cannot read, and takes one that names a lost action."""
    name = project.metadata.name
    for role in project.spec.roles:
        for line in role.policies:
            before, after = f"p, proj:{name}:{role.name}, ", f", {name}/*, allow"
            asked = line.removeprefix(before).removesuffix(after)
            if line != f"{before}{asked}{after}" or not ALLOWED.fullmatch(asked):
                yield f"{project.label}: spec.roles: {role.name}: policies: {line!r} is not what a role may be given"


def _notified(config: argocd.ConfigMap, env: Environment) -> Iterator[str]:
    subscriptions = [key.removeprefix(SUBSCRIPTION) for key in env.rollout.metadata.annotations if SUBSCRIPTION in key]
    for trigger, service in (subscription.rsplit(".", 1) for subscription in subscriptions):
        for key in (f"trigger.{trigger}", f"service.webhook.{service}"):
            if key not in config.data:
                yield f"{config.label}: data: lacks {key}, to which {env.rollout.label} subscribes"
        for send in yaml.safe_load(config.data.get(f"trigger.{trigger}", "[]")):
            for template in send["send"]:
                if f"template.{template}" not in config.data:
                    yield f"{config.label}: data: lacks template.{template}, which trigger.{trigger} sends"

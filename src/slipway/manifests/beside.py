"""What runs beside the services: k8s/rendered/platform, and what Argo CD is told of it in argocd/platform.

Many kinds, most of them once: they are read as they stand, not typed, and `make test-full` holds them to the cluster's
schemas. Each rule yields what is wrong as "Kind/name: path of the field: why".
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

Objects = list[dict[str, Any]]
IMAGE = re.compile(r"[a-z0-9][a-z0-9./_:-]*@sha256:[0-9a-f]{64}")  # zeros, too: the repository builds no image
POLICY = "judge.yaml"  # the key of the ConfigMap that holds rollouts/judge.yaml
MIGRATION = {"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation"}
ORDERING = ("argocd.argoproj.io/", "helm.sh/hook")  # Argo CD takes Helm's for its own
RIGHTS = {("argoproj.io", "rollouts", "get"), ("argoproj.io", "analysisruns", "list")}
RIGHTS |= {("apps", "deployments", "get"), ("", "pods", "list")}
AUTOMATED, NAMESPACE = {"prune": True, "selfHeal": True, "allowEmpty": False}, [{"group": "", "kind": "Namespace"}]
HARDENED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def check(
    objects: Iterable[dict[str, Any]], policy: str, delivery: Iterable[dict[str, Any]], repository: str | None
) -> list[str]:
    """Say what is wrong with the platform's objects, given the text of rollouts/judge.yaml and its Argo CD objects.

    `repository` is where the environments come from.
    """
    every, told = list(objects), list(delivery)
    rules = (_image(every), _policy(every, policy), _ordered(every), _hardened(every), _rights(every))
    return [problem for rule in (*rules, _delivered(every, told, repository)) for problem in rule]


def ordering(each: dict[str, Any]) -> dict[str, str]:
    """The annotations of an object by which Argo CD would apply it before or after others."""
    annotations = _at(each, "metadata", "annotations") or {}
    return {key: value for key, value in annotations.items() if key.startswith(ORDERING)}


def _image(every: Objects) -> Iterator[str]:
    found = sorted({str(container.get("image")) for _, container in _containers(every)})
    if len(found) != 1:
        yield f"image: must be one for all, not {', '.join(found) or 'none'}"
    yield from (f"image: {one} must be NAME@sha256:DIGEST" for one in found if not IMAGE.fullmatch(one))


def _policy(every: Objects, policy: str) -> Iterator[str]:
    """The judge holds canaries to rollouts/judge.yaml, and a ConfigMap by another name is nobody's."""
    maps = {
        str(_at(each, "metadata", "name")): each.get("data") or {} for each in every if each.get("kind") == "ConfigMap"
    }
    holding = {name for name, data in maps.items() if POLICY in data}
    if len(holding) != 1 or any(maps[name] != {POLICY: policy} for name in holding):
        yield f"ConfigMap/{', '.join(sorted(holding)) or POLICY}: data: must be rollouts/judge.yaml, and nothing else"
    used: set[str] = set()
    for each, pod in _pods(every):
        mounted = {_at(volume, "configMap", "name") for volume in pod.get("volumes") or ()} - {None}
        if _label(each) == "Deployment/judge" and not holding <= mounted:
            yield f"{_label(each)}: spec.template.spec.volumes: must mount ConfigMap/{', '.join(sorted(holding))}"
        used |= mounted
    sources = [source for _, container in _containers(every) for source in container.get("envFrom") or ()]
    used |= {_at(source, "configMapRef", "name") for source in sources} - {None}
    yield from (f"ConfigMap/{name}: used, and not here" for name in sorted(used - maps.keys()))
    yield from (f"ConfigMap/{name}: here, and not used" for name in sorted(maps.keys() - used))


def _ordered(every: Objects) -> Iterator[str]:
    """The migration goes before the rest; nothing else has an order, which would have Argo CD wait for health."""
    for each in every:
        if ordering(each) != (MIGRATION if each.get("kind") == "Job" else {}):
            yield f"{_label(each)}: metadata.annotations: only the migration is a hook, {MIGRATION}; nothing has a wave"


def _hardened(every: Objects) -> Iterator[str]:
    for each, pod in _pods(every):
        if _at(pod, "securityContext", "runAsNonRoot") is not True:
            yield f"{_label(each)}: spec.template.spec.securityContext.runAsNonRoot: must be true"
    for each, container in _containers(every):
        at = f"{_label(each)}: {container.get('name')}: "
        if container.get("securityContext") != HARDENED:
            yield f"{at}securityContext: must be {HARDENED}"
        if not {"requests", "limits"} <= (container.get("resources") or {}).keys():
            yield f"{at}resources: must have requests and limits"


def _rights(every: Objects) -> Iterator[str]:
    """What stands here asks for little, and is bound to nothing else: another role or account may be of any power."""
    here = {(each.get("kind"), _at(each, "metadata", "namespace"), _at(each, "metadata", "name")) for each in every}
    for each in every:
        if "roleRef" in each:
            role = (_at(each, "roleRef", "kind"), _at(each, "metadata", "namespace"), _at(each, "roleRef", "name"))
            if role not in here:
                yield f"{_label(each)}: roleRef: must be a Role that stands here, not {role[0]}/{role[2]}"
            for who in each.get("subjects") or ():
                if (who.get("kind"), who.get("namespace"), who.get("name")) not in here:
                    yield f"{_label(each)}: subjects: {who} is no ServiceAccount that stands here"
        for rule in each.get("rules") or ():
            groups, resources, verbs = (rule.get(key) or [None] for key in ("apiGroups", "resources", "verbs"))
            asked = {(group, resource, verb) for group in groups for resource in resources for verb in verbs}
            yield from (
                f"{_label(each)}: rules: {one} is more than they use" for one in sorted(asked - RIGHTS, key=str)
            )


def _delivered(every: Objects, told: Objects, repository: str | None) -> Iterator[str]:
    """Its project allows what is there and nothing more, and the relay writes to the repository that is applied."""
    if sorted(str(each.get("kind")) for each in told) != ["AppProject", "Application"]:
        yield "argocd/platform: must hold one AppProject and one Application"
        return
    project, application = sorted(told, key=lambda each: str(each["kind"]))
    app, fence = application.get("spec") or {}, project.get("spec") or {}
    allowed = {(each.get("group"), each.get("kind")) for each in fence.get("namespaceResourceWhitelist") or ()}
    used = {(str(each.get("apiVersion")).rpartition("/")[0], each.get("kind")) for each in every}
    relay = [data["REPOSITORY"] for each in every if "REPOSITORY" in (data := each.get("data") or {})]
    namespaces = {_at(each, "metadata", "namespace") for each in every}
    facts = {
        "spec.source.path: must be k8s/rendered/platform": _at(app, "source", "path") == "k8s/rendered/platform",
        "spec.source.targetRevision: must be main": _at(app, "source", "targetRevision") == "main",
        f"spec.source.repoURL: must be {repository}": _at(app, "source", "repoURL") == repository,
        f"spec.project: must be {_at(project, 'metadata', 'name')}": app.get("project")
        == _at(project, "metadata", "name"),
        f"spec.syncPolicy.automated: must be {AUTOMATED}": _at(app, "syncPolicy", "automated") == AUTOMATED,
        "spec.syncPolicy.retry: must be without limit, and refresh": (
            _at(app, "syncPolicy", "retry", "limit") == -1 and _at(app, "syncPolicy", "retry", "refresh") is True
        ),
    }
    yield from (f"{_label(application)}: {why}" for why, holds in facts.items() if not holds)
    facts = {
        f"spec.sourceRepos: must be {repository}": fence.get("sourceRepos") == [repository],
        "spec.clusterResourceWhitelist: must be Namespace": fence.get("clusterResourceWhitelist") == NAMESPACE,
        "spec.destinations: must be the namespaces of k8s/rendered/platform": (
            {each.get("namespace") for each in fence.get("destinations") or ()} == namespaces
        ),
        f"spec.namespaceResourceWhitelist: differs in {sorted(allowed ^ used, key=str)}": allowed == used,
    }
    yield from (f"{_label(project)}: {why}" for why, holds in facts.items() if not holds)
    if relay != [repository]:
        yield f"ConfigMap/relay: data.REPOSITORY: must be {repository}, from which Argo CD applies"


def _pods(every: Objects) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each object that makes pods, with what a pod of it is."""
    for each in every:
        if pod := _at(each, "spec", "template", "spec"):
            yield each, pod


def _containers(every: Objects) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for each, pod in _pods(every):
        for key in ("initContainers", "containers"):
            yield from ((each, container) for container in pod.get(key) or ())


def _at(node: Any, *path: str) -> Any:  # noqa: ANN401  # whatever the YAML holds
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _label(each: dict[str, Any]) -> str:
    return f"{each.get('kind')}/{_at(each, 'metadata', 'name')}"

"""Do the names resolve.

Kubernetes accepts a reference to nothing, and so does kustomize: a `namePrefix` renames the Deployment and leaves the
Rollout's `workloadRef` behind, and the cluster then runs no canary at all.

Each rule yields what is wrong as "Kind/name: path of the field: why".
"""

from collections.abc import Callable, Iterable, Iterator

from slipway.manifests.environment import Environment

Rule = Callable[[Environment], Iterator[str]]


def references(env: Environment) -> Iterator[str]:
    """Objects that are named exist."""
    canary = env.rollout.spec.strategy.canary
    at = f"{env.rollout.label}: spec."
    split = canary.traffic_routing.traefik.weighted_traefik_service_name
    templates = [t.template_name for step in canary.steps if step.analysis for t in step.analysis.templates]
    yield from _known(f"{at}workloadRef.name", env.rollout.spec.workload_ref.name, [env.deployment.metadata.name])
    yield from _known(f"{at}strategy.canary.stableService", canary.stable_service, env.services)
    yield from _known(f"{at}strategy.canary.canaryService", canary.canary_service, env.services)
    traefik = f"{at}strategy.canary.trafficRouting.traefik.weightedTraefikServiceName"
    yield from _known(traefik, split, [env.split.metadata.name])
    for template in templates:
        yield from _known(f"{at}strategy.canary.steps[].analysis.templates[].templateName", template, env.templates)
    target = f"{env.route.label}: spec.routes[0].services[0].name"
    yield from _known(target, env.route.spec.routes[0].services[0].name, [env.split.metadata.name])
    account = f"{env.deployment.label}: spec.template.spec.serviceAccountName"
    yield from _known(account, env.deployment.spec.template.spec.service_account_name, [env.account.metadata.name])
    for scaler in env.autoscalers:
        at = f"{scaler.label}: spec.scaleTargetRef.name"
        yield from _known(at, scaler.spec.scale_target_ref.name, [env.rollout.metadata.name])


def split_services(env: Environment) -> Iterator[str]:
    """The TraefikService splits between exactly the two Services of the canary: stable first, all weight on it."""
    canary = env.rollout.spec.strategy.canary
    expected = [(canary.stable_service, 100), (canary.canary_service, 0)]
    at = f"{env.split.label}: spec.weighted.services"
    if [(child.name, child.weight) for child in env.split.spec.weighted.services] != expected:
        yield f"{at}: must be {expected}; the controller owns the weights, the array is written once"
    if canary.stable_service == canary.canary_service:
        yield f"{env.rollout.label}: spec.strategy.canary.canaryService: the same Service as stableService"
    for child in env.split.spec.weighted.services:
        if child.name in env.services:
            ports = [port.name for port in env.services[child.name].spec.ports]
            yield from _known(f"{at}[].port", child.port, ports)


def ports(env: Environment) -> Iterator[str]:
    """Ports are named, and the names lead to the container."""
    at = f"{env.deployment.label}: spec.template.spec.containers[0]"
    probes = {
        "startupProbe": env.container.startup_probe,
        "readinessProbe": env.container.readiness_probe,
        "livenessProbe": env.container.liveness_probe,
    }
    for field, probe in probes.items():
        yield from _known(f"{at}.{field}.httpGet.port", probe.http_get.port, env.ports)
    for service in env.services.values():
        for port in service.spec.ports:
            yield from _known(f"{service.label}: spec.ports[].targetPort", port.target_port, env.ports)
    for rule in env.policy.spec.ingress:
        for allowed in rule.ports:
            yield from _known(f"{env.policy.label}: spec.ingress[].ports[].port", allowed.port, env.ports)
    of_services = {port.name for service in env.services.values() for port in service.spec.ports}
    for monitor in env.monitors:
        yield from _known(f"{monitor.label}: spec.endpoints[0].port", monitor.spec.endpoints[0].port, of_services)


def selectors(env: Environment) -> Iterator[str]:
    """Whatever selects pods selects these pods."""
    pod = env.deployment.spec.template.spec
    pairs = {
        f"{env.deployment.label}: spec.selector.matchLabels": env.deployment.spec.selector.match_labels,
        f"{env.budget.label}: spec.selector.matchLabels": env.budget.spec.selector.match_labels,
        f"{env.policy.label}: spec.podSelector.matchLabels": env.policy.spec.pod_selector.match_labels,
    }
    pairs |= {f"{service.label}: spec.selector": service.spec.selector for service in env.services.values()}
    spread = f"{env.deployment.label}: spec.template.spec.topologySpreadConstraints[].labelSelector.matchLabels"
    for each in pod.topology_spread_constraints:
        pairs[spread] = each.label_selector.match_labels
    for at, labels in pairs.items():
        if not labels.items() <= env.pod_labels.items():
            yield f"{at}: {labels} selects no pod, which carry {env.pod_labels}"
    for monitor in env.monitors:
        wanted = monitor.spec.selector.match_labels
        for service in env.services.values():
            if not wanted.items() <= service.metadata.labels.items():
                yield f"{monitor.label}: spec.selector.matchLabels: {wanted} does not select {service.label}"


def volumes(env: Environment) -> Iterator[str]:
    """Volumes that are mounted exist."""
    names = [volume.name for volume in env.deployment.spec.template.spec.volumes]
    for place, container in env.running.items():
        for mount in container.volume_mounts:
            yield from _known(
                f"{env.deployment.label}: spec.template.spec.{place}.volumeMounts[].name", mount.name, names
            )


def arguments(env: Environment) -> Iterator[str]:
    """Each step hands its template the arguments that have no default, and no others; each query uses them all."""
    for step in env.rollout.spec.strategy.canary.steps:
        for reference in step.analysis.templates if step.analysis else ():
            template = env.templates.get(reference.template_name)
            given = {argument.name for argument in step.analysis.args} if step.analysis else set()
            if template and given != {each.name for each in template.spec.args if each.value is None}:
                at = f"{env.rollout.label}: spec.strategy.canary.steps[].analysis.args"
                yield f"{at}: {template.label} asks for others"
    for template in env.templates.values():
        query = template.spec.metrics[0].provider.prometheus.query
        unused = [each.name for each in template.spec.args if f'"{{{{args.{each.name}}}}}"' not in query]
        if unused or query.count("{{") != len(template.spec.args):
            yield f"{template.label}: spec.metrics[0].provider.prometheus.query: must use each of spec.args once"


RULES: tuple[Rule, ...] = (references, split_services, ports, selectors, volumes, arguments)


def _known(at: str, name: str, names: Iterable[str]) -> Iterator[str]:
    known = sorted(names)
    if name not in known:
        yield f"{at}: nothing here is called {name!r} (there is {', '.join(known) or 'nothing'})"

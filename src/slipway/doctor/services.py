"""Judge and relay: are they there, do they answer, and do they see what they decide by."""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import yaml

from slipway.canary import query, settings
from slipway.canary.facts import at
from slipway.doctor import asking
from slipway.doctor.asking import CORE, Checking, Doubt, Fault, Fine, Refused, Service, listed, named, one, path
from slipway.doctor.canary import in_flight, rollout_of, template_of
from slipway.doctor.platform import arguments, containers, workloads
from slipway.doctor.records import Object, Wanted, World
from slipway.errors import Broken
from slipway.rollout.relay import LONGEST_TURN

SILENT = 300.0  # seconds that a source of the relay may be behind its last turn, and that turn behind now
RESTING = ("no canary under way", "has no analysis of")  # as `canary.facts` says it, also when a canary begins
VALUES = {0.0, 1.0, *query.CAUSES}
INSTALL = "docs/deployment.md says how it is installed"


def judge_of(wanted: Wanted) -> Service:
    """The judge that an environment asks, by the address in Git.

    Raises:
        Doubt: it is no Service of this cluster.

    """
    return _service(wanted.judge, wanted.namespace)


def relay_of(world: World) -> Service:
    """The relay, by the address that the notifications have; `judge_of` has the errors."""
    told = yaml.safe_load(str(at(world.notifications, "data", "service.webhook.relay")))
    return replace(_service(str(at(told, "url")), "slipway"), prefix="")


def judge(world: World) -> Checking:
    """Nobody answers: no canary is promoted, and after ten minutes it is aborted. Two, so that one may restart."""
    seen, remark = list[str](), ""
    for service in {judge_of(wanted).label: judge_of(wanted) for wanted in world.environments}.values():
        ready = yield from _alive(world, service)
        seen.append(f"{ready} ready")
        if ready == 1:
            scale = f"kubectl -n {service.namespace} scale deployment {service.name} --replicas=2"
            remark = f"While it restarts nobody judges: `{scale}`."
    return Fine(listed(seen), remark)


def judge_policy(world: World) -> Checking:
    """It judges by what main says: by the ConfigMap that its pods mount, which has another name for another policy."""
    seen, main = "", "rollouts/judge.yaml of main"
    for service in {judge_of(wanted).label: judge_of(wanted) for wanted in world.environments}.values():
        for workload in judges(world, service):
            name, key = _mounted(workload)
            where = named("ConfigMap", service.namespace, name)
            live = one(world, path(CORE, "configmaps", service.namespace, name))
            try:
                same = settings.parse(yaml.safe_load(str(at(live, "data", key))), key) == world.settings
            except (Broken, yaml.YAMLError):
                same = False
            if not same:
                what = "it is not there" if live is None else f"its {key} is not {main}: canaries are held to another"
                mend = "Let Argo CD apply k8s/rendered/platform, after `slipway manifests render`: the check platform."
                yield Fault(where, what, mend)
            seen = name
    if not seen:
        raise Doubt("no workload runs behind the judge's Service", f"Install it: {INSTALL}.")
    return Fine(f"{seen} is {main}")


def relay(world: World) -> Checking:
    """Without it an abort is not in Git, and Argo CD asks for the aborted image for ever."""
    ready = yield from _alive(world, relay_of(world))
    return Fine(f"{ready} ready")


def relay_sources(world: World) -> Checking:
    """It sees main and each environment: with a silent source it decides nothing."""
    service = relay_of(world)
    try:
        values = _metrics(service.get(world, "metrics"))
    except Refused as said:
        raise Doubt(f"{service.label} does not tell its metrics: {said}", _logs(service)) from None
    turned = values.get("slipway_relay_turned_at", 0.0)
    if not turned:
        raise Doubt(f"{service.label} has not looked at anything yet", "Look again in a minute.")
    since = world.now - turned
    if since > LONGEST_TURN:
        yield Fault(service.label, f"its last turn began {since / 60:.0f} minutes ago: it is stuck", _logs(service))
    if turned - values.get("slipway_relay_fetched_at", 0.0) > SILENT:
        what = "it cannot read main: nothing that happens is recorded"
        yield Fault(service.label, what, f"Look at its credential for Git and at its log: {_logs(service)}")
    for wanted in world.environments:
        label = f'{{environment="{wanted.name}"}}'
        if wanted.image and turned - values.get(f"slipway_relay_looked_at{label}", 0.0) > SILENT:
            what = f"it does not see {wanted.rollout} in {wanted.namespace}"
            yield Fault(service.label, what, f"{_rights(service, wanted)}; {_logs(service)}")
        if values.get(f"slipway_relay_report{label}"):
            what, mend = f"it waits for a person in {wanted.name}", "`slipway status` says for what; its log, too: "
            yield Fault(service.label, what, mend + _logs(service))
    if SILENT < since <= LONGEST_TURN:
        what = f"its last turn began {since / 60:.0f} minutes ago: a long verb, or it is stuck"
        raise Doubt(what, f"Look again in {(LONGEST_TURN - since) / 60:.0f} minutes; {_logs(service)}")
    failed = {
        name: count for name, count in values.items() if name.startswith("slipway_relay_failures_total") and count
    }
    sources = [f"{name.partition('=')[2].strip('}')} {count:g}".replace('"', "") for name, count in failed.items()]
    return Fine("sees main and the rollouts" + (f"; failures since it started: {listed(sources)}" if sources else ""))


def judge_question(world: World, wanted: Wanted) -> Checking:
    """The question as the analysis asks it, and an answer that it can read: anything else is counted as an error."""
    service = judge_of(wanted)
    template, values = template_of(world, wanted)
    text = at(template, "spec", "metrics", 0, "provider", "prometheus", "query")
    if not isinstance(text, str):
        raise Doubt(f"the analysis of {wanted.name} asks no judge", "The check analysis says what it asks.")
    asked = re.sub(r"\{\{\s*args\.([\w-]+)\s*\}\}", lambda found: values.get(found[1], found[0]), text)
    try:
        answer = service.get(world, "api/v1/query", query=asked)
    except Refused as said:
        what = f"it does not take the question of {wanted.name}: {said}"
        yield Fault(service.label, what, f"Compare rollouts/analysis.yaml with the judge's version; {_logs(service)}")
        return Fine("")
    found = at(answer, "data", "result", 0, "value", 1)
    if at(answer, "status") != "success" or _number(found) not in VALUES:
        what = f"what it answers to the question of {wanted.name} is none of a judge: {str(answer)[:120]!r}"
        yield Fault(
            service.label, what, f"See what runs behind that Service: `kubectl -n {service.namespace} get pods`."
        )
    return Fine(f"answers {found}")


def judge_sources(world: World, wanted: Wanted) -> Checking:
    """It reads the cluster; that it reads counters and ledger is seen in a canary only: at rest it does not ask."""
    service, found = judge_of(wanted), rollout_of(world, wanted)
    for workload in judges(world, service):
        given = [word for container in containers(workload) for word in arguments(container)]
        if "truth" in world.settings.policy.metrics and _option(given, "--ledger") is None:
            what = "rollouts/judge.yaml judges the truth, and the judge was started without --ledger"
            mend = "Give it --ledger, or take `truth` out of rollouts/judge.yaml."
            yield Fault(asking.label(workload), what, mend)
    try:
        answer = service.get(world, "verdict", namespace=wanted.namespace, rollout=wanted.rollout)
    except Refused as said:
        raise Doubt(f"{service.label} tells no verdict: {said}", _logs(service)) from None
    if not isinstance(at(answer, "verdict"), str):
        raise Doubt(f"what {service.label} tells is no verdict", service.forward("verdict"))
    held = {str(each.get("reason")): str(each.get("detail")) for each in at(answer, "held") or ()}
    remedies = {
        "facts": f"Look at the rights of its ServiceAccount: {_rights(service, wanted)}.",
        "samples": "The checks prometheus, scrapes and series say more.",
        "ledger": f"Look at the database, and at what --ledger names: {_logs(service)}",
    }
    for reason, remedy in remedies.items():
        if reason in held and not any(words in held[reason] for words in RESTING):
            yield Fault(service.label, f"of {wanted.name} it says: {held[reason]}", remedy)
    if in_flight(found):
        return Fine(str(at(answer, "detail") or "reads all its sources"))
    return Fine("reads the cluster; counters and ledger are asked while a canary is under way")


def judges(world: World, service: Service) -> list[Object]:
    """The workloads whose pods a Service selects."""
    live = service.live(world)
    wanted: Mapping[str, str] = at(live, "spec", "selector") or {}
    return [
        each
        for each in workloads(world)
        if wanted
        and at(each, "metadata", "namespace") == service.namespace
        and wanted.items() <= (at(each, "spec", "template", "metadata", "labels") or {}).items()
    ]


def prometheus_of(world: World, wanted: Wanted) -> Service:
    """The Prometheus that the judge was told to ask.

    Raises:
        Doubt: nobody can say which, or it is no Service of this cluster.

    """
    service = judge_of(wanted)
    for workload in judges(world, service):
        given = [word for container in containers(workload) for word in arguments(container)]
        if address := _option(given, "--prometheus"):
            return _service(address, service.namespace)
    raise Doubt(
        f"no workload behind {service.label} says --prometheus", f"Install it: {INSTALL}; or look at its arguments."
    )


def reached(world: World, service: Service) -> Generator[Fault, None, int]:
    """See that something ready is behind a Service; returns how many."""
    live, ready = service.live(world), len(service.ready(world))
    if live is None:
        yield Fault(service.label, "it is not there", f"Install it: {INSTALL}.")
    elif not ready and at(live, "spec", "selector"):
        yield Fault(service.label, "no pod behind it is ready", _logs(service))
    elif not ready and at(live, "spec", "type") != "ExternalName":  # that one is a name only
        what = "it has no selector, and no ready address in an EndpointSlice"
        mend = f"Name the address there, or a selector: `kubectl -n {service.namespace} get endpointslices` shows them."
        yield Fault(service.label, what, mend)
    return ready


def _alive(world: World, service: Service) -> Generator[Fault, None, int]:
    """See that it is reached, and answers /healthz; returns how many pods it has."""
    if ready := (yield from reached(world, service)):
        try:
            service.get(world, "healthz")
        except Refused as said:
            yield Fault(service.label, f"/healthz says {said}", _logs(service))
    return ready


def _mounted(workload: Object) -> tuple[str, str]:
    """The ConfigMap, and its key, that a judge reads its policy from.

    Raises:
        Doubt: it is started with another file, or without one.

    """
    pod = at(workload, "spec", "template", "spec")
    for container in containers(workload):
        folder, _, key = (_option(arguments(container), "--policy") or "").rpartition("/")
        mounts = {each.get("mountPath"): each.get("name") for each in container.get("volumeMounts") or ()}
        for volume in at(pod, "volumes") or ():
            if folder in mounts and volume.get("name") == mounts[folder] and (name := at(volume, "configMap", "name")):
                return str(name), key
    what = f"{asking.label(workload)} takes its policy from no ConfigMap"
    raise Doubt(what, "Compare what --policy names with rollouts/judge.yaml of main.")


def _service(address: str, namespace: str) -> Service:
    found = asking.service(address, namespace)
    if found is None:
        shown = address.rpartition("@")[2]  # without a password
        raise Doubt(f"{shown} is no Service of this cluster", f"Ask it from where it can be reached: curl {shown}.")
    return found


def _option(words: Sequence[str], name: str) -> str | None:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _metrics(text: object) -> dict[str, float]:
    """Samples by name and labels, as they are spelled."""
    lines = str(text).splitlines()
    told = (line.rpartition(" ") for line in lines if line.startswith("slipway_"))
    return {name: number for name, _, value in told if (number := _number(value)) is not None}


def _number(text: object) -> float | None:
    try:
        return float(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _logs(service: Service) -> str:
    return f"`kubectl -n {service.namespace} logs deployment/{service.name} --all-pods` says why."


def _rights(service: Service, wanted: Wanted) -> str:
    who = f"system:serviceaccount:{service.namespace}:{service.name}"
    return f"`kubectl auth can-i --list -n {wanted.namespace} --as={who}`"

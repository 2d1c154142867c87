"""Secrets and what depends on them: the relay's token, the ledger, the shipper, certificates.

Of a Secret only digests of what it holds are seen here, and nothing of them is printed.
"""

import hmac
from datetime import UTC, datetime

from slipway.canary.facts import at
from slipway.doctor.asking import CORE, TRAEFIK, Checking, Doubt, Fault, Fine, listed, many, named, one, path
from slipway.doctor.canary import deployment_of, rollout_of
from slipway.doctor.records import Wanted, World
from slipway.doctor.services import relay_of

SECRET, RELAY_SECRET, TOKEN = "argo-rollouts-notification-secret", "relay", "relay-token"
LEDGER_KEYS = ("url", "keys", "credentials")
STARTING = {"PodInitializing", "ContainerCreating"}  # what ends it, if it lasts, is the Rollout's progressDeadlineAbort
EXPIRES = 14 * 86400.0  # seconds: so long before its end a certificate is told of


def relay_token(world: World) -> Checking:
    """With two different tokens each webhook is refused, and an end is heard of only at the next look."""
    namespace, service = str(at(world.notifications, "metadata", "namespace")), relay_of(world)
    places = {namespace: SECRET, service.namespace: RELAY_SECRET}
    tokens = {}
    for place, name in places.items():
        found = one(world, path(CORE, "secrets", place, name))
        token = at(found, "data", TOKEN)
        if not at(token, "bytes"):
            what = "it is not there" if found is None else f"it has no key {TOKEN}"
            mend = f"`kubectl -n {place} create secret generic {name} --from-file={TOKEN}=build/relay-token`"
            yield Fault(named("Secret", place, name), what, f"{mend}: docs/relay.md.")
            continue
        tokens[name] = str(at(token, "digest"))
        if place == namespace and at(token, "line_break"):
            what, mend = (
                f"{TOKEN} ends with a line break, which Rollouts cannot send",
                "Make it anew with `tr -d '\\n'`.",
            )
            yield Fault(named("Secret", place, name), what, f"{mend} docs/relay.md has the command.")
    if len(tokens) == len(places) and not hmac.compare_digest(*tokens.values()):
        where = f"{named('Secret', namespace, SECRET)} and {named('Secret', service.namespace, RELAY_SECRET)}"
        yield Fault(
            where, f"{TOKEN} is not the same in both", "Put one file into both: docs/relay.md has the commands."
        )
    return Fine("the same in both places")


def ledger(world: World, wanted: Wanted) -> Checking:
    """Without the Secret the pods wait; with a key that is empty the service is not ready."""
    pod = at(deployment_of(world, rollout_of(world, wanted), wanted), "spec", "template", "spec")
    names = [name for each in at(pod, "volumes") or () if (name := at(each, "secret", "secretName"))]
    if not names:
        return Fine("the service keeps nothing (truth: none)")
    where = named("Secret", wanted.namespace, names[0])
    found = one(world, path(CORE, "secrets", wanted.namespace, names[0]))
    lacking = [key for key in LEDGER_KEYS if not at(found, "data", key, "bytes")]
    if lacking:
        what = "it is not there" if found is None else f"it lacks {listed(lacking)}"
        files = " ".join(f"--from-file={key}" for key in LEDGER_KEYS)
        mend = (
            f"`kubectl -n {wanted.namespace} create secret generic {names[0]} {files}`: k8s/README.md makes the files."
        )
        yield Fault(where, what, mend)
    return Fine(listed(LEDGER_KEYS))


def shipper(world: World, wanted: Wanted) -> Checking:
    """Predictions reach the ledger by it; while it does not run they wait on the pod's disk."""
    live = deployment_of(world, rollout_of(world, wanted), wanted)
    if not any(each.get("name") == "shipper" for each in at(live, "spec", "template", "spec", "initContainers") or ()):
        return Fine("none: the service keeps nothing")
    labels = ",".join(f"{key}={value}" for key, value in (at(live, "spec", "selector", "matchLabels") or {}).items())
    pods = [
        pod
        for pod in many(world, path(CORE, "pods", wanted.namespace, labelSelector=labels))
        if "deletionTimestamp" not in pod["metadata"]
    ]
    logs = f"`kubectl -n {wanted.namespace} logs {{}} -c shipper` says what it waits for."
    if not pods:
        yield Fault(named("Deployment", wanted.namespace, live["metadata"]["name"]), "no pod of it is there",
                    f"`kubectl -n {wanted.namespace} describe rollout {wanted.rollout}` says why.")  # fmt: skip
    start = 0
    for pod in pods:
        states = at(pod, "status", "initContainerStatuses") or ()
        state = next((each.get("state") for each in states if each.get("name") == "shipper"), None)
        if not states or at(state, "waiting", "reason") in STARTING:
            start += 1
        elif at(state, "running") is None:
            name, why = pod["metadata"]["name"], at(state, "waiting", "reason")
            what = "its shipper does not run" + (f": {why}" if why else "")
            yield Fault(named("Pod", wanted.namespace, name), what, logs.format(name))
    if pods and start == len(pods):
        why = f"`kubectl -n {wanted.namespace} describe pods` says what they wait for."
        raise Doubt(f"it runs in no pod yet, {start} are starting", f"Look again in a minute; {why}")
    return Fine(f"runs in {len(pods) - start} pods" + (f", {start} are starting" if start else ""))


def certificates(world: World, wanted: Wanted) -> Checking:
    """What expires and can be seen: certificates that routes name. Other credentials do not say when they end."""
    rollout_of(world, wanted)
    told = []
    for route in many(world, path(TRAEFIK, "ingressroutes", wanted.namespace)):
        name = at(route, "spec", "tls", "secretName")
        if not name:
            continue
        where, found = (
            named("Secret", wanted.namespace, name),
            one(world, path(CORE, "secrets", wanted.namespace, name)),
        )
        ends = at(found, "data", "tls.crt", "expires")
        mend = "Renew it, or look at who should: `kubectl get certificates -A`, where cert-manager does."
        if not isinstance(ends, int | float):
            yield Fault(where, "it is not there" if found is None else "it holds no certificate that can be read", mend)
            continue
        told.append(datetime.fromtimestamp(ends, UTC).strftime("until %Y-%m-%d"))
        if ends - world.now < EXPIRES:
            yield Fault(where, f"its certificate is good {told[-1]}", mend)
    return Fine(listed(told) or "no route names one")

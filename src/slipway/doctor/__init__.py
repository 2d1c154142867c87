"""Is a live cluster what Slipway needs: plain objects of its API in, findings out. Pure.

records    what is asked of the API, what it answers, what is found
asking     how a check asks, and what it does where nobody can tell
platform   versions, Traefik, the notifications
delivery   Argo CD's application, and the image against Git
canary     the Rollout, its Services, its split, its analysis
services   judge and relay: do they answer, and see what they decide by
secrets    the relay's token, the ledger, certificates
counters   Prometheus: does it have what the judge counts

A check is a generator of a world: it yields what is wrong and returns, in a few words, what it saw. It asks the world
for what it needs by the path of the API; what nobody has read yet is noted, so that the caller reads it and asks again:
`unasked` until there is nothing, then `examine`.
"""

from collections.abc import Callable, Iterator

from slipway.doctor import canary, counters, delivery, platform, secrets, services
from slipway.doctor.asking import Checking, Doubt, Fault, Fine, Unreleased
from slipway.doctor.records import Finding, Report, State, Unasked, Wanted, World

ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # of a check that meets an object of another shape
CLUSTER: dict[str, Callable[[World], Checking]] = {
    "kubernetes": platform.kubernetes,
    "rollouts-version": platform.rollouts_version,
    "argocd-version": platform.argocd_version,
    "traefik-version": platform.traefik_version,
    "traefik-empty-services": platform.empty_services,
    "traefik-metrics": platform.service_metrics,
    "traefik-buckets": platform.buckets,
    "platform": delivery.platform,
    "notifications": platform.notifications,
    "analysis-health": platform.analysis_health,
    "relay-token": secrets.relay_token,
    "judge": services.judge,
    "judge-policy": services.judge_policy,
    "relay": services.relay,
    "relay-sources": services.relay_sources,
    "prometheus": counters.prometheus,
    "scrapes": counters.scraped,
}
ENVIRONMENT: dict[str, Callable[[World, Wanted], Checking]] = {
    "application": delivery.application,
    "application-sync": delivery.application_sync,
    "waves": delivery.waves,
    "image": delivery.image,
    "workload": canary.workload,
    "rollout": canary.rollout,
    "services": canary.services,
    "split": canary.split,
    "analysis": canary.analysis,
    "judge-question": services.judge_question,
    "judge-sources": services.judge_sources,
    "ledger": secrets.ledger,
    "shipper": secrets.shipper,
    "certificates": secrets.certificates,
    "series": counters.series,
    "edges": counters.edges,
}


def unasked(world: World) -> set[str]:
    """Name the paths of the API that the checks ask for and the world has no answer to yet."""
    found = set()
    for _, _, check in _checks(world):
        try:
            list(check)
        except Unasked as question:
            found.add(question.path)
        except (Doubt, *ODD):
            pass
    return found


def examine(world: World) -> Report:
    """Run every check; one that cannot be made is told as such, never as ok."""
    return Report(commit=world.commit, findings=tuple(one for each in _checks(world) for one in _found(*each)))


def _checks(world: World) -> Iterator[tuple[str, str, Checking]]:
    yield from ((name, "cluster", check(world)) for name, check in CLUSTER.items())
    for wanted in world.environments:
        yield from ((name, wanted.name, check(world, wanted)) for name, check in ENVIRONMENT.items())


def _found(name: str, place: str, check: Checking) -> Iterator[Finding]:
    """Findings of a check: each fault; that nobody can tell; that all is well; none where nothing was released."""

    def finding(state: State, where: str, said: Fault | Fine | Doubt) -> Finding:
        return Finding(check=name, place=place, where=where, state=state, found=said.found, remedy=said.remedy)

    fine = True
    try:
        while True:
            fault = next(check)
            fine = False
            yield finding("wrong", fault.where, fault)
    except StopIteration as end:
        if fine:
            yield finding("ok", place, end.value)
    except Unreleased:  # the check image tells it once
        return
    except Doubt as doubt:
        yield finding("cannot tell", place, doubt)
    except ODD as error:
        what = f"the API answers with what this does not understand: {type(error).__name__} {error}"
        yield finding("cannot tell", place, Doubt(what, "See whether versions fit: `kubectl version`, docs/doctor.md."))

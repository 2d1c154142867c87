"""Every check of `slipway doctor` on a cluster made from our manifests: well, and red for its own fault alone."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import yaml
from tests.conftest import ROOT
from tests.doctor.live import CANARY, DIGEST, EDGES, IMAGE, NOW, OUTSIDE, STABLE, Live, running, secret

from canary import objects
from slipway import doctor
from slipway.adapters import kubernetes
from slipway.canary import facts, settings
from slipway.canary.facts import HASH
from slipway.doctor.records import Answer, Finding, Report, Wanted, World
from slipway.doctor.services import RESTING
from slipway.errors import Broken
from slipway.manifests import tree

JUDGE = "http://judge.slipway.svc:8080"
Plant = Callable[[Live], Any]


def told() -> World:
    """What main says."""
    policy = yaml.safe_load((ROOT / "rollouts/judge.yaml").read_text())
    return World(
        commit=40 * "c",
        now=NOW,
        settings=settings.parse(policy, "judge.yaml"),
        notifications=yaml.safe_load((ROOT / "argocd/notifications.yaml").read_text()),
        health=yaml.safe_load((ROOT / "argocd/health.yaml").read_text()),
        let_in=frozenset({"traefik", "monitoring"}),
        environments=tuple(
            Wanted(name=name, namespace=f"flights-{name}", rollout="flights", judge=JUDGE, image=IMAGE)
            for name in tree.ENVIRONMENTS
        ),
        answers={},
    )


def examined(live: Live, **changes: Any) -> Report:
    """Read all that is asked for, as the verb does, and examine it."""
    return doctor.examine(_known(live, **changes))


def asked(live: Live) -> set[str]:
    """The paths that a look at a cluster asks for."""
    return set(_known(live).answers)


def _known(live: Live, **changes: Any) -> World:
    world = msgspec.structs.replace(told(), **changes)
    while paths := doctor.unasked(world):
        read = {path: _read(live, path) for path in paths}
        world = msgspec.structs.replace(world, answers={**world.answers, **read})
    return world


def _read(live: Live, path: str) -> Answer:
    status, body = live.answer(path)
    if isinstance(body, dict) and body.get("kind") == "Secret":
        body = body | {"data": kubernetes._compared(body)}
    return Answer(status=status, body=body)


def not_ok(report: Report) -> list[Finding]:
    """What is wrong, or cannot be told."""
    return [one for one in report.findings if one.state != "ok"]


def test_a_cluster_of_our_own_manifests_is_well() -> None:
    """Each check says ok, says what it saw, and wants nothing."""
    report = examined(Live())
    assert not_ok(report) == []
    assert [one.check for one in report.findings] == [*doctor.CLUSTER, *2 * [*doctor.ENVIRONMENT]]
    assert all(one.found for one in report.findings)
    assert [one for one in report.findings if one.remedy] == []
    (seen,) = (one.found for one in report.findings if one.check == "relay-sources")
    assert seen == "sees main and the rollouts; failures since it started: git 3"


def spec(kind: str, name: str, namespace: str = "flights-production", **changes: Any) -> Plant:
    """Change fields of a spec, by dotted name with `__` for the dot; None takes a field away."""

    def plant(live: Live) -> None:
        for dotted, value in changes.items():
            *before, last = dotted.split("__")
            here = live.get(kind, name, namespace)["spec"]
            for key in before:
                here = here[int(key) if key.isdecimal() else key]
            if value is None:
                del here[last]
            else:
                here[int(last) if last.isdecimal() else last] = value

    return plant


def metric(**changes: Any) -> Plant:
    """Change the analysis of production."""
    return spec("AnalysisTemplate", "judge", **{f"metrics__0__{name}": value for name, value in changes.items()})


def image(name: str, namespace: str, reference: str) -> Plant:
    """Change the image of a platform's workload."""
    return spec("Deployment", name, namespace, template__spec__containers__0__image=reference)


def flag(without: str, *instead: str) -> Plant:
    """Change Traefik's flags: none that holds this text, and others instead."""

    def plant(live: Live) -> None:
        container = live.get("Deployment", "traefik", "traefik")["spec"]["template"]["spec"]["containers"][0]
        container["args"] = [each for each in container["args"] if without not in each] + list(instead)

    return plant


def selector(name: str, value: str | None) -> Plant:
    """Change the hash that a Service selects."""

    def plant(live: Live) -> None:
        chosen = live.get("Service", name)["spec"]["selector"]
        chosen.pop(HASH)
        chosen |= {HASH: value} if value else {}

    return plant


def annotated(kind: str, name: str, **said: str) -> Plant:
    """Give an object annotations of Argo CD."""
    keys = {f"argocd.argoproj.io/{key.replace('_', '-')}": text for key, text in said.items()}
    return lambda live: live.get(kind, name)["metadata"].setdefault("annotations", {}).update(keys)


def options(*words: str) -> Plant:
    """Change the syncOptions of production's Application."""
    return spec("Application", "flights-production", "argocd", syncPolicy__syncOptions=["CreateNamespace=true", *words])


def ends(seconds: float) -> Plant:
    """Have the route name a certificate that ends so many seconds from now."""

    def plant(live: Live) -> None:
        live.get("IngressRoute", "flights")["spec"]["tls"] = {"secretName": "web"}
        live.odd["/secrets/web"] = (200, {"data": {"tls.crt": {"bytes": 9, "expires": NOW + seconds}}})

    return plant


def gone(kind: str, name: str, namespace: str = "flights-production") -> Plant:
    """Take an object away."""
    return lambda live: live.objects.pop((kind, namespace, name))


def outside(live: Live) -> None:
    """Have Prometheus run beside the cluster, as a Service without a selector."""
    del live.get("Service", "prometheus", "monitoring")["spec"]["selector"]
    live.odd["prometheus:9090/proxy/"] = (404, {"kind": "Status", "message": 'services "prometheus" not found'})


(POLICY,) = (path.stem.rpartition("_")[2] for path in (ROOT / "k8s/rendered/platform").glob("*configmap_judge-*"))
FROM = "--policy=/etc/slipway/policy/judge.yaml"
RESPECT, ONLY = "RespectIgnoreDifferences=true", "ApplyOutOfSyncOnly=true"
FAULTS: dict[str, tuple[Plant, str, str, str]] = {  # name: plant, the one check, part of what is found, of the remedy
    "Kubernetes 1.29": (lambda live: setattr(live, "version", "v1.29.3"), "kubernetes", "v1.29.3", "1.30"),
    "Rollouts 1.9": (image("argo-rollouts", "argo-rollouts", "r.example/argo-rollouts:v1.9.1"), "rollouts-version",
                     "v1.9.1", "Upgrade Argo Rollouts to 1.10"),
    "Argo CD 2": (image("argocd-server", "argocd", "quay.io/argoproj/argocd:v2.14.2"), "argocd-version", "v2.14.2",
                  "Upgrade Argo CD to 3.0"),
    "Traefik 2": (image("traefik", "traefik", "traefik:v2.11"), "traefik-version", "v2.11", "Upgrade Traefik to 3.0"),
    "no empty services": (flag("allowEmptyServices"), "traefik-empty-services", "allowEmptyServices is off",
                          "add --providers.kubernetescrd.allowEmptyServices=true"),
    "empty services off": (flag("allowEmptyServices", "--providers.kubernetesCRD.allowemptyservices=false"),
                           "traefik-empty-services", "is off", "kubectl -n traefik edit deployment traefik"),
    "no labels": (flag("addServicesLabels", "--metrics.prometheus.addserviceslabels=false"), "traefik-metrics",
                  "addServicesLabels is off", "--metrics.prometheus.addServicesLabels=true"),
    "Traefik's own buckets": (flag("buckets"), "traefik-buckets", "Traefik's own", "rollouts/judge.yaml"),
    "coarse buckets": (flag("buckets", "--metrics.prometheus.buckets=0.005,0.01,0.05,0.1,0.25,1"), "traefik-buckets",
                       "between 0.005 and 0.01 s", "--metrics.prometheus.buckets"),
    "no edge at the objective": (flag("buckets", f"--metrics.prometheus.buckets={EDGES.replace(',0.25,', ',0.24,')}"),
                                 "traefik-buckets", "no edge is at 0.25 s", "rollouts/judge.yaml"),
    "no platform": (gone("Application", "slipway-platform", "argocd"), "platform",
                    "no Application brings k8s/rendered/platform", "kubectl apply -f argocd/platform"),
    "the platform of another branch": (spec("Application", "slipway-platform", "argocd",
                                            source__targetRevision="test"), "platform", "is test", "argocd/platform"),
    "the platform is ill": (lambda live: live.get("Application", "slipway-platform", "argocd")["status"].update(
        health={"status": "Degraded"}), "platform", "Degraded", "argocd app get slipway-platform"),
    "no notifications": (gone("ConfigMap", "argo-rollouts-notification-configmap", "argo-rollouts"), "notifications",
                         "not there", "kubectl apply -f argocd/notifications.yaml"),
    "another trigger": (lambda live: live.get("ConfigMap", "argo-rollouts-notification-configmap", "argo-rollouts")
                        ["data"].pop("trigger.on-rollout-aborted"), "notifications", "trigger.on-rollout-aborted",
                        "kubectl apply"),
    "another token": (lambda live: live.add(secret("slipway", "relay", {"relay-token": b"other"})), "relay-token",
                      "not the same", "docs/relay.md"),
    "no token": (gone("Secret", "relay", "slipway"), "relay-token", "not there", "create secret generic relay"),
    "a line break": (lambda live: [live.add(secret(place, name, {"relay-token": b"t\n"})) for place, name in
                                   (("slipway", "relay"), ("argo-rollouts", "argo-rollouts-notification-secret"))],
                     "relay-token", "line break", "tr -d"),
    "no judge is ready": (lambda live: live.get("EndpointSlice", "judge-x", "slipway").update(
        endpoints=[{"conditions": {"ready": False}}]), "judge", "no pod behind it is ready", "kubectl -n slipway logs"),
    "another policy": (lambda live: live.get("ConfigMap", POLICY, "slipway")["data"].update({
        "judge.yaml": (ROOT / "rollouts/judge-istio.yaml").read_text()}), "judge-policy", "not rollouts/judge.yaml",
        "slipway manifests render"),
    "no policy": (gone("ConfigMap", POLICY, "slipway"), "judge-policy", "not there", "k8s/rendered/platform"),
    "no Prometheus": (gone("Service", "prometheus", "monitoring"), "prometheus", "not there", "docs/deployment.md"),
    "Prometheus is nowhere": (lambda live: [outside(live), live.get(
        "EndpointSlice", "prometheus-x", "monitoring").update(endpoints=[])], "prometheus", "no ready address",
        "get endpointslices"),
    "no relay is ready": (lambda live: live.get("EndpointSlice", "relay-x", "slipway").update(endpoints=None), "relay",
                          "no pod behind it is ready", "logs deployment/relay"),
    "the relay is stuck": (lambda live: live.odd.update({"relay:8080/proxy/healthz": (503, "stuck\n")}), "relay",
                           "503 stuck", "logs deployment/relay"),
    "the relay's loop is dead": (lambda live: live.metrics.update(slipway_relay_turned_at=NOW - 960), "relay-sources",
                                 "16 minutes ago", "logs deployment/relay"),
    "the relay sees no Git": (lambda live: live.metrics.update(slipway_relay_fetched_at=NOW - 900), "relay-sources",
                              "cannot read main", "credential"),
    "the relay sees no rollout": (lambda live: live.metrics.pop('slipway_relay_looked_at{environment="production"}'),
                                  "relay-sources", "does not see flights in flights-production",
                                  "--as=system:serviceaccount:slipway:relay"),
    "people are needed": (lambda live: live.metrics.update({'slipway_relay_report{environment="staging"}': 1.0}),
                          "relay-sources", "waits for a person in staging", "slipway status"),
    "the router is down": (lambda live: live.odd.update({"query=up%7Bjob%3D%22traefik%22%7D": (200, {
        "status": "success", "data": {"result": [{"metric": {"instance": "a"}, "value": [NOW, "0"]}]}})}), "scrapes",
        "is not 1 for a", "targets"),
    "seldom scraped": (lambda live: setattr(live, "scrape", 15.0), "scrapes", "every 15 s", "scrape_interval"),
    "another folder": (spec("Application", "flights-production", "argocd", source__path="k8s/next/production"),
                       "application", "k8s/next/production", "kubectl apply -f argocd/production.yaml"),
    "out of sync": (lambda live: live.get("Application", "flights-production", "argocd")["status"]["sync"].update(
        status="OutOfSync"), "application", "OutOfSync", "argocd app get flights-production"),
    "weights not ignored": (spec("Application", "flights-production", "argocd", ignoreDifferences=[]),
                            "application-sync", ".spec.weighted.services[].weight", "argocd/production.yaml"),
    "differences not respected": (options(ONLY), "application-sync", RESPECT, "kubectl apply -f argocd/production"),
    "all is applied": (options(RESPECT), "application-sync", ONLY, "argocd/production.yaml"),
    "server-side apply": (options(RESPECT, ONLY, "ServerSideApply=true"), "application-sync", "strips",
                          "Take it out of syncOptions"),
    "no self-heal": (spec("Application", "flights-production", "argocd", syncPolicy__automated__selfHeal=False),
                     "application-sync", "selfHeal", "argocd/production.yaml"),
    "a wave": (annotated("Rollout", "flights", sync_wave="1"), "waves", "sync wave", "slipway manifests check"),
    "a late hook": (annotated("Deployment", "flights", hook="PostSync"), "waves", "PostSync", "manifests check"),
    "another image": (image("flights", "flights-production", f"ghcr.io/example/flights:1.0.0@sha256:{64 * 'b'}"),
                      "image", "kubectl argo rollouts undo",
                      "slipway rollback --to VERSION --why TEXT --environment production"),
    "a Deployment with pods": (spec("Deployment", "flights", replicas=2), "workload", "spec.replicas is 2",
                               "scale deployment flights --replicas=0"),
    "it is scaled down": (spec("Rollout", "flights", workloadRef__scaleDown="onsuccess"), "workload", "scaleDown",
                          "slipway release"),
    "a rollback window": (spec("Rollout", "flights", rollbackWindow={"revisions": 3}), "rollout", "unjudged",
                          "slipway manifests render"),
    "a pause": (lambda live: live.get("Rollout", "flights")["spec"]["strategy"]["canary"]["steps"].insert(
        1, {"pause": {}}), "rollout", "pause step", "slipway manifests render"),
    "one pod": (spec("Rollout", "flights", strategy__canary__minPodsPerReplicaSet=1), "rollout", "minPodsPerReplicaSet",
                "slipway release"),
    "a delay after an abort": (spec("Rollout", "flights", strategy__canary__abortScaleDownDelaySeconds=30), "rollout",
                               "deadline may be forgotten", "slipway release"),
    "selectors stripped": (selector("flights-canary", None), "services", f"no {HASH}", "ServerSideApply=true"),
    "the canary is stable": (selector("flights-canary", STABLE), "services", "nobody meets the canary",
                             "kubectl argo rollouts abort flights"),
    "stable is another": (selector("flights-stable", "123"), "services", f"the controller says {STABLE}", "its log"),
    "no canary Service": (gone("Service", "flights-canary"), "services", "not there", "k8s/rendered/production"),
    "other children": (spec("TraefikService", "flights", weighted__services__1__name="flights"), "split",
                       "flights-stable, flights,", "delete traefikservice flights"),
    "90": (spec("TraefikService", "flights", weighted__services__1__weight=0), "split", "90, 0, which is not 100",
           "application-sync"),
    "somebody writes weights": (spec("TraefikService", "flights", weighted__services__0__weight=100,
                                     weighted__services__1__weight=0), "split", "the controller has set 10",
                                "application-sync"),
    "the web provider": (metric(provider={"web": {"url": JUDGE}}), "analysis", "the provider is web", "rollouts/"),
    "another judge": (metric(provider__prometheus__address="http://mine:1"), "analysis", "asks http://mine:1",
                      "slipway manifests render"),
    "any number is a success": (metric(successCondition="result[0] >= 0"), "analysis", "successCondition", "rollouts/"),
    "unavailable is no failure": (metric(failureCondition="result[0] == -1"), "analysis", "failureCondition", "k8s/"),
    "no success limit": (metric(consecutiveSuccessLimit=None), "analysis", "counts as a success", "rollouts/"),
    "doubt pauses": (metric(inconclusiveLimit=None), "analysis", "inconclusiveLimit is None", "rollouts/"),
    "impatient": (metric(consecutiveErrorLimit=4), "analysis", "consecutiveErrorLimit is 4", "rollouts/"),
    "it ends too soon": (metric(count=8640, inconclusiveLimit=8640), "analysis", "below deadline", "rollouts/"),
    "a dry run": (spec("AnalysisTemplate", "judge", dryRun=[{"metricName": "judge"}]), "analysis", "decides nothing",
                  "rollouts/"),
    "no such judge": (lambda live: setattr(live, "value", "NaN"), "judge-question", "none of a judge", "get pods"),
    "the judge has no rights": (lambda live: live.verdict.update(held=[{
        "reason": "facts", "detail": "the cluster's API says 403"}]), "judge-sources", "says 403",
        "--as=system:serviceaccount:slipway:judge"),
    "the judge has no ledger": (lambda live: live.verdict.update(held=[{
        "reason": "ledger", "detail": "the ledger does not answer"}]), "judge-sources", "does not answer", "database"),
    "started without a ledger": (spec("Deployment", "judge", "slipway", template__spec__containers__0__args=[
        "--prometheus", "http://prometheus.monitoring:9090", FROM]), "judge-sources", "without --ledger",
        "Give it --ledger"),
    "no ledger": (gone("Secret", "flights-ledger"), "ledger", "not there",
                  "kubectl -n flights-production create secret generic flights-ledger --from-file=url"),
    "no credentials": (lambda live: live.add(secret("flights-production", "flights-ledger", {
        "url": b"u", "keys": b"k", "credentials": b""})), "ledger", "lacks credentials", "--from-file=credentials"),
    "no shipper": (lambda live: live.get("Pod", "flights-b").update(status={"initContainerStatuses": [
        {"name": "shipper", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}), "shipper", "does not run",
        "logs flights-b -c shipper"),
    "a certificate ends": (ends(3 * 86400), "certificates", "until 2026-11-", "Renew it"),
    "no series": (lambda live: live.series.update({"requests_total{service=~\"flights-production": []}), "series",
                  "finds nothing for stable", "Send it a request"),
    "labels clash": (lambda live: live.series.update({
        "requests_total{exported_service": [{"service": "traefik"}],
        "requests_total{service=~\"flights-production": []}), "series", "exported_service", "honor_labels: true"),
    "the histogram is coarse": (lambda live: live.series.update({"_bucket{service=~\"flights-production": [
        {"le": "0.1"}, {"le": "0.3"}, {"le": "+Inf"}]}), "edges", "no edge", "finer buckets"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_turns_its_check_red_and_no_other(name: str) -> None:
    """The finding says where, what, and what mends it."""
    plant, check, found, remedy = FAULTS[name]
    live = Live()
    plant(live)
    faults = not_ok(examined(live))
    assert {one.check for one in faults if one.state == "wrong"} == {check}
    assert any(found in one.found and remedy in one.remedy and one.where != one.place for one in faults), faults


def test_every_check_has_a_fault() -> None:
    """No check is there that nothing was shown to turn red; one only has a hint to give."""
    assert {check for _, check, *_ in FAULTS.values()} == {*doctor.CLUSTER, *doctor.ENVIRONMENT} - {"analysis-health"}


OF_PROMETHEUS = {"prometheus", "scrapes", "series", "edges"}
DOUBTS: dict[str, tuple[Plant, set[str], str]] = {  # plant, what cannot be told, part of a remedy
    "no rights on Secrets": (lambda live: live.forbidden.add("/secrets/"), {"relay-token", "ledger"}, "docs/doctor.md"),
    "no rights on the proxy": (
        lambda live: live.forbidden.add("/proxy/"),
        {"judge", "relay", "relay-sources", "judge-question", "judge-sources", *OF_PROMETHEUS},
        "docs/doctor.md",
    ),
    "no rights on applications": (
        lambda live: live.forbidden.add("/applications"),
        {"platform", "application", "application-sync", "waves"},
        "docs/doctor.md",
    ),
    "a policy keeps the API server out": (
        lambda live: live.odd.update(
            {"judge:8080/proxy/": (503, {"kind": "Status", "message": "error trying to reach service: i/o timeout"})}
        ),
        {"judge", "judge-question", "judge-sources"},
        "kubectl -n slipway port-forward service/judge 8080:8080",
    ),
    "the relay has not turned for long": (
        lambda live: live.metrics.update(slipway_relay_turned_at=NOW - 840),
        {"relay-sources"},
        "Look again in 1 minutes; `kubectl -n slipway logs deployment/relay",
    ),
    "no pod has started": (
        lambda live: [live.get("Pod", f"flights-{name}").update(status={"phase": "Pending"}) for name in "ab"],
        {"shipper"},
        "kubectl -n flights-production describe pods",
    ),
    "the API server hangs": (
        lambda live: live.odd.update({"/analysistemplates": (0, None)}),
        {"waves", "analysis", "judge-question"},
        "Look again",
    ),
    "a tag that says nothing": (
        image("argo-rollouts", "argo-rollouts", f"quay.io/argoproj/argo-rollouts:latest@{DIGEST}"),
        {"rollouts-version"},
        "app.kubernetes.io/version",
    ),
    "Traefik by file": (
        flag("--", "--configFile=/etc/traefik.yaml"),
        {"traefik-empty-services", "traefik-metrics", "traefik-buckets"},
        "Look there",
    ),
    "a Prometheus elsewhere": (
        spec(
            "Deployment",
            "judge",
            "slipway",
            template__spec__containers__0__args=[
                "--prometheus=https://u:secret@metrics.example.com/p",
                "--ledger=l",
                FROM,
            ],
        ),
        OF_PROMETHEUS,
        "curl metrics.example.com/p",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_cannot_be_seen_is_never_ok(name: str) -> None:
    """A check that could not be made says so, and what would let it be made."""
    plant, checks, remedy = DOUBTS[name]
    live = Live()
    plant(live)
    doubts = not_ok(examined(live))
    assert {(one.check, one.state) for one in doubts} == {(check, "cannot tell") for check in checks}
    assert any(remedy in one.remedy for one in doubts), doubts
    assert "secret@" not in str(doubts)


def test_a_label_says_the_version_that_a_tag_does_not() -> None:
    """Of an image by digest, or `latest`, the label of the workload is believed."""
    live = Live()
    image("argo-rollouts", "argo-rollouts", f"quay.io/argoproj/argo-rollouts@{DIGEST}")(live)
    labels = {"app.kubernetes.io/version": "v1.10.1"}
    live.get("Deployment", "argo-rollouts", "argo-rollouts")["metadata"]["labels"] = labels
    assert not_ok(examined(live)) == []
    labels["app.kubernetes.io/version"] = "v1.8.0"
    assert [one.check for one in not_ok(examined(live))] == ["rollouts-version"]


def test_another_router_of_the_cluster_is_nobodys_business() -> None:
    """A Traefik that the pods do not let in may be of any version and setting."""
    live = Live()
    live.add(running("old", "kube-system", "traefik:v3.0", "--providers.kubernetescrd"))
    assert not_ok(examined(live)) == []


def test_traefik_may_be_told_by_variables() -> None:
    """What stands in TRAEFIK_* counts where there is no flag."""
    live = Live()
    container = live.get("Deployment", "traefik", "traefik")["spec"]["template"]["spec"]["containers"][0]
    container["args"] = []
    container["env"] = [
        {"name": "TRAEFIK_PROVIDERS_KUBERNETESCRD_ALLOWEMPTYSERVICES", "value": "true"},
        {"name": "TRAEFIK_METRICS_PROMETHEUS_BUCKETS", "value": EDGES},
    ]
    assert not_ok(examined(live)) == []


def test_one_judge_is_enough_and_two_are_better() -> None:
    """It is ok, with a remedy."""
    live = Live()
    live.get("EndpointSlice", "judge-x", "slipway")["endpoints"].pop()
    report = examined(live)
    assert not_ok(report) == []
    (remark,) = (one for one in report.findings if one.remedy)
    assert (remark.check, "--replicas=2" in remark.remedy) == ("judge", True)


def test_a_canary_that_begins_is_no_fault() -> None:
    """Until a pod is available the controller leaves the canary's Service with stable, and nothing is analysed."""
    live = Live()
    selector("flights-canary", STABLE)(live)
    live.get("Rollout", "flights")["status"]["canary"]["weights"]["canary"]["weight"] = 0
    spec("TraefikService", "flights", weighted__services__0__weight=100, weighted__services__1__weight=0)(live)
    live.get("Pod", "flights-b")["status"] = {"initContainerStatuses": [
        {"name": "shipper", "state": {"waiting": {"reason": "PodInitializing"}}}]}  # fmt: skip
    live.add({**live.get("Pod", "flights-b"), "metadata": {**live.get("Pod", "flights-b")["metadata"], "name": "c"}})
    live.get("Pod", "c")["status"] = {}
    with pytest.raises(Broken) as said:
        facts.rollout(objects.rollout(), [], [], NOW)
    live.verdict = {"verdict": "continue", "held": [{"reason": "facts", "detail": said.value.what}]}
    report = examined(live)
    assert not_ok(report) == []
    assert "runs in 1 pods, 2 are starting" in [one.found for one in report.findings]


def test_a_judge_at_rest_is_well() -> None:
    """Between canaries it says that none is under way: its words, which are looked for here."""
    live = Live()
    status = live.get("Rollout", "flights")["status"]
    status["currentPodHash"] = STABLE
    selector("flights-canary", STABLE)(live)
    with pytest.raises(Broken, match=RESTING[0]) as said:
        facts.rollout(objects.rollout(stableRS="bbb"), [], [], NOW)
    live.verdict = {"verdict": "continue", "held": [{"reason": "facts", "detail": said.value.what}]}
    assert not_ok(examined(live)) == []


def test_an_aborted_canary_leaves_both_services_with_stable() -> None:
    """The controller has turned the canary's Service back; that is no fault."""
    live = Live()
    live.get("Rollout", "flights")["status"] |= {"abort": True, "currentPodHash": CANARY}
    selector("flights-canary", STABLE)(live)
    spec("TraefikService", "flights", weighted__services__0__weight=100, weighted__services__1__weight=0)(live)
    assert not_ok(examined(live)) == []


def test_an_empty_cluster_is_told_and_never_a_crash() -> None:
    """No namespace, no CRD, nothing: every check but the version says what is missing."""
    live = Live()
    live.objects.clear()
    live.unknown |= {"applications", "rollouts", "analysistemplates", "traefikservices", "ingressroutes"}
    live.odd["/proxy/"] = (503, {"kind": "Status", "message": "no endpoints available"})
    report = examined(live)
    fine = {one.check for one in report.findings if one.state == "ok"}
    assert fine == {"kubernetes"}
    assert {one.check for one in report.findings if one.state == "wrong"} == {
        "notifications",
        "relay-token",
        "judge",
        "relay",
        "platform",
        "application",
    }
    assert all(one.remedy for one in report.findings if one.state != "ok")


def test_before_the_first_release_there_is_nothing_to_compare() -> None:
    """An environment to which nothing was released, and in which nothing is, says so once; that is as main has it."""
    live = Live()
    live.unknown.add("rollouts")
    wanted = tuple(msgspec.structs.replace(one, image=None) for one in told().environments)
    report = examined(live, environments=wanted)
    assert not_ok(report) == []
    seen = {one.check: one.found for one in report.findings if one.place == "production"}
    assert list(seen) == ["application", "application-sync", "image"]
    assert seen["image"] == "nothing was released to production yet"


def test_what_was_never_released_and_runs_is_told() -> None:
    """Somebody brought it by hand: there is nothing in main to hold it against."""
    wanted = tuple(msgspec.structs.replace(one, image=None) for one in told().environments)
    assert {(one.check, one.state) for one in not_ok(examined(Live(), environments=wanted))} == {
        ("image", "cannot tell")
    }


def test_a_prometheus_beside_the_cluster_is_asked_where_it_is() -> None:
    """The API server's proxy leads to pods alone; nobody can tell where its address cannot be reached either."""
    live = Live()
    outside(live)
    assert not_ok(examined(live)) == []
    live.odd[OUTSIDE] = (0, None)
    doubts = not_ok(examined(live))
    assert {(one.check, one.state) for one in doubts} == {(check, "cannot tell") for check in OF_PROMETHEUS}
    assert all(f"curl http://{OUTSIDE}/" in one.remedy for one in doubts)


def test_that_argo_cd_says_nothing_of_analyses_is_a_hint() -> None:
    """Nothing depends on argocd/health.yaml."""
    live = Live()
    del live.get("ConfigMap", "argocd-cm", "argocd")["data"]
    report = examined(live)
    assert not_ok(report) == []
    (hint,) = (one for one in report.findings if one.remedy)
    assert (hint.check, "--patch-file argocd/health.yaml" in hint.remedy) == ("analysis-health", True)

"""What runs beside the services is as the sources mean it, and one change in it is refused by name."""

import copy
from typing import Any

import pytest
from tests.manifests.conftest import ROOT

from slipway.adapters import files
from slipway.manifests import beside, tree

JUDGE, RELAY, JOB = "Deployment/judge", "Deployment/relay", "Job/ledger"
PROJECT, APPLICATION = "AppProject/slipway-platform", "Application/slipway-platform"
POD = "spec.template.spec"
RENDERED = files.read_texts(ROOT / "k8s/rendered/platform", "*.yaml")
POLICY_MAP, SETTINGS, _ROWS = sorted(
    f"ConfigMap/{each['metadata']['name']}" for each in tree.objects(RENDERED) if each["kind"] == "ConfigMap"
)
NAME = "ghcr.io/example/slipway"
HOOK, WAVE = "argocd~argoproj~io/hook", {"argocd.argoproj.io/sync-wave": "1"}

# object, path of the field, its new value, what the refusal names
CASES = [
    (JUDGE, f"{POD}.containers.0.image", f"{NAME}@sha256:{64 * 'a'}", "image: must be one for all"),
    (RELAY, f"{POD}.initContainers.0.image", "alpine/git", "image: must be one for all"),
    (SETTINGS, "data.REPOSITORY", "https://github.com/else/slipway.git", "REPOSITORY"),
    (POLICY_MAP, "data.judge~yaml", "policy: {}\n", "must be rollouts/judge.yaml"),
    (POLICY_MAP, "data.other~yaml", "", "nothing else"),
    (POLICY_MAP, "metadata.name", "judge", f"{POLICY_MAP}: used, and not here"),
    (JUDGE, f"{POD}.volumes.2", {"name": "policy", "emptyDir": {}}, f"must mount {POLICY_MAP}"),
    (JUDGE, "metadata.annotations", WAVE, "nothing has a wave"),
    (JUDGE, "metadata.annotations", {"helm.sh/hook": "post-install"}, "only the migration is a hook"),
    (JOB, f"metadata.annotations.{HOOK}", "PostSync", "only the migration is a hook"),
    (JOB, f"metadata.annotations.{HOOK}", "Sync", "only the migration is a hook"),
    (JOB, "metadata.annotations", {}, "only the migration is a hook"),
    (JOB, "metadata.annotations.argocd~argoproj~io/sync-wave", "-1", "nothing has a wave"),
    (RELAY, f"{POD}.securityContext.runAsNonRoot", False, "runAsNonRoot"),
    (RELAY, f"{POD}.initContainers.0.securityContext.readOnlyRootFilesystem", False, "clone: securityContext"),
    (JOB, f"{POD}.containers.0.securityContext.privileged", True, "migrate: securityContext"),
    (JUDGE, f"{POD}.containers.0.resources", {"requests": {"cpu": "50m"}}, "requests and limits"),
    (APPLICATION, "spec.source.path", "k8s/platform", "spec.source.path"),
    (APPLICATION, "spec.source.targetRevision", "HEAD", "targetRevision"),
    (APPLICATION, "spec.source.repoURL", "https://github.com/else/slipway.git", "repoURL"),
    (APPLICATION, "spec.project", "default", "spec.project"),
    (APPLICATION, "spec.syncPolicy.automated.selfHeal", False, "automated"),
    (APPLICATION, "spec.syncPolicy.retry.limit", 5, "retry"),
    (APPLICATION, "spec.syncPolicy.retry.refresh", False, "retry"),
    (PROJECT, "spec.sourceRepos", ["*"], "sourceRepos"),
    (PROJECT, "spec.destinations.3", {"server": "*", "namespace": "kube-system"}, "destinations"),
    (PROJECT, "spec.clusterResourceWhitelist.1", {"group": "*", "kind": "*"}, "clusterResourceWhitelist"),
    (PROJECT, "spec.namespaceResourceWhitelist.10", {"group": "", "kind": "Secret"}, "Secret"),
    (PROJECT, "spec.namespaceResourceWhitelist.5", {"group": "batch", "kind": "CronJob"}, "'Job'"),
]


@pytest.fixture(scope="module")
def platform() -> Any:
    """What Argo CD applies."""
    return tree.objects(RENDERED)


@pytest.fixture(scope="module")
def delivery() -> Any:
    """What Argo CD is told of it."""
    return tree.objects(files.read_texts(ROOT / "argocd/platform", "*.yaml"))


@pytest.fixture(scope="module")
def check(argocd: Any) -> Any:
    """The rules, with the policy and the repository that are shipped."""
    policy = (ROOT / "rollouts/judge.yaml").read_text()
    (source,) = {each["spec"]["source"]["repoURL"] for each in argocd if each["kind"] == "Application"}
    return lambda platform, delivery: beside.check(platform, policy, delivery, source)


def test_what_is_shipped_passes(platform: Any, delivery: Any, check: Any) -> None:
    """Also the digest of no image, which is all that the repository has; and a real one."""
    assert check(platform, delivery) == []
    real = copy.deepcopy(platform)
    for each in real:
        for key in ("initContainers", "containers"):
            for container in each.get("spec", {}).get("template", {}).get("spec", {}).get(key, ()):
                container["image"] = f"registry.example.org:5000/slipway@sha256:{64 * 'a'}"
    assert check(real, delivery) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: ":".join(case[:2]))
def test_one_change_is_refused(
    platform: Any, delivery: Any, check: Any, change: Any, case: tuple[str, str, Any, str]
) -> None:
    """A judge with another policy, an image by its tag, an order, a pod with more rights: refused by name."""
    label, path, value, says = case
    theirs = label in (PROJECT, APPLICATION)
    changed = change(delivery if theirs else platform, label, path, value)
    problems = check(platform, changed) if theirs else check(changed, delivery)
    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize("image", [NAME, f"{NAME}:1.0.0", f"{NAME}@sha256:{63 * 'a'}", ""])
def test_an_image_without_its_digest_is_refused(platform: Any, delivery: Any, check: Any, image: str) -> None:
    """Everywhere the same, but by a name or a tag, which may be another image tomorrow."""
    changed = copy.deepcopy(platform)
    for each in changed:
        for key in ("initContainers", "containers"):
            for container in each.get("spec", {}).get("template", {}).get("spec", {}).get(key, ()):
                container["image"] = image
    assert check(changed, delivery) == [f"image: {image} must be NAME@sha256:DIGEST"]


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
    ],
)
def test_no_right_is_added(platform: Any, delivery: Any, check: Any, rule: dict[str, Any]) -> None:
    """Whoever reads rollouts has no use for another right."""
    changed = copy.deepcopy(platform)
    role = next(each for each in changed if each["kind"] == "Role")
    role["rules"].append(rule)
    (problem,) = check(changed, delivery)
    assert problem.startswith(f"Role/{role['metadata']['name']}: rules: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("roleRef", {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}),
        ("roleRef", {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "somebody"}),
        ("subjects", [{"kind": "ServiceAccount", "name": "judge", "namespace": "default"}]),
        ("subjects", [{"kind": "Group", "name": "system:authenticated"}]),
    ],
)
def test_nothing_else_is_bound(platform: Any, delivery: Any, check: Any, field: str, value: Any) -> None:
    """Neither a role that stands elsewhere, whose rules are not seen here, nor somebody else's account."""
    changed = copy.deepcopy(platform)
    binding = next(each for each in changed if each["kind"] == "RoleBinding")
    binding[field] = value
    (problem,) = check(changed, delivery)
    assert problem.startswith(f"RoleBinding/{binding['metadata']['name']}: {field}: ")


def test_only_the_migration_owns_the_database(platform: Any) -> None:
    """The judge's Secret is another, for a role that may only read."""
    mounted = {
        f"{each['kind']}/{each['metadata']['name']}": {
            volume["secret"]["secretName"]
            for volume in each["spec"]["template"]["spec"]["volumes"]
            if "secret" in volume
        }
        for each in platform
        if "template" in each.get("spec", {})
    }
    assert (mounted[JUDGE], mounted[JOB]) == ({"ledger"}, {"ledger-owner"})


def test_rights_are_those_that_are_used(platform: Any) -> None:
    """The judge lists pods, the relay does not; both only in the namespaces of the environments."""
    roles = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each for each in platform if each["kind"] == "Role"
    }
    assert set(roles) == {(f"flights-{name}", who) for name in tree.ENVIRONMENTS for who in ("judge", "relay")}
    for (_, who), role in roles.items():
        asked = {(*rule["apiGroups"], *rule["resources"], *rule["verbs"]) for rule in role["rules"]}
        assert asked == beside.RIGHTS - ({("", "pods", "list")} if who == "relay" else set())


def test_the_arguments_are_ones_that_the_verbs_take(platform: Any) -> None:
    """Each container's command line parses as the real one does, but for the shell that clones."""
    from tests.docs.test_help import parse

    lines = [
        " ".join([*container["command"], *container.get("args", ())])
        for each in platform
        for container in each.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
    ]
    assert sorted(line.split()[1] for line in lines) == ["judge", "ledger", "relay", "replay"]
    for line in lines:
        first, *words = line.replace("--root=/var/lib/slipway/main", "--root=.").split()  # it must be there
        assert first == "slipway"
        parse(words)


def test_the_doors_are_where_others_knock(platform: Any, production: Any, argocd: Any) -> None:
    """The analysis asks the judge's Service, Rollouts calls the relay's, and the relay asks the judge."""
    doors = {
        f"http://{each['metadata']['name']}.slipway.svc:{each['spec']['ports'][0]['port']}"
        for each in platform
        if each["kind"] == "Service"
    }
    template = next(each for each in production if each["kind"] == "AnalysisTemplate")
    asked = template["spec"]["metrics"][0]["provider"]["prometheus"]["address"]
    webhook = next(each for each in argocd if "service.webhook.relay" in each.get("data", {}))["data"][
        "service.webhook.relay"
    ]
    assert doors == {asked, "http://relay.slipway.svc:8080"}
    assert "url: http://relay.slipway.svc:8080/rollouts\n" in webhook
    relay = next(each for each in platform if each["kind"] == "Deployment" and each["metadata"]["name"] == "relay")
    assert f"--judge={asked}" in relay["spec"]["template"]["spec"]["containers"][0]["command"]


def test_traffic_goes_to_staging(platform: Any) -> None:
    """The replay asks for the host of staging's route, and reads the credentials that its service knows."""
    replay = next(each for each in platform if each["kind"] == "Deployment" and each["metadata"]["name"] == "replay")
    staging = tree.objects(files.read_texts(ROOT / "k8s/next/staging", "*.yaml"))
    (route,) = (each["spec"]["routes"][0]["match"] for each in staging if each["kind"] == "IngressRoute")
    (container,) = replay["spec"]["template"]["spec"]["containers"]
    (host,) = (word.removeprefix("--host=") for word in container["command"] if word.startswith("--host="))
    assert (replay["metadata"]["namespace"], f"Host(`{host}`)" in route) == ("flights-staging", True)
    secrets = {
        each["secret"]["secretName"] for each in replay["spec"]["template"]["spec"]["volumes"] if "secret" in each
    }
    deployment = next(each for each in staging if each["kind"] == "Deployment")
    known = {
        each["secret"]["secretName"] for each in deployment["spec"]["template"]["spec"]["volumes"] if "secret" in each
    }
    assert secrets == known

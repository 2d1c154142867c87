"""What the scenarios run is what a user deploys: the manifests of each tree, but for the fields named here."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.machine import fork
from tests.cluster.machine.programs import ROOT

from slipway import manifests
from slipway.adapters import files, kustomize
from slipway.commands.manifests import UNRESTRICTED
from slipway.manifests import tree

SHRUNK = {
    "Deployment/flights": {
        "/spec/template/spec/containers/0/resources/requests/cpu",
        "/spec/template/spec/initContainers/0/resources/requests/cpu",
    },
    "Rollout/flights": {"/spec/progressDeadlineSeconds"},
}
ASKED = {
    *(f"/spec/metrics/0/{name}" for name in ("interval", "count", "inconclusiveLimit")),
    "/spec/metrics/0/provider/prometheus/timeout",
}
WAITS = {f"/spec/args/{number}/value" for number in (2, 3, 4, 5)}  # bake, maturity, deadline, cycle
# what kustomize builds, the tree that is committed, and what may differ
ALLOWED = {
    "k8s/overlays/staging": ("k8s/next/staging", {**SHRUNK, "AnalysisTemplate/judge": ASKED}),
    "k8s/overlays/production": ("k8s/next/production", {**SHRUNK, "AnalysisTemplate/judge": ASKED | WAITS}),
    "k8s/platform": ("k8s/rendered/platform", {"Deployment/replay": {"/spec/replicas"}}),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, as a fork of the cluster has them; policy, image and addresses are those of fork.py."""
    root = tmp_path_factory.mktemp("fork")
    for name in ("k8s", "rollouts", "tests/cluster/environment"):
        for path in (ROOT / name).rglob("*"):
            if path.is_file():
                copied = root / path.relative_to(ROOT)
                copied.parent.mkdir(parents=True, exist_ok=True)
                copied.write_bytes(path.read_bytes())
    for name, before, after in fork.CHANGES:
        text = (root / name).read_text()
        assert text.count(before) == 1, name
        if name.startswith("k8s/"):
            (root / name).write_text(text.replace(before, after))
    return root


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    program = subprocess.run([ROOT / "scripts/gotool.sh", "kustomize"], stdout=subprocess.PIPE, text=True, check=True)
    monkeypatch.setenv("KUSTOMIZE", program.stdout.strip())


@pytest.mark.parametrize("sources", ALLOWED)
def test_only_what_is_allowed_differs(copy: Path, sources: str) -> None:
    """Every other field is the user's; each that may differ does, so that the list does not grow old."""
    committed, allowed = ALLOWED[sources]
    here = named(kustomize.build(copy / sources, *(UNRESTRICTED if sources == "k8s/platform" else ())))
    there = named(files.read_texts(ROOT / committed, "*.yaml"))
    assert here.keys() == there.keys()
    found = {key.rpartition(" ")[2]: where for key in here if (where := set(differences(here[key], there[key])))}
    assert found == allowed


@pytest.mark.parametrize("name", tree.ENVIRONMENTS)
def test_the_rules_of_manifests_hold_there_too(copy: Path, name: str) -> None:
    """What `slipway manifests check` asks of an environment."""
    found, problems = manifests.examine(tree.objects(kustomize.build(copy / "k8s/overlays" / name)))
    assert (found is not None, problems) == (True, [])


def named(texts: dict[str, str]) -> dict[str, Any]:
    """Objects by "namespace Kind/name"."""
    every = tree.objects(texts)
    return {f"{one['metadata'].get('namespace')} {one['kind']}/{one['metadata']['name']}": one for one in every}


def test_of_the_policy_only_times_differ() -> None:
    """No margin, and no probability of an error: a verdict here is a verdict there."""
    text = shipped = (ROOT / fork.POLICY).read_text()
    for name, before, after in fork.CHANGES:
        if name == fork.POLICY:
            assert text.count(before) == 1, before
            text = text.replace(before, after)
    found = set(differences(yaml.safe_load(shipped), yaml.safe_load(text)))
    assert found == {"/policy/grid", "/policy/grace", "/policy/scrape", "/traffic/production"}


def differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """JSON pointers of what is not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key), other.get(key), f"{at}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{at}/{number}")
    elif one != other:
        yield at

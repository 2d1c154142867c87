"""What the scenarios run is what a user deploys: production's manifests, but for the fields named here."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.machine import fork
from tests.cluster.machine.programs import ROOT

from slipway import manifests
from slipway.adapters import files, kustomize
from slipway.manifests import tree

ALLOWED = {
    "Deployment/flights": {
        "/spec/template/spec/containers/0/resources/requests/cpu",
        "/spec/template/spec/initContainers/0/resources/requests/cpu",
    },
    "Rollout/flights": {"/spec/progressDeadlineSeconds"},
    "AnalysisTemplate/judge": {
        *(f"/spec/args/{number}/value" for number in (2, 3, 4, 5)),  # bake, maturity, deadline, cycle
        *(f"/spec/metrics/0/{name}" for name in ("interval", "count", "inconclusiveLimit")),
        "/spec/metrics/0/provider/prometheus/timeout",
    },
}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment, rendered from the sources as a fork of the cluster has them."""
    for name in ("k8s", "rollouts", "tests/cluster/environment"):
        for path in (ROOT / name).rglob("*"):
            if path.is_file():
                copied = tmp_path / path.relative_to(ROOT)
                copied.parent.mkdir(parents=True, exist_ok=True)
                copied.write_bytes(path.read_bytes())
    overlay = "k8s/overlays/production/kustomization.yaml"
    before, after = fork.CHANGES[overlay]
    text = (tmp_path / overlay).read_text()
    assert text.count(before) == 1
    (tmp_path / overlay).write_text(text.replace(before, after))
    program = subprocess.run([ROOT / "scripts/gotool.sh", "kustomize"], stdout=subprocess.PIPE, text=True, check=True)
    monkeypatch.setenv("KUSTOMIZE", program.stdout.strip())
    return kustomize.build(tmp_path / "k8s/overlays/production")


def test_only_what_is_allowed_differs_from_production(built: dict[str, str]) -> None:
    """Every other field is production's; each that may differ does, so that the list does not grow old."""
    production = files.read_texts(ROOT / "k8s/next/production", "*.yaml")
    here, there = (
        {f"{each['kind']}/{each['metadata']['name']}": each for each in tree.objects(texts)}
        for texts in (built, production)
    )
    assert here.keys() == there.keys()
    assert {name: found for name in here if (found := set(differences(here[name], there[name])))} == ALLOWED


def test_the_rules_of_manifests_hold_there_too(built: dict[str, str]) -> None:
    """What `slipway manifests check` asks of production."""
    found, problems = manifests.examine(tree.objects(built))
    assert (found is not None, problems) == (True, [])


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

"""`slipway manifests check` on the repository, and on copies of it that are not what was rendered."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from slipway.adapters import files
from slipway.commands import manifests, shelf
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.records import Bundle, GateDecision, Package, Release, ReleaseEvent

DIGEST = "sha256:" + 64 * "a"
RELEASED = f"ghcr.io/example/flights:1.2.3@{DIGEST}"


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of what the command reads."""
    for folder in ("k8s", "argocd"):
        shutil.copytree(root / folder, tmp_path / folder)
    return tmp_path


def test_the_repository_passes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifests as committed are accepted, for a person and for a program."""
    manifests.check(root)
    assert "production" in capsys.readouterr().out
    manifests.check(root, as_json=True)
    assert set(json.loads(capsys.readouterr().out)["running"]) == set(tree.ENVIRONMENTS)


def test_a_released_copy_passes(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trees of k8s/next with a released image may be what runs."""
    for name in tree.ENVIRONMENTS:
        proposed = files.read_texts(copy / "k8s/next" / name, "*.yaml")
        files.write_texts(copy / "k8s/rendered" / name, tree.with_image(proposed, RELEASED))
    manifests.check(copy)
    assert capsys.readouterr().out.count(RELEASED) == 2
    assert not (copy / "k8s/rendered/production/README.md").exists()


@pytest.mark.parametrize(
    ("happened", "environment", "holds"),
    [
        (["proposed", "promoted"], "production", True),
        (["proposed", "promoted", "rolled-back", "restored"], "production", True),
        (["proposed", "promoted"], "staging", False),
        (["proposed"], "production", False),
        (["proposed", "reverted"], "production", False),
        ([], "production", False),
    ],
)
def test_a_rollback_leads_to_what_was_promoted_there(
    copy: Path, happened: list[str], environment: str, *, holds: bool
) -> None:
    """A rendered rollback passes if releases/ says that its image was promoted in that environment."""
    proposed = files.read_texts(copy / "k8s/next/production", "*.yaml")
    back = tree.with_rollback(tree.with_image(proposed, RELEASED), DIGEST)
    files.write_texts(copy / "k8s/rendered/production", back)
    if happened:
        shelf.write(copy, _release(happened, environment))
    if holds:
        manifests.check(copy)
    else:
        with pytest.raises(Rejected, match=r"k8s/rendered/production: Deployment/flights: .* was never promoted there"):
            manifests.check(copy)


def _release(happened: list[Any], environment: str) -> Release:
    bundle = Bundle(
        version="1.2.3",
        source_commit=40 * "c",
        data_digest="md5:0",
        recipe_digest=DIGEST,
        model_digest=DIGEST,
        request_version=1,
    )
    gate = GateDecision(
        accepted=True,
        first=True,
        model_digest=DIGEST,
        champion=None,
        base=40 * "b",
        thresholds_digest=DIGEST,
        guards_changed=(),
        checks=(),
        latency_ms=0.1,
        model_bytes=1,
        comparison=None,
    )
    return Release(
        package=Package(bundle=bundle, bento_digest=DIGEST, image_digest=DIGEST),
        gate=gate,
        events=tuple(
            ReleaseEvent(kind=kind, environment=environment, at="2013-05-01T00:00:00+00:00", cause="person")
            for kind in happened
        ),
    )


def test_every_problem_is_told_at_once(copy: Path) -> None:
    """One run names each file's problem, with the tree it is in."""
    for name, old, new in (
        ("next/staging/policy_v1_poddisruptionbudget_flights.yaml", "maxUnavailable: 1", "maxUnavailable: 0"),
        ("next/production/apps_v1_deployment_flights.yaml", "replicas: 0", "replicas: 2"),
    ):
        path = copy / "k8s" / name
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(Rejected) as refusal:
        manifests.check(copy)
    assert "k8s/next/staging: PodDisruptionBudget/flights" in refusal.value.what
    assert "k8s/next/production: Deployment/flights" in refusal.value.what


def test_argocd_is_part_of_it(copy: Path) -> None:
    """An application that points elsewhere is refused."""
    path = copy / "argocd/production.yaml"
    path.write_text(path.read_text().replace("path: k8s/rendered/production", "path: k8s/next/production"))
    with pytest.raises(Rejected, match=r"argocd: Application/flights-production: spec\.source\.path"):
        manifests.check(copy)


def test_sources_are_short_and_say_what_happens(root: Path) -> None:
    """Each hand-written manifest has at most 60 lines and begins with a comment."""
    for folder in ("k8s/base", "k8s/overlays", "k8s/components", "rollouts", "argocd"):
        for path in (root / folder).rglob("*.yaml"):
            lines = path.read_text().splitlines()
            assert len(lines) <= 60, path
            assert lines[0].startswith("# "), path

"""What is committed is what kustomize renders, and what kustomize can be made to break is refused."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from slipway import manifests, releases
from slipway.adapters import files, kustomize
from slipway.commands import manifests as command
from slipway.commands import shelf
from slipway.errors import Broken, Rejected
from slipway.manifests import tree

ROOT = Path(__file__).parents[2]
RELEASED, BENTO = "ghcr.io/example/flights:1.2.3@sha256:" + 64 * "a", "sha256:" + 64 * "b"


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    built = subprocess.run([ROOT / "scripts/gotool.sh", "kustomize"], capture_output=True, text=True, check=True)
    monkeypatch.setenv("KUSTOMIZE", built.stdout.strip())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the sources and of what they rendered to."""
    for folder in ("k8s", "rollouts", "argocd"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def _next(copy: Path) -> dict[str, str]:
    return files.read_texts(copy / "k8s/next/staging", "*.yaml")


def _add(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize("name", tree.ENVIRONMENTS)
def test_committed_is_rendered(name: str) -> None:
    """k8s/next is `kustomize build` byte for byte, and k8s/rendered/staging that with its image."""
    built = kustomize.build(ROOT / "k8s/overlays" / name)
    assert files.read_texts(ROOT / "k8s/next" / name, "*") == built
    rendered = files.read_texts(ROOT / "k8s/rendered" / name, "*.yaml")
    state = shelf.state(ROOT)
    assert tree.faults(name, built, rendered, releases.running(state.releases, state.stable, name)) == []


def test_the_platform_is_rendered() -> None:
    """k8s/rendered/platform is what kustomize makes of k8s/platform and rollouts/judge.yaml, byte for byte."""
    built = kustomize.build(ROOT / "k8s/platform", *command.UNRESTRICTED)
    assert files.read_texts(ROOT / "k8s/rendered/platform", "*") == built
    with pytest.raises(Broken, match="not in or below"):
        kustomize.build(ROOT / "k8s/platform")


def test_a_changed_policy_rolls_the_judge(copy: Path) -> None:
    """Its ConfigMap has another name then, which the Deployment follows, and the check is content again."""
    policy, deployment = (
        copy / "rollouts/judge.yaml",
        copy / "k8s/rendered/platform/slipway_apps_v1_deployment_judge.yaml",
    )
    before = deployment.read_text()
    policy.write_text(policy.read_text().replace("margin: 0.02", "margin: 0.03"))
    with pytest.raises(Rejected, match=r"must be rollouts/judge\.yaml"):
        command.check(copy)
    command.render(copy)
    command.check(copy)
    assert deployment.read_text() != before
    assert len(list((copy / "k8s/rendered/platform").glob("*configmap_judge*"))) == 1


def test_one_line_names_the_image_of_the_platform(copy: Path) -> None:
    """A digest set in k8s/platform/kustomization.yaml is that of judge, relay, clone, migration and replay."""
    sources = copy / "k8s/platform/kustomization.yaml"
    (image,) = yaml.safe_load(sources.read_text())["images"]
    assert sources.read_text().count(image["digest"]) == 1
    sources.write_text(sources.read_text().replace(image["digest"], f"sha256:{64 * 'a'}"))
    command.render(copy)
    texts = files.read_texts(copy / "k8s/rendered/platform", "*.yaml").values()
    assert tree.images(texts) == 5 * [f"{image['newName']}@sha256:{64 * 'a'}"]
    command.check(copy)


def test_render_keeps_the_image_of_staging_and_leaves_production(copy: Path) -> None:
    """After an edit of the sources staging runs them with the image it had; production waits for its next release."""
    for name in tree.ENVIRONMENTS:
        proposed = files.read_texts(copy / "k8s/next" / name, "*.yaml")
        files.write_texts(copy / "k8s/rendered" / name, tree.with_image(proposed, RELEASED, BENTO))
    before = files.read_texts(copy / "k8s/rendered/production", "*")
    deployment = copy / "k8s/base/deployment.yaml"
    deployment.write_text(deployment.read_text().replace("memory: 512Mi", "memory: 768Mi"))
    command.render(copy)
    staging = files.read_texts(copy / "k8s/rendered/staging", "*")
    assert (tree.image_of(staging), tree.bento_of(staging)) == (RELEASED, BENTO)
    assert tree.faults("staging", _next(copy), staging, {RELEASED.rpartition("@")[2]: BENTO}) == []
    assert "768Mi" in staging["apps_v1_deployment_flights.yaml"]
    assert files.read_texts(copy / "k8s/rendered/production", "*") == before


def test_both_components_fit(copy: Path) -> None:
    """With the autoscaler and the ServiceMonitor switched on, production still passes every rule."""
    overlay = copy / "k8s/overlays/production"
    _add(overlay / "kustomization.yaml", "components: [../../components/servicemonitor, ../../components/hpa]\n")
    built = kustomize.build(overlay)
    assert manifests.check(tree.objects(built)) == []
    assert "replicas:" not in built["argoproj.io_v1alpha1_rollout_flights.yaml"]
    assert len(built) == 12


def test_a_name_prefix_is_refused(copy: Path) -> None:
    """Kustomize renames the Deployment and leaves the Rollout's workloadRef behind, in silence."""
    overlay = copy / "k8s/overlays/production"
    _add(overlay / "kustomization.yaml", "namePrefix: v2-\n")
    problems = manifests.check(tree.objects(kustomize.build(overlay)))
    assert any("spec.workloadRef.name" in problem for problem in problems)


def test_tag_and_digest_are_both_rendered(copy: Path) -> None:
    """The form in which a release writes an image is the one that this kustomize writes."""
    overlay = copy / "k8s/overlays/production"
    name = tree.image_of(_next(copy)).removesuffix(tree.UNRELEASED)
    image = f'{{name: {name}, newTag: 1.2.3, digest: "sha256:{64 * "a"}"}}'
    _add(overlay / "kustomization.yaml", f"images: [{image}]\n")
    assert tree.image_of(kustomize.build(overlay)) == f"{name}:1.2.3@sha256:{64 * 'a'}"


def test_sources_that_do_not_render_are_refused(copy: Path) -> None:
    """Kustomize's own sentence reaches the person."""
    _add(copy / "k8s/base/kustomization.yaml", "  - missing.yaml\n")
    with pytest.raises(Broken, match=r"missing\.yaml"):
        command.render(copy)

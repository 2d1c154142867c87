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
from slipway.records import Bundle, GateDecision, Package, Release, ReleaseEvent, Stable

DIGEST, BENTO = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
RELEASED = f"ghcr.io/example/flights:1.2.3@{DIGEST}"


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of what the command reads."""
    for folder in ("k8s", "rollouts", "argocd"):
        shutil.copytree(root / folder, tmp_path / folder)
    return tmp_path


def test_the_repository_passes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifests as committed are accepted, for a person and for a program."""
    manifests.check(root)
    assert "production" in capsys.readouterr().out
    manifests.check(root, as_json=True)
    assert set(json.loads(capsys.readouterr().out)["running"]) == set(tree.ENVIRONMENTS)


def test_a_released_copy_passes(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trees of k8s/next with a release's image and bento may be what runs: in flight, and then as the stable."""
    shelf.write(copy, _release(["proposed"], *tree.ENVIRONMENTS))
    for name in tree.ENVIRONMENTS:
        _render(copy, name)
    manifests.check(copy)
    assert capsys.readouterr().out.count(RELEASED) == 2
    assert not (copy / "k8s/rendered/production/README.md").exists()
    _stable(copy, _release(["proposed", "promoted"], *tree.ENVIRONMENTS), *tree.ENVIRONMENTS)
    manifests.check(copy)


@pytest.mark.parametrize(
    "happened",
    [
        [],
        ["proposed", "promoted"],  # and another one after it
        ["proposed", "reverted"],
        ["proposed", "superseded"],
        ["proposed", "promoted", "rolled-back"],
    ],
)
def test_an_older_release_is_not_replayed(copy: Path, happened: list[Any]) -> None:
    """However well it was signed: what is neither the recorded stable nor in flight does not run, in either place."""
    stable = _release(["proposed", "promoted"], *tree.ENVIRONMENTS, version="1.3.0", digest="sha256:" + 64 * "c")
    _stable(copy, stable, *tree.ENVIRONMENTS)
    shelf.write(copy, _release(happened, *tree.ENVIRONMENTS))
    for name in tree.ENVIRONMENTS:
        _render(copy, name)
    with pytest.raises(Rejected) as refusal:
        manifests.check(copy)
    for name in tree.ENVIRONMENTS:
        said = f"k8s/rendered/{name}: image: {RELEASED} is neither the recorded stable nor in flight there"
        assert said in refusal.value.what


def test_a_release_of_one_environment_is_not_one_of_another(copy: Path) -> None:
    """Staging's stable, rendered into production, is refused there and nowhere else."""
    _stable(copy, _release(["proposed", "promoted"], "staging"), "staging")
    for name in tree.ENVIRONMENTS:
        _render(copy, name)
    with pytest.raises(Rejected, match=r"^k8s/rendered/production: image: [^\n]*$"):
        manifests.check(copy)


@pytest.mark.parametrize("told", [tree.NO_DIGEST, DIGEST, None])
def test_the_service_expects_the_bento_of_its_release(copy: Path, told: str | None) -> None:
    """Another bento's digest, none that was filled in, and none at all: the service would refuse itself, or nothing."""
    shelf.write(copy, _release(["proposed"], *tree.ENVIRONMENTS))
    for name in tree.ENVIRONMENTS:
        _render(copy, name)
        path = copy / "k8s/rendered" / name / "apps_v1_deployment_flights.yaml"
        line = f"        - name: {tree.BENTO}\n          value: "
        before, after = f"{line}{BENTO}\n", f"{line}{told}\n" if told else ""
        assert path.read_text().count(before) == 1
        path.write_text(path.read_text().replace(before, after))
    with pytest.raises(Rejected) as refusal:
        manifests.check(copy)
    expected = [
        f"k8s/rendered/{name}: SLIPWAY_BENTO: must be {BENTO}, the bento of that image, releases/ says"
        for name in tree.ENVIRONMENTS
    ]
    assert refusal.value.what.splitlines() == expected


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
    _render(copy, "production", rollback=True)
    if holds:
        _stable(copy, _release(happened, environment), environment)
    elif happened:
        shelf.write(copy, _release(happened, environment))
    if holds:
        manifests.check(copy)
    else:
        with pytest.raises(Rejected, match=r"k8s/rendered/production: Deployment/flights: .* was never promoted there"):
            manifests.check(copy)


def _render(copy: Path, name: str, *, rollback: bool = False) -> None:
    """Render the release, as a verb would."""
    proposed = files.read_texts(copy / "k8s/next" / name, "*.yaml")
    rendered = tree.with_image(proposed, RELEASED, BENTO)
    files.write_texts(copy / "k8s/rendered" / name, tree.with_rollback(rendered, DIGEST) if rollback else rendered)


def _stable(copy: Path, release: Release, *environments: str) -> None:
    """Record a release, and that it is the stable."""
    shelf.write(copy, release)
    shelf.write_stable(copy, Stable(environments=dict.fromkeys(environments, release.package.bundle.version)))


def _release(happened: list[Any], *environments: str, version: str = "1.2.3", digest: str = DIGEST) -> Release:
    bundle = Bundle(
        version=version,
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
        package=Package(bundle=bundle, bento_digest=BENTO, image_digest=digest),
        gate=gate,
        events=tuple(
            ReleaseEvent(kind=kind, environment=environment, at="2013-05-01T00:00:00+00:00", cause="person")
            for environment in environments
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


@pytest.mark.parametrize("file", ["rollouts/judge.yaml", "k8s/rendered/platform/slipway_v1_configmap_judge-*.yaml"])
def test_the_judge_holds_canaries_to_the_policy(copy: Path, file: str) -> None:
    """A wider margin in one of the two places only: a canary would be held to what no reviewer reads."""
    (path,) = copy.glob(file)
    assert path.read_text().count("errors: {margin: 0.01,") == 1
    path.write_text(path.read_text().replace("errors: {margin: 0.01,", "errors: {margin: 0.50,"))
    with pytest.raises(
        Rejected, match=r"k8s/rendered/platform: ConfigMap/judge-\w+: data: must be rollouts/judge.yaml"
    ):
        manifests.check(copy)


def test_what_runs_beside_the_services_must_be_there(copy: Path) -> None:
    """Without the rendered platform, or without its application, nobody answers for a canary."""
    shutil.rmtree(copy / "k8s/rendered/platform")
    with pytest.raises(Rejected, match="k8s/rendered/platform: image: must be one for all, not none"):
        manifests.check(copy)
    shutil.copytree(Path(__file__).parents[2] / "k8s/rendered/platform", copy / "k8s/rendered/platform")
    shutil.rmtree(copy / "argocd/platform")
    with pytest.raises(Rejected, match="must hold one AppProject and one Application"):
        manifests.check(copy)


def test_sources_are_short_and_say_what_happens(root: Path) -> None:
    """Each hand-written manifest has at most 60 lines and begins with a comment."""
    for folder in ("k8s/base", "k8s/overlays", "k8s/components", "k8s/platform", "rollouts", "argocd"):
        for path in (root / folder).rglob("*.yaml"):
            lines = path.read_text().splitlines()
            assert len(lines) <= 60, path
            assert lines[0].startswith("# "), path

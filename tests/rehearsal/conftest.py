"""A repository with releases to rehearse: one trained champion, in images that differ in their version only."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests import samples
from tests.conftest import ROOT

from live import bundles
from slipway import digests, oci, records
from slipway.adapters import files, layout
from slipway.adapters import tree as bento
from slipway.commands import shelf
from slipway.commands.package import BENTO, BUNDLE
from slipway.manifests import tree
from slipway.records import (
    Bundle,
    EventKind,
    Package,
    Release,
    ReleaseEvent,
    RuntimeLock,
    Stable,
)

GATE = samples.gate("sha256:00", latency_ms=1.0)


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bento, trained on January to March."""
    return bundles.make(tmp_path_factory.mktemp("champion") / "made", "1.0.0", bundles.CHAMPION).bento


@dataclass(frozen=True)
class Repository:
    """A folder as `slipway rehearse` reads it."""

    root: Path
    champion: Path

    def package(self, version: str) -> Package:
        """Make the champion's image of another version, and say that it was packaged last."""
        content, name = dict(bento.read(self.champion)), BUNDLE.removeprefix(f"{BENTO}/")
        bundle = msgspec.structs.replace(records.loads(Bundle, content[name][0], name), version=version)
        content[name] = (records.dumps(bundle).encode(), False)
        lock = files.read_record(RuntimeLock, ROOT / "bentos/flights/runtime.lock.json")
        image = oci.append(lock, oci.layer(content, BENTO), created_by="test", env={}, labels={}, workdir="/")
        layout.write(self.root / "build/images" / version, image, version)
        made = Package(bundle=bundle, bento_digest=digests.of_tree(content), image_digest=image.digest)
        files.write_record(self.root / "build/package.json", made)
        return made

    def release(self, version: str, *kinds: EventKind, environment: str = "production") -> None:
        """Package a version, note what happened to it, and render it; what was promoted or restored is stable."""
        package = self.package(version)
        events = tuple(
            ReleaseEvent(kind=kind, environment=environment, at=f"2026-11-21T00:00:0{place}Z", cause=None)
            for place, kind in enumerate(kinds)
        )
        shelf.write(self.root, Release(package=package, gate=GATE, events=events))
        if kinds[-1] in ("promoted", "restored"):
            shelf.write_stable(self.root, Stable(environments={environment: version}))

    def render(self, version: str, environment: str = "production", change: Callable[[str], str] = str) -> str:
        """Render a release, as `slipway release` does; returns the image's digest."""
        package = shelf.read(self.root, version).package
        following = files.read_texts(self.root / "k8s/next" / environment, "*.yaml")
        image = f"ghcr.io/example/flights:{version}@{package.image_digest}"
        rendered = tree.with_image(following, image, package.bento_digest)
        files.write_texts(
            self.root / "k8s/rendered" / environment, {name: change(text) for name, text in rendered.items()}
        )
        return package.image_digest

    def command(self, *arguments: str) -> list[str]:
        """The command line, quick: a tenth of each time, and the rows of one day."""
        day = ("--first", "2013-06-16", "--last", "2013-06-16", "--rate", "200", "--speed", "10")
        return [sys.executable, "-m", "slipway", "rehearse", "--root", str(self.root), *day, *arguments]

    def rehearse(self, *arguments: str) -> tuple[int, dict[str, object]]:
        """Run `slipway rehearse --json`; exit code and answer."""
        done = subprocess.run(
            self.command("--json", *arguments), capture_output=True, text=True, check=False, env=os.environ
        )
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def repository(champion: Path, tmp_path: Path) -> Repository:
    """Nothing is released yet."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "k8s/next", root / "k8s/next")
    for name in ("rollouts", "replay"):
        (root / name).symlink_to(ROOT / name)
    return Repository(root, champion)

"""A small world for outcome verbs: a bare origin with the real manifests, plain release records, and a clone."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import signed
from tests.conftest import IDENTITY, ROOT
from tests.samples import gate, package

from slipway import outcomes, records, releases
from slipway.adapters.git import Repository
from slipway.changes import Change, State
from slipway.commands import settling
from slipway.records import Release

AT = "2013-06-15T12:00:00+00:00"


@dataclass(frozen=True)
class World:
    """A folder with origin.git, and clones beside it."""

    folder: Path

    @property
    def origin(self) -> Path:
        """The bare repository."""
        return self.folder / "origin.git"

    @property
    def clone(self) -> Path:
        """The clone that is always there."""
        return self.folder / "clone"

    @property
    def uri(self) -> str:
        """Its registry of models."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def environment(self, **more: str) -> dict[str, str]:
        """What its processes see."""
        tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}/src"}
        return os.environ | IDENTITY | tools | {"MLFLOW_TRACKING_URI": self.uri} | signed.trusting() | more

    def run(self, *command: str, folder: Path | None = None, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, by default in the clone."""
        return subprocess.run(
            command,
            cwd=folder or self.clone,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git, by default in the origin, and return what it printed."""
        done = self.run("git", *arguments, folder=folder or self.origin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ok(self, *command: str, folder: Path | None = None, **more: str) -> str:
        """Run a verb that must be accepted."""
        done = self.run("slipway", *command, folder=folder, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def release(
        self, version: str, environment: str = "production", *, supersede: bool = False, recipe: str | None = None
    ) -> str:
        """Sign and release a fake package, as their verbs would; returns its image's digest."""
        made = package(version, recipe=recipe or version)

        def decide(state: State, worktree: Repository) -> Change:
            reigning = state.stable_of("production")
            decided = gate(made.bundle.model_digest, reigning and reigning.package.bundle.model_digest)
            change = outcomes.propose(state, made, decided, environment=environment, at=AT, supersede=supersede)
            signed.write(worktree.root, made, change.release.gate)
            return change

        settling.settle(Repository(self.clone), decide)
        return made.image_digest

    def promote(self, version: str, environment: str = "production") -> None:
        """Record a promotion in Git alone, without the seconds that a registry takes."""

        def decide(state: State, worktree: Repository) -> Change | None:
            commit = settling.release_commit(worktree, version, environment)
            return outcomes.promote(
                state, version, environment=environment, at=AT, cause="person", commit=lambda: commit
            )

        settling.settle(Repository(self.clone), decide)

    def revert(self, version: str, environment: str = "production", cause: records.Cause = "verdict") -> None:
        """Record an abort in Git alone."""
        digest = package(version).image_digest
        settling.settle(
            Repository(self.clone),
            lambda state, _: outcomes.revert(state, digest, environment=environment, at=AT, cause=cause),
        )

    def state(self) -> State:
        """What main says, read from the origin itself."""
        found = {}
        for path in self.git("ls-tree", "--name-only", "main", "releases/").splitlines():
            found[Path(path).name] = self.git("show", f"main:{path}")
        stable = found.pop("stable.json", None)
        quarantine = found.pop("quarantine.json", None)
        return State(
            releases={Path(name).stem: records.loads(Release, text, name) for name, text in found.items()},
            stable=records.loads(records.Stable, stable, "stable") if stable else records.Stable(environments={}),
            quarantine=records.loads(records.Quarantine, quarantine, "") if quarantine else records.Quarantine(),
        )

    def kinds(self, version: str, environment: str = "production") -> list[str]:
        """What happened to a release."""
        return releases.kinds(self.state().releases[version], environment)

    def manifests(self, environment: str = "production", at: str = "main") -> dict[str, str]:
        """What Argo CD applies, by name."""
        names = self.git("ls-tree", "--name-only", at, f"k8s/rendered/{environment}/").splitlines()
        return {Path(name).name: self.git("show", f"{at}:{name}") for name in names}

    def head(self) -> str:
        """The tip of main."""
        return self.git("rev-parse", "main")


def copy(world: World, folder: Path) -> World:
    """Copy a world, in a moment."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.folder, folder, symlinks=True)
    copied = World(folder)
    copied.git("remote", "set-url", "origin", str(copied.origin), folder=copied.clone)
    return copied


def make(folder: Path) -> World:
    """Make a world: the real manifests, and nothing released."""
    world = World(folder)
    seed = folder / "seed"
    for name in ("k8s/next", "k8s/rendered", "rollouts", "signing"):
        for path in (ROOT / name).rglob("*"):
            if path.is_file():
                (seed / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
                (seed / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    world.git("init", "--quiet", "--bare", "--initial-branch=main", "origin.git", folder=folder)
    for command in ("init -q -b main", "add -A", "commit -qm Begin", f"push -q {world.origin} main"):
        world.git(*command.split(), folder=seed)
    world.git("clone", "--quiet", str(world.origin), str(world.clone), folder=folder)
    return world

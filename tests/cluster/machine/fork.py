"""A fork of this repository, pointed at the cluster as docs/deployment.md says, and the commands that are run in it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests import checkout
from tests.cluster.machine import base, outside, registry
from tests.cluster.machine.box import Box
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import SIGSTORE, Place

from slipway.commands import platform_image, runtime, verifying, wheel_image
from slipway.demo import Step
from slipway.errors import Broken
from slipway.manifests import tree
from slipway.records import RuntimeLock

WHO = {f"GIT_{who}_{key}": f"{key}@cluster.invalid" for who in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
RUNTIME, RELEASES, PLATFORM = (
    f"{registry.HOST}/{name}" for name in ("flights/runtime", "example/flights", "example/slipway")
)
UPSTREAM = "https://github.com/example/slipway.git"
TRAFFIC = 300  # requests a second
TRUST = "signing/trust.json"
ENVIRONMENT = "../../../tests/cluster/environment"
POLICY = "rollouts/judge.yaml"
STAGING, REPLAY = "k8s/overlays/staging/kustomization.yaml", "k8s/platform/staging/replay.yaml"
CHANGES = (  # file, what stands there once, and what stands there in a fork
    (
        "k8s/overlays/production/kustomization.yaml",
        "namespace: flights-production\n",
        f"namespace: flights-production\ncomponents: [{ENVIRONMENT}, {ENVIRONMENT}/production]\n",
    ),
    (STAGING, "namespace: flights-staging\n", f"namespace: flights-staging\ncomponents: [{ENVIRONMENT}]\n"),
    (STAGING, "interval, value: 10s", "interval, value: 3s"),
    (STAGING, "count, value: 366", "count, value: 1206"),
    (STAGING, "inconclusiveLimit, value: 366", "inconclusiveLimit, value: 1206"),
    (REPLAY, "replicas: 1\n", "replicas: 0\n"),  # until a scenario asks for it: the cores are two
    (POLICY, "production: 20", f"production: {TRAFFIC}"),
    (POLICY, "scrape: 5 ", "scrape: 1 "),  # as Prometheus does here
    (POLICY, "grid: 10 ", "grace: 10\n  grid: 2 "),  # as quickly as the router takes up a weight
)


@dataclass(frozen=True)
class Fork:
    """A checkout, its origin in the cluster's Git server, and what its commands find around them."""

    box: Box
    kustomize: str
    kept: Path  # what outlives the cluster
    registered: set[str] = field(default_factory=set)  # models, by digest

    @property
    def place(self) -> Place:
        """The cluster's."""
        return self.box.place

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.place.root / "fork"

    @property
    def platform(self) -> str:
        """Slipway's own image, as its manifests name it."""
        text = (self.root / "k8s/rendered/platform/slipway_apps_v1_deployment_judge.yaml").read_text()
        return tree.images([text])[0]

    @property
    def sigstore(self) -> Path:
        """The folder of the Sigstore that signs here."""
        return self.place.state / "sigstore"

    def make(self, ground: RuntimeLock) -> None:
        """Copy the working tree, change what a fork changes, build its images on the base `ground`, and push it."""
        checkout.copy(self.root)
        for name, before, after in CHANGES:
            self.change(name, before, after)
        for path in (self.root / "argocd").rglob("*.yaml"):
            path.write_text(path.read_text().replace(UPSTREAM, outside.REPOSITORY))
        with registry.trusting(self.place):
            self._platform(platform_image.make(self.root, base.named(ground), PLATFORM).image)
        self._runtime(ground)
        self._root()
        self.run("slipway", "manifests", "render")
        self.run("slipway", "policy", "render")
        for command in ("init --quiet --initial-branch=main", "add --all", "commit --quiet --message=Fork"):
            self.run("git", *command.split())
        self.run("git", "remote", "add", "origin", outside.REPOSITORY)
        self.run("git", "push", "--quiet", "--set-upstream", "origin", "main")
        # In place of the remote that the repository has in itself: what arrives is sent there, and no commit of it.
        shutil.copytree(self.root / "sample-remote", self.place.state / "remote")
        remote = self.root / ".dvc/config.local"
        remote.write_text(f"['remote \"sample\"']\n    url = {self.place.state / 'remote'}\n")
        self.run("dvc", "pull", "--quiet", "data.dvc", "replay.dvc")

    def change(self, name: str, before: str, after: str) -> None:
        """Replace a text that stands once in a file.

        Raises:
            Broken: it does not.

        """
        path = self.root / name
        text = path.read_text()
        if text.count(before) != 1:
            raise Broken(f"{name} has changed: {before!r} stands there {text.count(before)} times", "See fork.py.")
        path.write_text(text.replace(before, after))

    def run(self, *command: str, ends: int = 0) -> str:
        """Run a command in the checkout; return what it printed, of a refusal in one line what it said.

        Raises:
            Broken: it ended otherwise than with `ends`.

        """
        # The Sigstore listens on loopback, which is the box's own.
        entered = self.box.enter(*command) if command[:2] == ("slipway", "sign") else command
        done = subprocess.run(
            entered, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != ends:
            said = (done.stdout + done.stderr).strip()[-3000:]
            raise Broken(f"`{' '.join(command)}` ended with {done.returncode}: {said}", f"Look into {self.root}.")
        return " ".join((done.stdout + done.stderr).split()) if ends else done.stdout

    def commit(self, message: str) -> None:
        """Commit all that changed, and push it to main."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        self.run("git", "push", "--quiet", "origin", "HEAD:main")

    def train(self) -> None:
        """Run the pipeline, and commit what it computed, as the machine does in CI."""
        self.run("dvc", "repro", "--quiet")
        if self.run("git", "status", "--porcelain"):
            self.commit("Record what the pipeline computed")

    def play(self, *steps: Step) -> None:
        """Run steps of the demo's story."""
        for step in steps:
            self.run(*shlex.split(step.command))

    def decide(self, *options: str) -> None:
        """Have the gate decide about the trained model."""
        self.run("slipway", "gate", *options)

    def package(self) -> str:
        """Package, sign and register the model that the gate has let in; returns the version.

        A model that is registered already is not registered again.
        """
        made = json.loads(self.run("slipway", "package", "--json"))["bundle"]
        self.run("slipway", "sign", "--root", str(self.root))
        if made["model_digest"] not in self.registered:
            self.run("slipway", "register")
            self.registered.add(made["model_digest"])
        return str(made["version"])

    def packaged(self) -> str:
        """Say which version was packaged last."""
        return str(json.loads((self.root / "build/package.json").read_text())["bundle"]["version"])

    def push(self, version: str) -> None:
        """Bring a packaged image to the registry."""
        self.run("slipway", "push", f"build/images/{version}", "--to", RELEASES)

    def release(self, *options: str) -> str:
        """Do all that a release takes; returns its version."""
        made = self.package()
        self.push(made)
        self.run("slipway", "release", *options)
        return made

    def pull(self) -> None:
        """Follow main."""
        self.run("git", "pull", "--quiet", "--ff-only", "origin", "main")

    def environment(self) -> dict[str, str]:
        """What its commands see: its own code, this environment's tools, and who commits and signs."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        code = {"PATH": tools, "PYTHONPATH": str(self.root / "src"), "KUSTOMIZE": self.kustomize}
        only_get = f'!f() {{ [ "$1" != get ] || git credential-store --file={self._credentials()} get; }}; f'
        helper = {"GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": only_get}
        pushes = {"GIT_CONFIG_COUNT": "1", **helper}
        builds = {"BUILDAH_ISOLATION": "chroot"}
        where = {"MLFLOW_TRACKING_URI": outside.MODELS, "KUBECONFIG": str(self.place.kubeconfig)}
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SLIPWAY_"))}
        return {
            **bare,
            **GIT,
            **pushes,
            **WHO,
            **code,
            **where,
            **builds,
            **registry.trust(self.place),
            **self._signer(),
        }

    def _credentials(self) -> Path:
        """The file with what a push needs: a password in an address is seen by whoever lists processes."""
        path = self.place.secrets / "git-credentials"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(outside.credentials(self.place))
        return path

    def _signer(self) -> dict[str, str]:
        """What the platform of a workflow gives a run: a token that says for which commit it runs."""
        path = self.sigstore / "environment.json"
        if not path.exists() or not (self.root / ".git/refs/heads/main").exists():
            return {}
        given: dict[str, str] = json.loads(path.read_text())
        del given[verifying.LOOPBACK]
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.root, capture_output=True, text=True, check=True)
        run = f"{given['ACTIONS_ID_TOKEN_REQUEST_URL']}?sha={head.stdout.strip()}"
        return given | {"ACTIONS_ID_TOKEN_REQUEST_URL": run}

    def _platform(self, image: str) -> None:
        """Name slipway's own image in its manifests, and what the relay writes to."""
        self.change("k8s/platform/kustomization.yaml", f"sha256:{64 * '0'}", image.rpartition("@")[2])
        self.change("k8s/platform/relay.env", f"REPOSITORY={UPSTREAM}", f"REPOSITORY={outside.REPOSITORY}")
        self.change("k8s/platform/relay.env", "http://mlflow.mlflow.svc:5000", outside.MODELS)

    def _root(self) -> None:
        """Believe a Sigstore of one's own, as docs/signing.md says."""
        wait((self.sigstore / "environment.json").exists, "sigstore", self.place)
        (self.root / TRUST).write_text((self.sigstore / "trust.json").read_text().replace("127.0.0.1", SIGSTORE))
        self.change("signing/policy.yaml", "root: public-good ", f"root: {TRUST} ")

    def _runtime(self, ground: RuntimeLock) -> None:
        """Build the runtime image on our base, or take the lock of the one that was."""
        tag = runtime.RECIPE.tag(self.root, wheel_image.ground(base.named(ground)))
        kept = self.kept / f"runtime-{tag}.json"
        lock = self.root / runtime.LOCK
        if not kept.exists():
            print("slipway: building the runtime image (once; a minute or two)", flush=True)
            self.run("slipway", "runtime", "build", "--base", base.named(ground), "--to", RUNTIME)
            shutil.copy(lock, kept)
        shutil.copy(kept, lock)

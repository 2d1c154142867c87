"""The runtime image, built for real on a Debian base, and a release on it that serves predictions."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from tests.conftest import ROOT, Project

from slipway.adapters import buildah, files, wheels
from slipway.adapters.processes import free_port
from slipway.commands import package, push, runtime, wheel_image
from slipway.records import Bundle, ModelInfo, Package, RuntimeLock
from slipway.reference import Reference

pytestmark = pytest.mark.usefixtures("container_tools")
FLIGHT = {"date": "2013-04-17", "sched_dep_time": 1745, "carrier": "AA", "origin": "JFK", "dest": "LAX"}
OFFLINE = """
import sys
from pathlib import Path
from slipway.adapters import buildah
from slipway.reference import parse
print(buildah.build(Path(sys.argv[1]), Path(sys.argv[2]), parse(sys.argv[3]), {sys.argv[4]: sys.argv[5]}))
"""


@pytest.fixture(scope="module")
def fork(base: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of a fork that knows its runtime image, after `slipway runtime build`."""
    root = tmp_path_factory.mktemp("fork")
    for path in (runtime.RECIPE.containerfile, runtime.RECIPE.wheels):
        (root / path).parent.mkdir(parents=True)
        shutil.copy(ROOT / path, root / path)
    runtime.build(f"{base.repository}@{base.digest}", f"{base.host}/flights/runtime", root, as_json=True)
    return root


def run(*command: str) -> str:
    """Run a command."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_it_is_what_the_committed_lock_says(fork: Path) -> None:
    """The lock in Git comes from this Containerfile: the same settings, and two layers, of which one is the base."""
    made, committed = (files.read_record(RuntimeLock, root / runtime.LOCK) for root in (fork, ROOT))
    assert made.config["config"] == committed.config["config"]
    assert len(made.layers) == len(committed.layers) == 2
    assert made.platform == committed.platform


def test_again_without_a_network_is_the_same_image(fork: Path, base: Reference, tmp_path: Path) -> None:
    """A second build, in a network namespace that has no interface, gives the digest that the registry holds."""
    wheels.download(fork / runtime.RECIPE.wheels, tmp_path / "wheels")
    shutil.copyfile(fork / runtime.RECIPE.wheels, tmp_path / "requirements.txt")
    label = (wheel_image.MADE_FROM, runtime.RECIPE.made_from(fork))
    arguments = (str(fork / runtime.RECIPE.containerfile), str(tmp_path), f"{base.repository}@{base.digest}", *label)
    image = run("unshare", "--net", sys.executable, "-c", OFFLINE, *arguments)
    pushed = buildah.push(image, Reference(base.host, "flights/again", tag="1"))
    assert pushed.digest == files.read_record(RuntimeLock, fork / runtime.LOCK).manifest_digest


@pytest.fixture(scope="module")
def release(fork: Path, trained: Project) -> Package:
    """A release of the small profile's model on that runtime, packaged in the fork."""
    made = fork / runtime.LOCK
    shutil.copytree(
        ROOT / made.parent.relative_to(fork), made.parent, ignore=lambda *_: [made.name], dirs_exist_ok=True
    )
    shutil.copytree(trained.root / "artifacts/model", fork / "artifacts/model")
    info = files.read_record(ModelInfo, fork / "artifacts/model/model.json")
    bundle = Bundle(
        version="1.2.3",
        source_commit="c0ffee",
        data_digest="md5:00",
        recipe_digest="sha256:00",
        model_digest=info.model_digest,
        request_version=info.request_version,
    )
    return package.build(fork, bundle)


@contextmanager
def running(image: str, port: int, log: Path) -> Iterator[None]:
    """Run an image's own entry point as its own user, on a port of our choice."""
    container = run("buildah", "from", "--tls-verify=false", image)
    settings = json.loads(run("buildah", "inspect", container))["OCIv1"]["config"]
    command = [*settings["Entrypoint"], "--port", str(port)]
    namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]  # so that what it starts ends with it
    with log.open("wb") as stream:
        arguments = [*namespace, "buildah", "run", "--user", settings["User"], container, "--", *command]
        process = subprocess.Popen(arguments, stdout=stream, stderr=stream)
    try:
        yield
    finally:
        process.kill()
        process.wait(60)
        run("buildah", "rm", container)


def test_a_release_on_it_serves(fork: Path, release: Package, base: Reference, tmp_path: Path) -> None:
    """Pushed by the command, pulled by digest and started by its entry point, unprivileged, it predicts."""
    push.push(fork / "build/images/1.2.3", f"{base.host}/flights/release", fork, as_json=True)
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    with running(f"{base.host}/flights/release@{release.image_digest}", port, log):
        assert ready(url), log.read_text()
        answer = requests.post(f"{url}/predict", json=FLIGHT, timeout=30)
        version = requests.get(f"{url}/version", timeout=30)
    assert answer.status_code == 200, answer.text
    assert "1.2.3" in version.text


def ready(url: str) -> bool:
    """Wait until a service is ready."""
    for _ in range(600):
        try:
            if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                return True
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    return False

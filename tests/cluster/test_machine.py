"""The node: it runs a pod, nothing leaves its network, and nothing of it is left, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.machine import kubernetes, programs
from tests.cluster.machine.__main__ import down
from tests.cluster.machine.box import Box
from tests.cluster.machine.kubernetes import PAUSE, Kubectl, wait
from tests.cluster.machine.place import NODE, PODS, Place


@pytest.fixture(scope="module")
def tools() -> dict[str, str]:
    """The programs, built."""
    return programs.built()


@pytest.fixture
def place() -> Iterator[Place]:
    """A folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/var/tmp") as folder:
        yield Place(Path(folder) / "cluster")


@pytest.fixture
def box(tools: dict[str, str], place: Place) -> Iterator[Box]:
    """A node that takes pods."""
    made = Box(place)
    made.make()
    try:
        kubernetes.start(made, tools)
        yield made
    finally:
        made.end()


def pod(box: Box, tools: dict[str, str]) -> str:
    """Run one that does nothing; return its address."""
    kubectl = Kubectl(box.place, tools["kubectl"])
    kubectl.run("run", "idle", f"--image={PAUSE}", "--image-pull-policy=Never")
    kubectl.run("wait", "pod/idle", "--for=condition=Ready", "--timeout=60s")
    return kubectl.run("get", "pod", "idle", "--output=jsonpath={.status.podIP}")


def traces(root: Path) -> dict[str, list[str]]:
    """What a cluster in `root` may leave on this machine."""
    running = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(root) in words and int(process.name) != os.getpid():
            running.append(words)
    links = subprocess.run(["ip", "-oneline", "link"], capture_output=True, text=True, check=True).stdout
    return {
        "processes": running,
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if str(root) in line],
        "links": [line for line in links.splitlines() if "slipway0" in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob("**/slipway")],
        "files": [str(root)] if root.exists() else [],
    }


def test_a_pod_runs_and_nothing_leaves(box: Box, tools: dict[str, str]) -> None:
    """The node's own network reaches the pod; neither has a way to anywhere else, and this machine none to the pod."""
    address = pod(box, tools)

    def routed(*command: str) -> bool:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert address.startswith(PODS.rpartition(".")[0])
    assert routed(*box.enter("ip", "route", "get", address))
    assert not routed(*box.enter("ip", "route", "get", "192.0.2.1"))
    rules = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=False)
    assert NODE not in rules.stdout


def test_nothing_is_left_when_its_maker_is_killed(tools: dict[str, str], place: Place) -> None:
    """A program makes a node and a pod and is killed: what is left is all there, and `make cluster-down` ends it."""
    script = """
import sys, time
from pathlib import Path
from tests.cluster.machine import kubernetes, programs
from tests.cluster.machine.__main__ import down
from tests.cluster.machine.box import Box
from tests.cluster.machine.place import Place
box = Box(Place(Path(sys.argv[1])))
box.make(); kubernetes.start(box, programs.built())
(box.place.root / "made").touch()
time.sleep(600)
"""
    path = os.pathsep.join([str(programs.ROOT), str(programs.ROOT / "tests")])
    maker = subprocess.Popen(
        [sys.executable, "-c", script, str(place.root)], env=os.environ | {"PYTHONPATH": path}, start_new_session=True
    )
    box = Box(place)
    try:
        wait((place.root / "made").exists, "the node", place)
        pod(box, tools)
        os.killpg(maker.pid, signal.SIGKILL)
        maker.wait()
        before = traces(place.root)
        assert all(before[kind] for kind in ("processes", "links", "cgroups", "files")), before
    finally:
        maker.kill()
        down()

    deadline = time.monotonic() + 10
    while any(traces(place.root).values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert traces(place.root) == {kind: [] for kind in before}
    down()  # again: nothing to do, and no error

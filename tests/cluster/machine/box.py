"""The namespaces that all of the cluster runs in, held by one process; whatever runs in there ends with it.

That process is PID 1 in there, so the kernel kills every other one with it, containers too: no list of pids, mounts or
routes can be incomplete, and a crash of ours changes nothing. What it cannot take along are cgroups, and the folder.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from tests.cluster.machine import network
from tests.cluster.machine.place import CGROUP, SIGSTORE, Place

from slipway.errors import Broken

ENDED_SECONDS = 20
LONGEST = 60  # characters of the folder's path: the kernel takes 107 for a socket, and kubelet's lie deep in it
# Private folders hide what these programs would leave on the machine: CNI's results, sockets of shims, links to logs.
# Then it collects the processes that have lost their parents, as PID 1 must.
FIRST = """
set -e
for folder in /run /var/lib/cni /var/log; do mkdir -p "$folder"; mount -t tmpfs -o mode=1777 slipway "$folder"; done
mount --bind "$0" /etc/resolv.conf
mount --bind "$1" /etc/hosts
touch "$2"
trap : CHLD TERM INT HUP
while :; do sleep 3600 & wait "$!" || :; done
"""


class Box:
    """The namespaces of one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._holder = place.root / "holder.json"

    def make(self) -> None:
        """Make them, with their cable to this machine.

        Raises:
            Broken: they are there already, or this process may not.

        """
        if self.pid() is not None:
            raise Broken(f"the cluster of {self.place.root} is up already", "make cluster-down ends it.")
        if other := network.owner():
            raise Broken(f"another cluster is up, in {other}", f"SLIPWAY_CLUSTER={other} make cluster-down ends it.")
        if os.geteuid() != 0:
            raise Broken("namespaces, cgroups and containers need root on Linux", "Run it as root.")
        if len(str(self.place.root)) > LONGEST:
            what = f"the path of {self.place.root} is too long for the sockets in it"
            raise Broken(what, f"Name one of {LONGEST} characters at most: SLIPWAY_CLUSTER=/var/tmp/cluster")
        for folder in (self.place.config, self.place.logs, self.place.state):
            folder.mkdir(parents=True, exist_ok=True)
        resolver, hosts = self.place.config / "resolv.conf", self.place.config / "hosts"
        ready = self.place.state / "box-ready"
        resolver.write_text("# no name server: nothing leaves this network\n")
        hosts.write_text(f"127.0.0.1 localhost {SIGSTORE}\n")
        ready.unlink(missing_ok=True)
        unshare = [
            "unshare",
            "--net",
            "--mount",
            "--ipc",
            "--pid",
            "--fork",
            "--mount-proc",
            "--propagation",
            "private",
        ]
        with (self.place.logs / "box.log").open("w") as log:
            process = subprocess.Popen(
                [*unshare, "bash", "-c", FIRST, str(resolver), str(hosts), str(ready)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + ENDED_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Broken("the cluster's namespaces could not be made", (self.place.logs / "box.log").read_text())
            time.sleep(0.02)
        first = psutil.Process(process.pid).children()[0]
        self._holder.write_text(json.dumps({"pid": first.pid, "created": first.create_time()}))
        _make_cgroups()
        network.connect(first.pid, str(self.place.root), self.enter)

    def pid(self) -> int | None:
        """Say which process of this machine holds the namespaces, if one does."""
        try:
            recorded = json.loads(self._holder.read_text())
            process = psutil.Process(recorded["pid"])
            alive = process.create_time() == recorded["created"] and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process.pid if alive else None

    def enter(self, *command: str) -> list[str]:
        """Say how a command is run in there.

        Raises:
            Broken: there is no such place.

        """
        pid = self.pid()
        if pid is None:
            raise Broken(f"no cluster is up in {self.place.root}", "make cluster-up starts one.")
        return ["nsenter", f"--target={pid}", "--net", "--mount", "--ipc", "--pid", "--", *command]

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a program in there; its log is NAME.log."""
        with (self.place.logs / f"{name}.log").open("a") as log:
            subprocess.Popen(
                self.enter(*command),
                env=os.environ | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self) -> None:
        """End all that runs in there, and remove what it leaves; again, or after a crash, as well.

        Raises:
            Broken: something does not end.

        """
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGKILL)
        if network.owner() in (None, str(self.place.root)):  # else they are another cluster's
            _remove_cgroups()
            network.disconnect()
        deadline = time.monotonic() + ENDED_SECONDS
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise Broken(f"process {pid} does not end", "Look at what it waits for: /proc/PID/stack.")
            time.sleep(0.05)
        if self.place.root.exists():
            shutil.rmtree(self.place.root)


def _cgroups() -> list[Path]:
    """The folder of this cluster's pods in each mounted hierarchy."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(mount[1]) / CGROUP for mount in mounts if mount[2] in {"cgroup", "cgroup2"}]


def _make_cgroups() -> None:
    for folder in _cgroups():
        with suppress(OSError):  # systemd's own hierarchy, or one that takes none
            folder.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new folder of version 1: no process may enter
                if (folder / name).exists() and (folder.parent / name).exists():
                    (folder / name).write_text((folder.parent / name).read_text())


def _remove_cgroups() -> None:
    """Remove the folders of pods, deepest first, once their processes are gone."""
    deadline = time.monotonic() + ENDED_SECONDS
    for root in _cgroups():
        for folder in [*sorted(root.rglob("*/"), key=lambda path: -len(path.parts)), root]:
            while folder.exists():
                try:
                    folder.rmdir()
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise Broken(f"{folder} is still in use: {error}", "Look at its cgroup.procs.") from error
                    time.sleep(0.02)

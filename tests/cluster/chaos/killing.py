"""SIGKILL for the very processes that are meant: those of a container, or of a program beside the cluster."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.cluster.machine.box import Box
from tests.cluster.machine.cluster import Cluster


class Part(NamedTuple):
    """A container of some pods."""

    namespace: str
    selector: str
    container: str


NAME = "app.kubernetes.io/name"
JUDGE, RELAY = (Part("slipway", f"{NAME}={name}", name) for name in ("judge", "relay"))
ROLLOUTS = Part("argo-rollouts", f"{NAME}=argo-rollouts", "argo-rollouts")
ARGOCD, REPOSITORY = (
    Part("argocd", f"{NAME}={name}", name) for name in ("argocd-application-controller", "argocd-repo-server")
)
TRAEFIK = Part("traefik", "app=traefik", "traefik")


def running(cluster: Cluster, part: Part) -> dict[str, bool]:
    """The containers of a part by id, and whether each is ready."""
    command = ("--namespace", part.namespace, "get", "pods", f"--selector={part.selector}", "--output=json")
    pods = json.loads(cluster.kubectl.run(*command))["items"]
    every = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
    mine = [one for one in every if one["name"] == part.container]
    return {one.get("containerID", "").rpartition("/")[2]: bool(one["ready"]) for one in mine}


def kill(cluster: Cluster, part: Part, most: int | None = None) -> Callable[[], bool]:
    """Kill the containers of a part, or some of them; says how one sees that others have taken their place."""
    before = running(cluster, part)
    killed = sorted(filter(None, before))[:most]  # one that was never started has no id, and "" is in every text
    assert killed, part
    meant = [one for one in _processes() if any(name in _read(one / "cgroup") for name in killed)]
    ended = [_end(process) for process in meant]
    assert any(ended), part

    def back() -> bool:
        now = running(cluster, part)
        return len(now) == len(before) and all(now.values()) and not now.keys() & set(killed)

    return back


def kill_beside(box: Box, word: str) -> None:
    """Kill what runs in the box outside of all containers, and has this word in its command."""
    holder = Path(f"/proc/{box.pid()}")
    meant = [one for one in _processes() if word in _read(one / "cmdline") and _space(one) == _space(holder) != ""]
    ended = [_end(process) for process in meant if process != holder]
    assert any(ended), word


def _processes() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*")


def _read(path: Path) -> str:
    with suppress(OSError):  # it has ended meanwhile
        return path.read_bytes().decode(errors="replace")
    return ""


def _space(process: Path) -> str:
    with suppress(OSError):
        return str((process / "ns/pid").readlink())
    return ""


def _end(process: Path) -> bool:
    with suppress(ProcessLookupError):  # one kill has taken others along
        os.kill(int(process.name), signal.SIGKILL)
        return True
    return False

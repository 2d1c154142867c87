"""The cable between this machine and the cluster's network, and the addresses in there.

The cluster's network has no default route: a packet for elsewhere has nowhere to go, whatever pods try. This machine
reaches the node's address and no other; it forwards nothing.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.cluster.machine.place import HOST, NODE, PODS, PREFIX, SERVICES

from slipway.errors import Broken

OURS, THEIRS, BRIDGE = "slipway0", "node0", "services0"


def connect(pid: int, owner: str, enter: Callable[..., list[str]]) -> None:
    """Plug the cable into the network of process `pid`, and give that network its addresses; `owner` stands on it.

    Raises:
        Broken: another cluster has the cable, or the kernel refuses.

    """
    _run("ip", "link", "add", OURS, "type", "veth", "peer", "name", THEIRS, "netns", str(pid))
    _run("ip", "address", "add", f"{HOST}/{PREFIX}", "dev", OURS)
    _run("ip", "link", "set", OURS, "alias", owner, "up")
    inside = (
        "ip link set lo up",
        f"ip address add {NODE}/{PREFIX} dev {THEIRS}",
        f"ip link set {THEIRS} up",
        # Addresses of Services need a route, or the kernel refuses the packet before kube-proxy's rules turn it.
        f"ip link add {BRIDGE} type bridge",
        f"ip link set {BRIDGE} up",
        f"ip route add {SERVICES} dev {BRIDGE} src {NODE}",
        f"ip route add unreachable {PODS}",  # each pod has a route of its own
        "sysctl -qw net.ipv4.ip_forward=1",
    )
    for line in inside:
        _run(*enter(*line.split()))


def owner() -> str | None:
    """Say whose cable is plugged in, if one is."""
    try:
        return Path(f"/sys/class/net/{OURS}/ifalias").read_text().strip() or None
    except OSError:
        return None


def disconnect() -> None:
    """Unplug it: its other end goes with it."""
    subprocess.run(["ip", "link", "delete", OURS], capture_output=True, check=False)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{' '.join(command)}: {done.stderr.strip()}", "Is another cluster up? make cluster-down ends it.")

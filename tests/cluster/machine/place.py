"""Where the cluster is: its addresses, and the folder that holds all it writes."""

import os
from dataclasses import dataclass
from pathlib import Path

HOST, NODE = "10.247.0.1", "10.247.0.2"  # the two ends of the cable
NETWORK, PREFIX = "10.247.0.0", 30  # the cable's: two addresses
PODS = "10.245.0.0/24"
SERVICES = "10.97.0.0/16"
API_SERVICE, DNS_SERVICE = "10.97.0.1", "10.97.0.10"
NODE_NAME = "node"
API = f"https://{NODE}:6443"
CGROUP = "slipway"
SIGSTORE = "sigstore.cluster.invalid"  # what the box calls itself when it signs: a root that names loopback is refused


@dataclass(frozen=True)
class Place:
    """The folder of one cluster, and the names in it."""

    root: Path

    @property
    def keys(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """What the programs read."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """What they write."""
        return self.root / "logs"

    @property
    def state(self) -> Path:
        """What they keep."""
        return self.root / "state"

    @property
    def secrets(self) -> Path:
        """Passwords, made anew each time."""
        return self.root / "secrets"

    @property
    def kubeconfig(self) -> Path:
        """How a person reaches the cluster."""
        return self.root / "kubeconfig"

    @property
    def containerd(self) -> Path:
        """The socket of the container runtime."""
        return self.state / "containerd.sock"


def default() -> Place:
    """Say where the cluster of this checkout is."""
    root = os.environ.get("SLIPWAY_CLUSTER") or Path(__file__).parents[3] / "build" / "cluster"
    return Place(Path(root).resolve())

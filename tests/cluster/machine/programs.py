"""Where each program comes from: our pinned Go modules, or Debian."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from slipway.errors import Broken

ROOT = Path(__file__).parents[3]
MODULES = {
    "etcd": ("etcd",),
    "pause": ("pause",),
    "coredns": ("coredns",),
    "traefik": ("traefik",),
    "argocd": ("argocd",),
    "kustomize": ("kustomize",),
    "rollouts": ("rollouts-controller", "kubectl-argo-rollouts"),
    "kubernetes": (
        *("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
        *("kubelet", "kube-proxy", "kubectl"),
    ),
}
DEBIAN = (
    *("containerd", "runc", "nft", "conntrack", "ip", "nsenter", "docker-registry"),
    *("buildah", "debootstrap", "skopeo", "prometheus", "pg_ctlcluster"),
)


def built() -> dict[str, str]:
    """Build what is not built yet; return each program's path by its name.

    Raises:
        Broken: a module does not build, or a Debian package is missing.

    """
    if missing := [name for name in DEBIAN if shutil.which(name) is None]:
        raise Broken(f"not installed: {', '.join(missing)}", "scripts/debian.sh cluster installs it.")
    return {name: _build(module, name) for module, names in MODULES.items() for name in names}


def _build(module: str, program: str) -> str:
    done = subprocess.run([ROOT / "scripts/gotool.sh", module, program], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{program} of tools/{module} was not built", "What go said stands above.")
    return done.stdout.strip()


def cache(programs: Mapping[str, str]) -> Path:
    """Say where scripts/gotool.sh keeps what is built once."""
    return Path(programs["kubectl"]).parents[1]

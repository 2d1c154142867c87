"""One Kubernetes node on this machine, in namespaces of its own.

python -m tests.cluster.machine up      # and say how to reach it
python -m tests.cluster.machine down    # end and remove all of it, after a crash as well
"""

import argparse
import sys
import time
from pathlib import Path

from tests.cluster.machine import kubernetes, place, platform, programs, registry
from tests.cluster.machine.box import Box

from slipway.errors import SlipwayError


def main() -> int:
    """Do what was asked; 0 done, 2 not."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.machine", description=__doc__)
    parser.add_argument("verb", choices=["up", "down"])
    box = Box(place.default())
    try:
        if parser.parse_args().verb == "down":
            box.end()
        else:
            up(box)
    except SlipwayError as error:
        print(f"slipway: {error.what}\n{error.remedy}", file=sys.stderr)
        return 2
    return 0


def up(box: Box) -> None:
    """Start a node, and say how to reach it."""
    found, began = programs.built(), time.monotonic()
    box.make()
    kubernetes.start(box, found)
    print(f"{time.monotonic() - began:5.1f} s  the node is ready")
    registry.start(box, programs.cache(found) / "registry")
    platform.install(box.place, found)
    print(f"{time.monotonic() - began:5.1f} s  names, Traefik and Argo Rollouts are ready")
    folders = ":".join(dict.fromkeys(str(Path(found[name]).parent) for name in ("kubectl", "kubectl-argo-rollouts")))
    print(f"Traefik answers at http://{place.NODE}. To look around:\n")
    print(f"    export KUBECONFIG={box.place.kubeconfig} PATH={folders}:$PATH")
    print("    kubectl get pods --all-namespaces")
    print("    kubectl argo rollouts version\n")
    print("make cluster-down removes all of it.")


if __name__ == "__main__":
    sys.exit(main())

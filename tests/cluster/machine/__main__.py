"""The whole platform on this machine, in namespaces of its own, with a champion live.

python -m tests.cluster.machine up      # and say how to reach it
python -m tests.cluster.machine down    # end and remove all of it, after a crash as well
"""

import argparse
import sys
import time
from pathlib import Path

from tests.cluster.machine import network, outside, place
from tests.cluster.machine.box import Box
from tests.cluster.machine.cluster import HOSTNAME, Cluster

from slipway.errors import SlipwayError


def main() -> int:
    """Do what was asked; 0 done, 2 not."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.machine", description=__doc__)
    parser.add_argument("verb", choices=["up", "down"])
    box = Box(place.default())
    try:
        if parser.parse_args().verb == "down":
            down()
        else:
            up(box)
    except SlipwayError as error:
        print(f"slipway: {error.what}\n{error.remedy}", file=sys.stderr)
        return 2
    return 0


def down() -> None:
    """End the cluster of this checkout, and one that tests have left in a folder of their own."""
    for root in {place.default().root, Path(network.owner() or place.default().root)}:
        Box(place.Place(root)).end()


def up(box: Box) -> None:
    """Bring a platform up, with a champion that serves, and say how to reach it."""
    began = time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {what}", flush=True)

    cluster = Cluster.make(box, told)
    cluster.serve(told)
    kubectl, plugin = cluster.programs["kubectl"], cluster.programs["kubectl-argo-rollouts"]
    folders = ":".join(dict.fromkeys(str(Path(program).parent) for program in (kubectl, plugin)))
    print(f"\nThe service answers at http://{place.NODE} to the host {HOSTNAME}. To look around:\n")
    print(f"    export KUBECONFIG={box.place.kubeconfig} PATH={folders}:$PATH")
    print("    kubectl argo rollouts get rollout flights --namespace flights-production --watch")
    print(f"    curl --header 'Host: {HOSTNAME}' http://{place.NODE}/version\n")
    print(f"Prometheus http://{place.NODE}:{outside.PROMETHEUS}   MLflow {outside.MODELS}   Git {outside.REPOSITORY}")
    print(f"Your checkout of it, in which the verbs run: {cluster.fork.root}\n")
    print("make cluster-down removes all of it.")


if __name__ == "__main__":
    sys.exit(main())

"""The services of a rehearsal are told which bento they must find, as a release tells those of a cluster."""

from pathlib import Path

import requests
from tests.rehearsal.test_processes import until

from slipway import digests
from slipway.adapters import tree
from slipway.commands.rehearse_play import Side
from slipway.commands.rehearse_pods import pods
from slipway.rollout.scaled import Probe

PROBE = Probe(path="/readyz", period=0.2, timeout=2.0, failures=3)
IMAGE, OTHER = f"sha256:{64 * 'a'}", f"sha256:{64 * 'b'}"


def test_an_arm_with_other_files_than_its_release_is_never_ready(champion: Path, tmp_path: Path) -> None:
    """The stable finds the bento of its record; the same files under the digest of another one are refused."""
    found = digests.of_tree(tree.read(champion))
    with pods(tmp_path, None, 10.0) as arms:
        arms.serve("stable", Side("1.0.0", IMAGE, champion, found), "production", "a", PROBE)
        arms.serve("canary", Side("1.1.0", IMAGE, champion, OTHER), "production", "b", PROBE)
        stable, canary = arms.arms["stable"], arms.arms["canary"]
        until(lambda: stable.ready, 120.0)
        until(lambda: _says(canary.address) and "SLIPWAY_BENTO says" in _says(canary.address), 120.0)
        assert f"the digest of the bento is {found}, SLIPWAY_BENTO says {OTHER}" in _says(canary.address)
        assert not canary.ready
    assert digests.of_tree(tree.read(champion)) == found, "nothing is written into a bento"


def _says(address: str | None) -> str:
    """What a service answers to who asks whether it is ready; nothing while nobody listens."""
    try:
        return requests.get(f"{address}/readyz", timeout=5).text if address else ""
    except requests.ConnectionError:
        return ""

"""The Debian image that all others of ours with more than one program stand on: made once, and kept in the registry."""

import subprocess
import tempfile
from pathlib import Path

from tests.cluster.machine import registry
from tests.cluster.machine.place import Place
from tests.cluster.machine.programs import ROOT

from slipway import digests
from slipway.adapters.registry import exists, make_lock
from slipway.errors import Broken
from slipway.records import RuntimeLock
from slipway.reference import Reference

NAME = "base"
PACKAGES = ("git", "gpg", "gpg-agent", "redis-server", "tini")  # of Argo CD, of Redis, and of the relay


def lock(place: Place) -> RuntimeLock:
    """Name the image by digest, with its layers; made now if the registry has none.

    Raises:
        Broken: it cannot be made.

    """
    script = ROOT / "scripts/base_image.sh"
    tag = digests.of_bytes(script.read_bytes() + " ".join(PACKAGES).encode()).removeprefix("sha256:")[:12]
    image = Reference(registry.HOST, NAME, tag=tag)
    with registry.trusting(place):
        if not exists(image):
            _make(script, f"{image.repository}:{tag}")
        return make_lock(image)


def named(made: RuntimeLock) -> str:
    """Its name by digest."""
    return f"{registry.HOST}/{NAME}@{made.manifest_digest}"


def _make(script: Path, name: str) -> None:
    print("slipway: making the base image (once; a minute or two)", flush=True)
    with tempfile.TemporaryDirectory(prefix="slipway-base-") as folder:
        archive = f"{folder}/base.tar"
        for command in (
            [str(script), archive, *PACKAGES],
            ["skopeo", "copy", "--quiet", f"oci-archive:{archive}:base", f"docker://{name}"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Broken(f"{command[0]} failed: {done.stderr.strip()[-1500:]}", "Mend what it names.")

"""buildah: an image from a Containerfile, without a daemon."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from slipway.errors import Broken
from slipway.reference import Reference, is_loopback


def build(containerfile: Path, context: Path, base: Reference, labels: Mapping[str, str]) -> str:
    """Build an image on `base` and return its local id. No time gets into it, and no step gets a network.

    (With BUILDAH_ISOLATION=chroot buildah cannot take the network away; our Containerfile asks nothing of it.)

    Raises:
        Broken: buildah is not there, cannot get the base, or a step failed.

    """
    options = ("--quiet", "--identity-label=false", "--network=none", "--timestamp=0", _tls(base))
    marks = [f"--label={name}={value}" for name, value in sorted(labels.items())]
    ground = f"--build-arg=BASE={base.repository}@{base.digest}"
    return _buildah("build", *options, *marks, ground, f"--file={containerfile}", str(context)).splitlines()[-1]


def push(image: str, to: Reference) -> Reference:
    """Push a local image, and return its name by digest.

    Raises:
        Broken: the registry refuses it.

    """
    with tempfile.NamedTemporaryFile(mode="r") as digest:
        _buildah(
            "push", "--quiet", _tls(to), f"--digestfile={digest.name}", image, f"docker://{to.repository}:{to.tag}"
        )
        return Reference(to.host, to.name, digest=digest.read().strip())


def _tls(image: Reference) -> str:
    return f"--tls-verify={'false' if is_loopback(image.host) else 'true'}"


def _buildah(*arguments: str) -> str:
    try:
        done = subprocess.run(("buildah", *arguments), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Broken("buildah is not installed", "Run this on Linux, after: apt-get install buildah") from error
    if done.returncode:
        raise Broken(
            f"buildah {arguments[0]} failed: {done.stderr.strip()[-1500:]}",
            "Mend what it names. Without the right to make namespaces, set BUILDAH_ISOLATION=chroot.",
        )
    return done.stdout.strip()

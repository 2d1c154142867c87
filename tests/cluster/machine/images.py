"""Images of our own making, put together by the code that makes release images: no container engine is asked."""

import platform
import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from slipway import digests, oci
from slipway.adapters import layout
from slipway.oci import Image
from slipway.records import RuntimeLock

USER = "65532:65532"  # nobody's
ARGOCD_USER = "999"  # of Argo CD and of Redis, in their own images
ARGOCD = ("argocd-application-controller", "argocd-applicationset-controller", "argocd-repo-server")
WRAPPERS = ("git-verify-wrapper.sh", "gpg-wrapper.sh")
CALLED = '#!/bin/sh\nexec env ARGOCD_BINARY_NAME={name} /usr/local/bin/argocd "$@"\n'
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def of_program(program: Path) -> Image:
    """Make an image that holds one static program, and runs it."""
    name = f"usr/bin/{program.name}"
    content = oci.layer({program.name: (program.read_bytes(), True)}, "usr/bin")
    return oci.append(_scratch(f"/{name}"), content, created_by=name, env={}, labels={}, workdir="/")


def on_base(base: RuntimeLock, files: oci.Files, entrypoint: Sequence[str], *, home: str = "/") -> Image:
    """Make an image of the base with files in /usr/local/bin; `entrypoint` runs what it is given."""
    running = (base.config.get("config") or {}) | {"Entrypoint": list(entrypoint), "Cmd": None, "User": ARGOCD_USER}
    ground = msgspec.structs.replace(base, config=base.config | {"config": running})
    layer = oci.layer(files, "usr/local/bin")
    return oci.append(ground, layer, created_by=entrypoint[0], env={"HOME": home}, labels={}, workdir="/")


def argocd(base: RuntimeLock, program: Path, module: Path) -> Image:
    """Argo CD is one program that goes by the name it is called; its images have links, ours scripts."""
    content = {name: (CALLED.format(name=name).encode(), True) for name in ARGOCD}
    content |= {name: ((module / "hack" / name).read_bytes(), True) for name in WRAPPERS}
    content["argocd"] = (program.read_bytes(), True)
    return on_base(base, content, ["/usr/bin/tini", "--"], home="/home/argocd")


def redis(base: RuntimeLock) -> Image:
    """Debian's Redis, called as the official image calls it."""
    return on_base(base, {"run-redis": (b'#!/bin/sh\nexec redis-server "$@"\n', True)}, ["run-redis"])


def save(image: Image, folder: Path, tag: str) -> Path:
    """Write it as a file that containerd imports."""
    layout.write(folder, image, tag)
    archive = folder.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, arcname=".")
    return archive


def _scratch(entrypoint: str) -> RuntimeLock:
    """Say what stands below: nothing."""
    machine = MACHINES[platform.machine()]
    config = {
        "architecture": machine,
        "os": "linux",
        "config": {"Entrypoint": [entrypoint], "User": USER},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    empty = digests.of_bytes(b"")
    return RuntimeLock(platform=f"linux/{machine}", repository=None, manifest_digest=empty, config=config, layers=())

"""Images of our own making, put together by the code that makes release images: no container engine is asked."""

import platform
import tarfile
from pathlib import Path

from slipway import digests, oci
from slipway.adapters import layout
from slipway.oci import Image
from slipway.records import RuntimeLock

USER = "65532:65532"  # nobody's
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def of_program(program: Path) -> Image:
    """Make an image that holds one static program, and runs it."""
    name = f"usr/bin/{program.name}"
    content = oci.layer({program.name: (program.read_bytes(), True)}, "usr/bin")
    return oci.append(_scratch(f"/{name}"), content, created_by=name, env={}, labels={}, workdir="/")


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


def save(image: Image, folder: Path, tag: str) -> Path:
    """Write it as a file that containerd imports."""
    layout.write(folder, image, tag)
    archive = folder.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, arcname=".")
    return archive

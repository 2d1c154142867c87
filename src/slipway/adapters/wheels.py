"""pip: the wheels of a hashed lock, fetched before an image is built so that no build needs a network, or installed."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from slipway.errors import Broken

GLIBC = ("2_28", "2_17")  # what a Debian or Red Hat of the last years can load


def download(lock: Path, into: Path, sources: Iterable[str] = ()) -> None:
    """Fetch the Linux wheels of `lock`, for this machine's processor and this Python's version, checking every hash.

    Of the packages `sources`, which have no wheel, the source is fetched. Pip asks it for its name with the setuptools
    that is installed here, and fetches none.

    Raises:
        Broken: one has no such wheel, another hash, or cannot be fetched.

    """
    tags = [f"--platform=manylinux_{glibc}_{platform.machine()}" for glibc in GLIBC]
    tags.append(f"--platform=manylinux2014_{platform.machine()}")
    version = f"--python-version={sys.version_info.major}.{sys.version_info.minor}"
    options = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", version, *tags)
    built = ("--no-build-isolation", "--use-pep517", *(f"--no-binary={name}" for name in sources))
    command = (sys.executable, "-m", "pip", "download", *options, *built, f"--dest={into}", f"--requirement={lock}")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode:
        raise Broken(
            f"the wheels of {lock} cannot be fetched: {done.stderr.strip()[-1000:]}",
            "Check the network and the package index that pip is configured with, and run it again.",
        )


def _environment() -> dict[str, str]:
    """What pip runs in: an authority that it is told of by its own name is not hidden by that of a private registry."""
    hidden = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} if "PIP_CERT" in os.environ else set()
    return {name: value for name, value in os.environ.items() if name not in hidden}


def unlike(lock: str) -> tuple[str, ...]:
    """Say what of a lock is not what is installed here, in words; what this platform does not need is passed over."""
    from importlib.metadata import distributions

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    here = {canonicalize_name(one.metadata["Name"]): one.version for one in distributions()}
    asked = [Requirement(line.rstrip("\\ ")) for line in lock.splitlines() if line[:1].isalnum()]
    return tuple(
        f"{pin.name} {here.get(canonicalize_name(pin.name), 'none')}, locked {str(pin.specifier).removeprefix('==')}"
        for pin in asked
        if (pin.marker is None or pin.marker.evaluate())
        and here.get(canonicalize_name(pin.name)) != str(pin.specifier).removeprefix("==")
    )

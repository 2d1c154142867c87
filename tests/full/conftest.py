"""Debian's container tools, private to the test run: a registry on loopback, and buildah with its own storage."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "{host}", host: "{calls_itself}"}}
{auth}
"""
Start = Callable[..., str]


@contextmanager
def registry_in(folder: Path, auth: str = "", calls_itself: str = "") -> Iterator[str]:
    """Run Debian's registry on a free loopback port; yield HOST:PORT. Blobs lie under folder/registry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"root": folder / "registry", "host": host, "auth": auth, "calls_itself": calls_itself}
    (folder / "config.yml").write_text(CONFIG.format(**settings))
    with (folder / "log").open("w") as log:
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OTEL_TRACES_EXPORTER": "none"})
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            try:
                requests.get(f"http://{host}/v2/", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield host
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that asks nobody who they are."""
    with registry_in(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="session")
def container_tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep buildah's images in a folder of the test run."""
    folder = tmp_path_factory.mktemp("containers")
    storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n'
    (folder / "storage.conf").write_text(storage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        patch.setenv("BUILDAH_ISOLATION", "chroot")
        yield
        subprocess.run(["buildah", "rm", "--all"], check=True, capture_output=True)
        subprocess.run(["buildah", "rmi", "--all", "--force"], check=True, capture_output=True)

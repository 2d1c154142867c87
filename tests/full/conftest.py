"""Debian's tools, private to the test run: a registry on loopback, buildah with its own storage, PostgreSQL."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import requests
from tests.conftest import ROOT

from slipway.adapters.processes import free_port
from slipway.reference import Reference

SCRIPT = ROOT / "scripts" / "base_image.sh"
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
    host = f"127.0.0.1:{free_port()}"
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
def postgres() -> Iterator[Callable[[], str]]:
    """Run Debian's PostgreSQL on a socket of its own; return a function that makes a database and says its address."""
    tools = max(Path("/usr/lib/postgresql").glob("*/bin"))
    # A socket's path is short, and the server's own user, as it refuses root, must reach it.
    with tempfile.TemporaryDirectory(prefix="slipway-postgres-") as folder:
        shutil.chown(folder, "postgres", "postgres")

        def run(tool: str, *arguments: str) -> None:
            command = ["runuser", "--user", "postgres", "--", str(tools / tool), *arguments]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        cluster, user = f"{folder}/cluster", "slipway"
        run("initdb", "-D", cluster, "-U", user, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder}"
        run("pg_ctl", "-D", cluster, "-l", f"{folder}/log", "-o", settings, "--wait", "start")
        numbers = count()

        def database() -> str:
            name = f"test{next(numbers)}"
            run("createdb", "-h", folder, "-U", user, name)
            return f"postgresql+psycopg://{user}@/{name}?host={folder}"

        try:
            yield database
        finally:
            run("pg_ctl", "-D", cluster, "-m", "immediate", "--wait", "stop")


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


@pytest.fixture(scope="session")
def base(registry: str) -> Reference:
    """A Debian base with git in the registry, by digest; made once a machine, and again when its script changes."""
    made = Path.home() / ".cache/slipway" / f"base-git-{hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]}.tar"
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be making it
        if not made.exists():
            subprocess.run([str(SCRIPT), f"{made}.new", "git"], check=True)
            Path(f"{made}.new").rename(made)
    target = f"docker://{registry}/debian/python:1"
    subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci-archive:{made}", target], check=True)
    command = ["skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", target]
    digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return Reference(registry, "debian/python", digest=digest)

"""BentoML: a bento as a deterministic tree of files, and a bento as a running process."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]

from slipway import records
from slipway.errors import Broken
from slipway.quiet import SILENT
from slipway.records import Bundle

NAME = "flights"
MODULES = (
    "__init__.py",
    "adapters/__init__.py",
    "adapters/ledger/__init__.py",
    "adapters/ledger/opening.py",
    "adapters/ledger/schema.py",
    "adapters/onnx.py",
    "adapters/spool.py",
    "adapters/tree.py",
    "digests.py",
    "errors.py",
    "features.py",
    "identity.py",
    "predictions.py",
    "records.py",
    "schema.py",
)
"""What the service imports from this package; a test serves a bento that holds nothing else."""
EPOCH = "1970-01-01T00:00:00+00:00"
UNWRITTEN = {"PYTHONDONTWRITEBYTECODE": "1"}  # a bento stays as it was released: the service compares its digest
READY_SECONDS = 120.0
STOP_SECONDS = 20.0


def build(source: Path, model: Path, requirements: Path, bundle: Bundle, out: Path) -> None:
    """Make the bento of a release: the same arguments, the same tree, wherever and whenever it is made.

    `source` holds the service (bentos/flights), `model` holds model.onnx and model.json, `requirements` is the lock of
    the runtime image. `out` must not exist.

    Raises:
        Broken: `bentoml build` failed.

    """
    with tempfile.TemporaryDirectory(prefix="slipway-bento-") as temporary:
        context, home = Path(temporary, "context"), Path(temporary, "home")
        _assemble(context, source, model, requirements, bundle)
        command = ("build", ".", "--version", bundle.version)
        environment = home_environment(home)
        done = subprocess.run(
            _bentoml(*command), cwd=context, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Broken(
                f"bentoml build failed: {done.stderr.strip()[-2000:]}", "Mend what it names, and run it again."
            )
        built = home / "bentos" / NAME / bundle.version
        _settle(built)
        shutil.copytree(built, out)


def _assemble(context: Path, source: Path, model: Path, requirements: Path, bundle: Bundle) -> None:
    shutil.copytree(source / "page", context / "page")
    for path in sorted([*source.glob("*.py"), source / "README.md", source / "bentofile.yaml"]):
        shutil.copyfile(path, context / path.name)
    for name in MODULES:
        target = context / "slipway" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).parents[1] / name, target)
    (context / "model").mkdir()
    for name in ("model.onnx", "model.json"):
        shutil.copyfile(model / name, context / "model" / name)
    (context / "requirements.txt").write_text(pins(requirements.read_text(encoding="utf-8")), encoding="utf-8")
    (context / "bundle.json").write_text(records.dumps(bundle), encoding="utf-8")


def pins(lock: str) -> str:
    """Take the hashes out of a lock: BentoML copies it four times, and the runtime image has checked them already."""
    lines = [line.removesuffix("\\").rstrip() for line in lock.splitlines() if line[:1].isalnum()]
    return "".join(f"{line}\n" for line in lines)


def _settle(bento: Path) -> None:
    """Take the time of the build out of the tree, and the builder's umask."""
    description = bento / "bento.yaml"
    lines = description.read_text(encoding="utf-8").splitlines(keepends=True)
    settled = [f"creation_time: '{EPOCH}'\n" if line.startswith("creation_time:") else line for line in lines]
    description.write_text("".join(settled), encoding="utf-8")
    for path in (bento, *bento.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


@contextmanager
def serving(bento: Path, port: int, **variables: str) -> Iterator[str]:
    """Run a bento on a loopback port until the block ends; yields its address once it answers /livez.

    `variables` are added to the environment. Where it names a ledger the shipper runs beside the service, as in a pod:
    it ends after it, when it has shipped all.

    Raises:
        Broken: the port is in use, or it ended, or did not answer in time; says what it wrote.

    """
    _free(port)
    with tempfile.TemporaryDirectory(prefix="slipway-serve-") as temporary:
        log, home = Path(temporary, "log"), Path(temporary, "home")
        environment = os.environ | SILENT | UNWRITTEN | variables
        with log.open("wb") as stream, ExitStack() as stack:
            if environment.get("SLIPWAY_LEDGER"):  # first begun, last ended
                stack.enter_context(_running(ship_command(bento), environment, stream))
            stack.callback(kill_all, home)
            process = stack.enter_context(
                _running(serve_command(bento, port), home_environment(home) | variables, stream)
            )
            _wait(process, address(port), log)
            yield address(port)


@contextmanager
def _running(command: list[str], environment: Mapping[str, str], log: IO[bytes]) -> "Iterator[subprocess.Popen[bytes]]":
    # A session of its own: Ctrl-C reaches it by us, once.
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()


def _free(port: int) -> None:
    """Somebody else's answer on the port would read as ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Broken(f"port {port} cannot be had: {error.strerror}", "Stop its user, or name another.") from error


def address(port: int) -> str:
    """Where a service on this port is asked."""
    return f"http://127.0.0.1:{port}"


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(f"{url}/livez"):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise Broken(f"no service answers at {url}: {tail}", "Read its last lines; is the port free?")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  # a loopback address, made above
            return bool(response.status == 200)
    except (OSError, HTTPException):  # somebody else has the port, and does not speak HTTP
        return False


def kill_all(home: Path) -> None:
    """Kill what was started with this BENTOML_HOME: a worker has a session of its own, and outlives a killed parent."""
    marked = str(home.resolve())
    left = [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("BENTOML_HOME") == marked
    ]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, STOP_SECONDS)  # the port is free when they are gone, not when they are told to go


def serve_command(bento: Path, port: int) -> list[str]:
    """How a bento is served on a loopback port."""
    return _bentoml("serve", str(bento.resolve()), "--host", "127.0.0.1", "--port", str(port))


def ship_command(bento: Path) -> list[str]:
    """How a bento's shipper is run."""
    return [sys.executable, str(bento.resolve() / "src" / "shipper.py")]


def _bentoml(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bentoml", *arguments]


def home_environment(home: Path) -> dict[str, str]:
    """Our environment, for BentoML: with a home of its own, and silent."""
    home.mkdir(parents=True, exist_ok=True)
    return os.environ | SILENT | UNWRITTEN | {"BENTOML_HOME": str(home.resolve())}

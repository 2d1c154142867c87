"""`slipway serve`: run exactly one release on this machine, from the bytes that its record names."""

import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from slipway.adapters import files, layout
from slipway.adapters.git import Repository
from slipway.commands import BUILD, Root, console, shelf, verifying
from slipway.commands.package import BENTO, BUNDLE
from slipway.errors import Broken, Rejected
from slipway.records import Bundle, Package

Version = Annotated[
    str | None, typer.Option("--release", envvar="SLIPWAY_RELEASE", help="By default, production's recorded stable.")
]


def serve(
    release: Version = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Of 127.0.0.1.")] = 3000,
    root: Root = Path(),
) -> None:
    """Serve a release on a loopback port, until Ctrl-C.

    The image must be at hand under build/images/ and have the digest that releases/VERSION.json names. Its
    predictions are kept if SLIPWAY_LEDGER and what belongs to it are set: docs/ledger.md.

    Examples:
    ```sh
    slipway serve
    slipway serve --release 1.0.0 --port 3100
    ```
    """
    from slipway.adapters import bento

    version = release or shelf.stable(root).environments.get("production")
    if version is None:
        raise Rejected("production has no recorded stable", "Name a release: slipway serve --release VERSION")
    with tempfile.TemporaryDirectory(prefix="slipway-release-") as folder:
        image = Path(folder, "image")
        package = _unpack(root, version, image)
        with bento.serving(image / BENTO, port, SLIPWAY_BENTO=package.bento_digest) as address:
            console.print(f"serving [bold]{version}[/] at {address}")
            until_ended(address)
            console.print("stopped")


def _unpack(root: Path, version: str, into: Path) -> Package:
    record = shelf.existing(root).get(version)
    if record is None:
        raise Rejected(f"there is no release {version}", "Known ones stand in releases/.")
    folder = root / BUILD / "images" / version
    if not folder.is_dir():
        raise Broken(f"the image of {version} is not at hand in {folder}", "Make it: `slipway package`, or pull it.")
    facts = layout.unpack(folder, into)
    if facts.digest != record.package.image_digest:
        raise Rejected(
            f"the image at hand is {facts.digest}, release {version} is {record.package.image_digest}",
            "Package that release's commit again, or pull its image.",
        )
    verifying.released(Repository(root.resolve()), record)
    bundle = files.read_record(Bundle, into / BUNDLE)
    if bundle.version != version:
        raise Rejected(f"the image of release {version} holds {bundle.version}", f"releases/{version}.json is wrong.")
    return record.package


def until_ended(address: str) -> None:
    """Return at Ctrl-C, or when ended from outside; a service that ends by itself is an error."""
    awaited = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    if signal.sigwait(awaited) == signal.SIGCHLD:
        raise Broken(f"the service at {address} ended by itself", "Run it again; its memory or its port may be gone.")

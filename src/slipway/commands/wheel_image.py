"""The image of a base, a hashed lock's wheels and a Containerfile: what `runtime build` and `platform build` share."""

import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from slipway import digests, reference
from slipway.adapters import files
from slipway.commands import progress
from slipway.errors import Broken
from slipway.reference import Reference

MADE_FROM = "dev.slipway.made-from"


@dataclass(frozen=True)
class Recipe:
    """What such an image is made from besides its base; paths are relative to the repository."""

    containerfile: Path
    wheels: Path
    sources: tuple[str, ...] = ()  # what of the lock has no wheel

    def made_from(self, root: Path) -> str:
        """Digest of the recipe; it stands in the image."""
        return digests.of_bytes(files.read_bytes(root / self.containerfile) + files.read_bytes(root / self.wheels))

    def tag(self, root: Path, base: Reference) -> str:
        """Name the image after all that it is made from, so that no tag ever moves."""
        whole = f"{self.made_from(root)} {base.digest} {platform.machine()}"
        return digests.of_bytes(whole.encode()).removeprefix("sha256:")[:12]

    def build(self, root: Path, base: Reference, to: Reference) -> Reference:
        """Build the image, push it to the tag `to`, and return its name by digest."""
        from slipway.adapters import buildah, wheels

        with tempfile.TemporaryDirectory(prefix="slipway-image-") as temporary, progress.status("Building") as status:
            context = Path(temporary)
            status.update("Fetching the wheels")
            wheels.download(root / self.wheels, context / "wheels", self.sources)
            shutil.copyfile(root / self.wheels, context / "requirements.txt")
            status.update("Building the image")
            image = buildah.build(root / self.containerfile, context, base, {MADE_FROM: self.made_from(root)})
            status.update(f"Pushing to {to.repository}")
            return buildah.push(image, to)


def ground(base: str) -> Reference:
    """Parse the name of a base image.

    Raises:
        Broken: it does not say which image.

    """
    parsed = reference.parse(base)
    if not parsed.digest:
        raise Broken(f"{base} does not say which image: a tag moves", "Name the base by digest: HOST/NAME@sha256:...")
    return parsed

"""The image of slipway itself, built for real on a Debian base, from the wheels that its help needs."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import ROOT

from slipway import __version__
from slipway.commands import platform_image
from slipway.reference import Reference

pytestmark = pytest.mark.usefixtures("container_tools")
NEEDED = {"annotated-doc", "markdown-it-py", "mdurl", "msgspec", "psutil", "pygments", "pyyaml", "rich"}
NEEDED |= {"shellingham", "tenacity", "typer", "typing-extensions"}
NEEDED |= {"annotated-types", "pydantic", "pydantic-core", "typing-inspection"}  # of typer
NEEDED |= {"antlr4-python3-runtime", "setuptools"}  # what has no wheel, and what makes one of it


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of a fork that the image is made from, with a small part of its wheels."""
    root = tmp_path_factory.mktemp("fork")
    recipe = platform_image.RECIPE
    shutil.copy(ROOT / recipe.containerfile, root / recipe.containerfile)
    pins = re.split(r"^(?=\w)", (ROOT / recipe.wheels).read_text(), flags=re.MULTILINE)
    kept = [pin for pin in pins if pin.partition("==")[0] in NEEDED]
    assert {pin.partition("==")[0] for pin in kept} == NEEDED
    (root / recipe.wheels).parent.mkdir()
    (root / recipe.wheels).write_text("".join(kept))
    shutil.copytree(ROOT / "src/slipway", root / "src/slipway")
    return root


@pytest.fixture(scope="module")
def made(fork: Path, base: Reference) -> platform_image.Built:
    """What `slipway platform build` makes of it."""
    return make(fork, base)


def make(root: Path, base: Reference, name: str = "team/slipway") -> platform_image.Built:
    """Build it into a repository of the test's registry."""
    return platform_image.make(root, f"{base.repository}@{base.digest}", f"{base.host}/{name}")


def run(*command: str) -> str:
    """Run a command."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_it_runs_slipway_and_git(made: platform_image.Built) -> None:
    """Pulled by digest, without a network and as its own user, and it may not write to what it runs."""
    container = run("buildah", "from", "--tls-verify=false", made.image)
    settings = json.loads(run("buildah", "inspect", container))["OCIv1"]["config"]
    inside = ("unshare", "--net", "buildah", "run", "--user", settings["User"], container, "--")
    assert run(*inside, *settings["Cmd"]).startswith("Usage: slipway")
    assert run(*inside, "slipway", "--version") == __version__
    assert "--policy" in run(*inside, "slipway", "judge", "serve", "--help")
    assert run(*inside, "git", "--version").startswith("git version")
    assert run(*inside, "sh", "-c", "id -u; test -w /app/src/slipway || echo no; cd /tmp && pwd") == "1034\nno\n/tmp"
    assert run(*inside, "python", "-c", "import antlr4, slipway.quiet; print(antlr4.__file__)").startswith(
        "/app/.venv/"
    )


def test_again_sends_nothing(fork: Path, base: Reference, made: platform_image.Built) -> None:
    """The same sources are the same image, and the wheels are not built a second time."""
    again = make(fork, base)
    assert made.new_wheels
    assert (again.image, again.wheels, again.new_wheels) == (made.image, made.wheels, False)
    assert set(again.blobs.values()) == {"exists"}


def test_another_source_is_a_layer_of_kilobytes(fork: Path, base: Reference, made: platform_image.Built) -> None:
    """Slipway's own layer and the settings are all that is sent."""
    added = fork / "src/slipway/added.py"
    added.write_text("")
    changed = make(fork, base)
    added.unlink()
    assert changed.digest != made.digest
    assert (changed.wheels, list(changed.blobs.values())) == (made.wheels, ["exists", "exists", "uploaded", "uploaded"])


def test_built_again_from_nothing_it_is_the_same(fork: Path, base: Reference, made: platform_image.Built) -> None:
    """In a repository that holds no wheels, they are built again: the same bytes, those built from source too."""
    elsewhere = make(fork, base, "other/slipway")
    assert (elsewhere.new_wheels, elsewhere.digest) == (True, made.digest)

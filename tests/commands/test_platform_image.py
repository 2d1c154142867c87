"""The layer with slipway's own source: all of it, nothing else, and the same from each checkout."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.conftest import ROOT

from slipway.commands import platform_image
from slipway.errors import Broken

SOURCE = "src/slipway"


@pytest.fixture(scope="module")
def layer() -> bytes:
    """The layer of this checkout."""
    return platform_image.layer(ROOT)


def test_it_holds_what_the_repository_holds(layer: bytes) -> None:
    """Each file of the package, templates too, as git knows it, and one command; folders are there for them alone."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", SOURCE]
    known = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {member.name: member for member in tar if member.isfile()}
        assert set(found) == {f"app/{name}" for name in known if (ROOT / name).exists()} | {"app/.venv/bin/slipway"}
        assert [name for name, member in found.items() if member.mode != 0o644] == ["app/.venv/bin/slipway"]
        for name in ("services/judge/__init__.py", "adapters/card.html.j2"):
            assert tar.extractfile(f"app/{SOURCE}/{name}").read() == (ROOT / SOURCE / name).read_bytes()  # type: ignore[union-attr]


def test_another_checkout_makes_the_same(layer: bytes, tmp_path: Path) -> None:
    """Times, modes and byte code are not in it."""
    shutil.copytree(ROOT / SOURCE, tmp_path / SOURCE, copy_function=shutil.copyfile)
    (tmp_path / SOURCE / "oci.py").chmod(0o755)
    compiled = tmp_path / SOURCE / "__pycache__" / "other.cpython-311.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"x")
    assert platform_image.layer(tmp_path) == layer


@pytest.mark.parametrize(
    ("base", "to", "says"),
    [
        ("127.0.0.1:9/python:3", "127.0.0.1:9/slipway", "a tag moves"),
        (f"127.0.0.1:9/python@sha256:{'0' * 64}", "127.0.0.1:9/slipway:1", "names an image"),
    ],
)
def test_it_refuses_before_it_builds(base: str, to: str, says: str) -> None:
    """The base is named by digest, and the target is a repository."""
    with pytest.raises(Broken, match=says):
        platform_image.make(ROOT, base, to)

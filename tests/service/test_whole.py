"""Only the bento that was released is served: every file of it, where the environment names its digest."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

import whole
from predictor import Predictor
from slipway import digests
from slipway.adapters import bento, tree
from slipway.adapters.processes import free_port
from slipway.errors import Broken, Rejected

from .conftest import FLIGHT
from .test_ledger import configured


def flip(path: Path) -> None:
    """One bit of a file is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def other_model(folder: Path) -> None:
    """One bit of the model is another."""
    flip(folder / "src/model/model.onnx")


TAMPERED = {
    "changed": lambda folder: flip(folder / "src/page/index.html"),
    "added": lambda folder: (folder / "src/sitecustomize.py").touch(),
    "removed": lambda folder: (folder / "README.md").unlink(),
    "renamed": lambda folder: (folder / "src/page/page.css").rename(folder / "src/page/style.css"),
    "made executable": lambda folder: (folder / "src/service.py").chmod(0o755),
}
BY_NAME = {
    "the model": (other_model, "digest of model.onnx"),
    "a link": (lambda folder: (folder / "src/odd").symlink_to("service.py"), "src/odd is not a regular file"),
    "a folder": (lambda folder: (folder / "src/odd").mkdir(), "src/odd holds no file"),
}


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """The bento, to be changed."""
    return Path(shutil.copytree(built, tmp_path / "bento"))


@pytest.fixture(scope="module")
def released(built: Path) -> str:
    """The bento's digest, as its release record has it."""
    return digests.of_tree(tree.read(built))


def test_the_released_bento_is_ready_and_stays_as_it_is(copy: Path, released: str, tmp_path: Path) -> None:
    """It predicts; and neither BentoML, nor the service, nor its shipper writes into it."""
    variables = configured(tmp_path) | {"SLIPWAY_BENTO": released}
    with bento.serving(copy, free_port(), **variables) as address:
        assert requests.get(f"{address}/readyz", timeout=30).status_code == 200
        assert requests.get(f"{address}/version", timeout=30).json()["release"] == "1.2.3"
        assert requests.post(f"{address}/predict", json=FLIGHT, timeout=30).status_code == 200
    assert digests.of_tree(tree.read(copy)) == released


@pytest.mark.parametrize("how", TAMPERED)
def test_another_bento_is_not_ready(copy: Path, released: str, how: str) -> None:
    """The process lives, predicts nothing, and names the digest that it has and the one that it should have."""
    TAMPERED[how](copy)
    found = digests.of_tree(tree.read(copy))
    with bento.serving(copy, free_port(), SLIPWAY_BENTO=released) as address:
        assert requests.get(f"{address}/livez", timeout=30).status_code == 200
        for answer in (
            requests.get(f"{address}/readyz", timeout=30),
            requests.get(f"{address}/version", timeout=30),
            requests.post(f"{address}/predict", json=FLIGHT, timeout=30),
        ):
            assert answer.status_code == 503
            assert f"the digest of the bento is {found}, SLIPWAY_BENTO says {released}" in answer.json()["error"]


@pytest.mark.parametrize("how", BY_NAME)
def test_what_can_be_named_is_named(copy: Path, released: str, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A file that has a digest of its own, or that no digest binds, is said by name."""
    monkeypatch.setenv("SLIPWAY_BENTO", released)
    Predictor(copy / "src")
    tamper, says = BY_NAME[how]
    tamper(copy)
    with pytest.raises((Rejected, Broken), match=says):
        Predictor(copy / "src")


def _refused(folder: Path, released: str) -> bool:
    try:
        whole.check(folder, {"SLIPWAY_BENTO": released})
    except (Rejected, Broken):
        return True
    return False


def test_each_file_counts(copy: Path, released: str) -> None:
    """No file is left out: a bit, the executable bit, or its absence is refused for every one of them."""
    assert not _refused(copy, released)
    paths = sorted(path for path in copy.rglob("*") if path.is_file())
    assert len(paths) > 40
    for path in paths:
        content, mode = path.read_bytes(), path.stat().st_mode
        ways: tuple[Callable[[Path], object], ...] = (
            lambda path: path.write_bytes(path.read_bytes() + b"\n"),
            lambda path: path.chmod(path.stat().st_mode ^ 0o100),
            lambda path: path.unlink(),
            lambda path: path.rename(path.with_name(f"{path.name}_")),
        )
        for change in ways:
            change(path)
            assert _refused(copy, released), path
            path.with_name(f"{path.name}_").unlink(missing_ok=True)
            path.write_bytes(content)
            path.chmod(mode)
    assert not _refused(copy, released)


@pytest.mark.parametrize("named", ["", "sha256:", f"sha256:{64 * '0'}"])
def test_a_digest_that_is_none_is_refused(built: Path, named: str) -> None:
    """What no release has filled in never passes; a service that is told nothing compares nothing."""
    with pytest.raises(Rejected, match="SLIPWAY_BENTO says"):
        whole.check(built, {"SLIPWAY_BENTO": named})
    whole.check(built, {})

"""A folder is read whole or not at all: what a digest would not bind is refused by name."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.adapters import tree
from slipway.errors import Broken


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree of three files."""
    root = tmp_path / "tree"
    (root / "model").mkdir(parents=True)
    (root / "model/model.onnx").write_bytes(b"weights")
    (root / "model/model.onnx").chmod(0o655)  # the bit is the owner's
    (root / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "run.sh").chmod(0o744)
    (root / "größe\n.txt").write_bytes(b"")
    return root


def test_a_folder_is_its_files(folder: Path) -> None:
    """Relative names, bytes, and the bit."""
    assert tree.read(folder) == {
        "model/model.onnx": (b"weights", False),
        "run.sh": (b"#!/bin/sh\n", True),
        "größe\n.txt": (b"", False),
    }


def _socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(root / "model")  # an address has at most 107 bytes
        try:
            made.bind("odd")
        finally:
            os.chdir(before)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: (root / "model/odd").symlink_to(root / "run.sh"), "model/odd is not a regular file"),
        (lambda root: (root / "model/odd").symlink_to(root), "model/odd is not a regular file"),
        (lambda root: (root / "model/odd").symlink_to("nowhere"), "model/odd is not a regular file"),
        (lambda root: os.mkfifo(root / "model/odd"), "model/odd is not a regular file"),
        (_socket, "model/odd is not a regular file"),
        (lambda root: (root / "model/odd").mkdir(), "model/odd holds no file"),
        (lambda root: (root / "model/odd/deeper").mkdir(parents=True), "model/odd/deeper holds no file"),
    ],
    ids=["link", "link to a folder", "link to nothing", "FIFO", "socket", "empty folder", "folder of empty folders"],
)
def test_what_no_digest_binds_is_refused(folder: Path, make: Callable[[Path], object], says: str) -> None:
    """By name, without waiting for anybody to write into it."""
    make(folder)
    with pytest.raises(Broken, match=says):
        tree.read(folder)


def test_a_device_is_refused() -> None:
    """Before it is read: that could last for ever, or change something."""
    with pytest.raises(Broken, match=r"^/dev/\S+ (is not a regular file|holds no file)"):
        tree.read(Path("/dev"))


def test_a_tree_holds_a_file(tmp_path: Path) -> None:
    """No file, no folder, and a file where the folder should be are refused: they would all be one digest, or none."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, says in (
        ("empty", "empty holds no file"),
        ("absent", "absent cannot be read"),
        ("file", "cannot be read"),
    ):
        with pytest.raises(Broken, match=says):
            tree.read(tmp_path / name)


@pytest.mark.skipif(sys.platform == "darwin", reason="APFS makes no such name")
def test_a_name_that_is_no_text_is_refused(folder: Path) -> None:
    """JSON cannot hold it, and two disks would show it in two ways."""
    for name in (b"f\xffle", b"m\xffdel/file"):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.touch()
        with pytest.raises(Broken, match=r"\\udcff.* has a name that is no UTF-8"):
            tree.read(folder)
        path.unlink()


@contextmanager
def _nobody() -> Iterator[None]:
    """As a user whom modes bind; root reads everything."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_cannot_be_read_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be listed is no empty one, and a file that may not be read no empty file."""
    monkeypatch.chdir(folder)
    for name, mode in (("model", 0o755), ("run.sh", 0o644)):
        Path(name).chmod(0)
        with _nobody(), pytest.raises(Broken, match=f"{name} cannot be read: Permission denied"):
            tree.read(Path())
        Path(name).chmod(mode)

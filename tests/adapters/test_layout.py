"""Images on disk: the digest depends on the files alone, and what was tampered with is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway import digests, oci
from slipway.adapters import layout
from slipway.errors import Broken, Rejected
from slipway.records import RuntimeLock

LOCK = RuntimeLock(
    platform="linux/amd64",
    repository=None,
    manifest_digest=digests.of_bytes(b""),
    config={"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}},
    layers=(),
)
FILES = {"bento/Z": (b"upper", False), "bento/a": (b"lower", True), "bento/i/I": (b"dotless", False)}
CHILD = """
import sys, zlib
from pathlib import Path
del zlib.compress, zlib.compressobj  # deflate is not needed, so no build of it can matter
from slipway import oci, digests
from slipway.adapters import layout, tree
from slipway.records import RuntimeLock
lock = RuntimeLock(platform="linux/amd64", repository=None, manifest_digest=digests.of_bytes(b""), layers=(),
    config={"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
tar = oci.layer(tree.read(Path("tree")), "home/bento")
image = oci.append(lock, tar, created_by="test", env={"A": "1"}, labels={"v": "1"}, workdir="/home/bento")
layout.write(Path("image"), image, "v1")
print(image.digest)
"""


def image(files: oci.Files) -> oci.Image:
    """Make the image that the child makes from the disk."""
    tar = oci.layer(files, "home/bento")
    return oci.append(LOCK, tar, created_by="test", env={"A": "1"}, labels={"v": "1"}, workdir="/home/bento")


def made_in(folder: Path, *, names: list[str], umask: int, mtime: int, environment: dict[str, str]) -> str:
    """Write FILES in an order, and make the image in a process with another umask, locale and hash seed."""
    before = os.umask(umask)
    try:
        for name in names:
            path = folder / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content, executable = FILES[name]
            path.write_bytes(content)
            path.chmod((0o777 if executable else 0o666) & ~umask)
            os.utime(path, (mtime, mtime))
        command = [sys.executable, "-c", CHILD]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        done = subprocess.run(
            command, cwd=folder, env=inherited | environment, capture_output=True, text=True, check=True
        )
    finally:
        os.umask(before)
    return done.stdout.strip()


def test_digest_depends_on_nothing_else(tmp_path: Path) -> None:
    """Path, umask, locale, hash seed, mtimes, order of creation and zlib leave the image digest alone."""
    one, other = tmp_path / "one", tmp_path / "a longer path" / "other"
    one.mkdir()
    other.mkdir(parents=True)
    utf8 = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1", "TZ": "UTC"}
    plain = {
        "LC_ALL": "POSIX",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "2",
        "TZ": "Asia/Tokyo",
    }
    first = made_in(one, names=sorted(FILES), umask=0o022, mtime=1, environment=utf8)
    second = made_in(other, names=sorted(FILES, reverse=True), umask=0o077, mtime=2_000_000_000, environment=plain)
    assert first == second == image(FILES).digest
    for path in sorted(path.relative_to(one) for path in (one / "image").rglob("*") if path.is_file()):
        assert (one / path).read_bytes() == (other / path).read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """An image comes back from its layout with its tag, and a newer one takes its place without leftovers."""
    layout.write(tmp_path / "image", image({"old": (b"", False)}), "v1")
    layout.write(tmp_path / "image", image(FILES), "v2")
    assert layout.read(tmp_path / "image") == (image(FILES), "v2")
    assert len(list((tmp_path / "image" / "blobs" / "sha256").iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_unpack_gives_the_files_and_facts(tmp_path: Path) -> None:
    """The uppermost layer is unpacked byte for byte, and the image says who it is."""
    layout.write(tmp_path / "image", image(FILES), "v1")
    facts = layout.unpack(tmp_path / "image", tmp_path / "out")
    found = {
        path.relative_to(tmp_path / "out/home/bento").as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == FILES
    assert facts == layout.ImageFacts(image(FILES).digest, {"A": "1"}, {"v": "1"}, "/home/bento")


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_changed_blob_is_refused(tmp_path: Path, which: int) -> None:
    """One other byte in manifest, config or layer is noticed before anything is unpacked."""
    made = image(FILES)
    layout.write(tmp_path / "image", made, "v1")
    blob = [made.manifest, made.config, *made.blobs.values()][which]
    path = tmp_path / "image" / "blobs" / digests.of_bytes(blob).replace(":", "/")
    path.write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    with pytest.raises(Rejected, match="is damaged"):
        layout.unpack(tmp_path / "image", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_blob_is_refused(tmp_path: Path) -> None:
    """A layout without the layer that it should hold cannot be unpacked."""
    made = image(FILES)
    layout.write(tmp_path / "image", made, "v1")
    (tmp_path / "image" / "blobs" / made.layers[-1].digest.replace(":", "/")).unlink()
    with pytest.raises(Broken, match="does not hold"):
        layout.unpack(tmp_path / "image", tmp_path / "out")


@pytest.mark.parametrize(
    "index",
    ["", "{}", '{"manifests": []}', '{"manifests": [{"digest": "sha256:../../x", "annotations": {}}]}'],
)
def test_what_is_no_layout_is_refused(tmp_path: Path, index: str) -> None:
    """A folder without exactly one image, or with a digest that is a path, is no layout."""
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(Broken, match="no layout of one tagged image"):
        layout.read(tmp_path)


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    """A layout replaces a layout, never a folder of somebody's work; nothing is unpacked over it either."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")
    with pytest.raises(Broken, match="something else"):
        layout.write(tmp_path / "work", image(FILES), "v1")
    layout.write(tmp_path / "image", image(FILES), "v1")
    with pytest.raises(Broken, match="not empty"):
        layout.unpack(tmp_path / "image", tmp_path / "work")
    assert (tmp_path / "work" / "thesis.txt").read_text() == "years"

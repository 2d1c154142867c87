"""Images as bytes: the same files and lock give the same digest, and names that unpack elsewhere are refused."""

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway import digests, oci
from slipway.errors import Broken
from slipway.records import Descriptor, RuntimeLock, dumps, loads

BASE = Descriptor(media_type=oci.LAYER, digest=digests.of_bytes(b"base"), size=4)
LOCK = RuntimeLock(
    platform="linux/amd64",
    repository=None,
    manifest_digest=digests.of_bytes(b"manifest"),
    config={
        "architecture": "amd64",
        "config": {"Env": ["PATH=/bin", "A=1"], "Labels": {"kept": "yes"}, "User": "1034:1034"},
        "history": [{"created_by": "base"}],
        "os": "linux",
        "rootfs": {"diff_ids": [digests.of_bytes(b"tar")], "type": "layers"},
    },
    layers=(BASE,),
)
FILES = {"src/model.onnx": (b"\x00\xff" * 40_000, False), "run": (b"#!/bin/sh\n", True), "src/a/b.txt": (b"", False)}
names = st.lists(st.text("abcXYZ019._-+ ", min_size=1, max_size=8).map(lambda part: f"n{part}"), min_size=1, max_size=4)
trees = st.dictionaries(names.map("/".join), st.tuples(st.binary(max_size=40), st.booleans()), min_size=1, max_size=6)


def image(files: oci.Files = FILES, lock: RuntimeLock = LOCK) -> oci.Image:
    """Append `files` to the lock, as `package` does."""
    tar = oci.layer(files, "home/bento")
    return oci.append(lock, tar, created_by="test", env={"B": "2", "A": "3"}, labels={"v": "1"}, workdir="/home/bento")


def holds_a_clash(files: oci.Files) -> bool:
    """Say whether a name is a file and a folder at once."""
    return any(other.startswith(f"{name}/") for name in files for other in files)


def test_digest_is_golden() -> None:
    """These bytes never change: a release made today has the digest that it had when it was made."""
    assert image().digest == "sha256:81c28e39d4c1ac039348c972ecda4c3bfeccb7c77112e4189bf62dcd9c2850df"


def test_layer_is_plain() -> None:
    """The tar is sorted, holds parents, and names no user, no time and no other mode than 0644 and 0755."""
    with tarfile.open(fileobj=io.BytesIO(oci.layer(FILES, "home/bento"))) as tar:
        members = tar.getmembers()
    folders = ["home", "home/bento", "home/bento/src", "home/bento/src/a"]
    assert [member.name for member in members] == sorted([*folders, *(f"home/bento/{name}" for name in FILES)])
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.pax_headers == {}) for m in members} == {
        (0, 0, "", "", 0, True)
    }
    assert {m.name: m.mode for m in members if m.isdir()} == dict.fromkeys(folders, 0o755)
    assert {m.name: m.mode == 0o755 for m in members if m.isreg()} == {
        f"home/bento/{name}": executable for name, (_, executable) in FILES.items()
    }


@given(files=trees, order=st.randoms())
def test_order_of_files_does_not_matter(files: oci.Files, order: object) -> None:
    """A mapping in any order gives the same layer."""
    shuffled = list(files.items())
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    if not holds_a_clash(files):
        assert oci.layer(dict(shuffled), "home") == oci.layer(files, "home")


@given(files=trees)
def test_unpack_inverts_layer(files: oci.Files) -> None:
    """What goes into a layer comes out of it: names, bytes and modes."""
    if holds_a_clash(files):
        with pytest.raises(Broken, match="at once"):
            oci.layer(files, "home")
    else:
        expected = {f"home/{name}": entry for name, entry in files.items()}
        assert oci.unpack(oci.compress(oci.layer(files, "home"))) == expected


@given(files=trees, other=trees)
def test_other_files_are_another_image(files: oci.Files, other: oci.Files) -> None:
    """Two trees have the same digest only if they are equal."""
    if not holds_a_clash(files) and not holds_a_clash(other):
        assert (image(files).digest == image(other).digest) == (files == other)


@pytest.mark.parametrize("size", [0, 1, 65_534, 65_535, 65_536, 131_070, 200_000])
def test_compress_is_gzip(size: int) -> None:
    """Any gzip reader gets the bytes back, at every edge of a stored block."""
    import gzip

    content = bytes(index % 251 for index in range(size))
    assert gzip.decompress(oci.compress(content)) == content


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("../escape", "absolute"),
        ("a/../../escape", "absolute"),
        ("a//b", "absolute"),
        ("./a", "absolute"),
        ("a/", "absolute"),
        ("", "absolute"),
        (".wh.etc", "delete"),
        ("a/.wh..wh..opq/b", "delete"),
        ("flüge", "ASCII"),
        ("line\nbreak", "ASCII"),
        ("n" * 101, "USTAR"),
        ("/".join(["n" * 60] * 5), "USTAR"),
    ],
)
def test_layer_refuses(name: str, reason: str) -> None:
    """A name that engines disagree about never gets into a layer, and the error says why."""
    with pytest.raises(Broken) as refusal:
        oci.layer({name: (b"", False)}, "home")
    assert reason in f"{refusal.value.what} {refusal.value.remedy}"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_unpack_refuses_what_is_no_file(kind: bytes) -> None:
    """A link or a device in a foreign layer is refused, so nothing can be written through it."""
    with pytest.raises(Broken, match="not a regular file"):
        oci.unpack(foreign("home/link", kind))


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "../../x", "home/.wh.x"])
def test_unpack_refuses_names(name: str) -> None:
    """A foreign layer cannot name a place outside the folder that it is unpacked into."""
    with pytest.raises(Broken, match="cannot stand in an image layer"):
        oci.unpack(foreign(name, tarfile.REGTYPE))


@pytest.mark.parametrize("blob", [b"", b"no gzip", oci.compress(b"no tar"), oci.compress(b"x" * 1024)[:-20]])
def test_unpack_refuses_damage(blob: bytes) -> None:
    """Bytes that are no gzip-compressed tar are an error that says so."""
    with pytest.raises(Broken, match=r"no gzip-compressed tar"):
        oci.unpack(blob)


def foreign(name: str, kind: bytes) -> bytes:
    """Make a layer that our own code would not make."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    return oci.compress(buffer.getvalue())


def test_append_keeps_the_runtime() -> None:
    """The image is the runtime's layers and one more; the runtime's settings stay unless they are set again."""
    made = image()
    config = json.loads(made.config)
    tar = oci.layer(FILES, "home/bento")
    assert made.layers[:-1] == LOCK.layers
    assert made.blobs == {made.layers[-1].digest: oci.compress(tar)}
    assert config["rootfs"]["diff_ids"] == [*LOCK.config["rootfs"]["diff_ids"], digests.of_bytes(tar)]
    assert config["config"]["Env"] == ["PATH=/bin", "A=3", "B=2"]
    assert config["config"]["Labels"] == {"kept": "yes", "v": "1"}
    assert config["config"]["User"] == "1034:1034"
    assert len(config["history"]) == 2
    assert "config" in LOCK.config
    assert len(LOCK.config["history"]) == 1


def test_lock_survives_its_file() -> None:
    """A lock that was written and read gives the same image."""
    assert image(lock=loads(RuntimeLock, dumps(LOCK), "lock")).digest == image().digest


def test_append_refuses_a_lock_that_contradicts_itself() -> None:
    """A lock with more layers than its config has is no image."""
    lock = RuntimeLock(
        platform=LOCK.platform,
        repository=None,
        manifest_digest=LOCK.manifest_digest,
        config=LOCK.config,
        layers=(BASE, BASE),
    )
    with pytest.raises(Broken, match="another number of layers"):
        image(lock=lock)


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"manifests": []}', b'{"config": {"digest": "sha256:1"}, "layers": []}'])
def test_parse_manifest_refuses(raw: bytes) -> None:
    """An index of platforms, or a manifest without proper digests, is no image."""
    with pytest.raises(Broken, match="no image manifest"):
        oci.parse_manifest(raw, "it")

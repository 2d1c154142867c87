"""Images through a registry that scopes blobs to repositories, and back through tools that are not ours."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from tests.full.conftest import registry_in

from slipway import digests, oci, reference
from slipway.adapters import layout
from slipway.adapters import registry as registries
from slipway.errors import Broken, Rejected
from slipway.oci import Image
from slipway.records import RuntimeLock
from slipway.reference import Reference

pytestmark = pytest.mark.usefixtures("container_tools")
FILES = {"bento/bento.yaml": (b"service: it\n", False), "bento/src/model.onnx": (bytes(range(256)) * 500, False)}
CONTAINERFILE = "FROM scratch\nCOPY one /one\nCOPY two /two\nENV A=1\nUSER 1034:1034\n"


@pytest.fixture(scope="module")
def runtime(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """A runtime image of two layers in a repository of its own, built and pushed by buildah."""
    context = tmp_path_factory.mktemp("runtime")
    for name in ("Containerfile", "one", "two"):
        (context / name).write_text(CONTAINERFILE if name == "Containerfile" else name * 1000)
    buildah("build", "--quiet", "--layers", "--timestamp", "0", "--tag", "tiny", str(context))
    buildah("push", "--quiet", "--tls-verify=false", "tiny", f"docker://{registry}/team/runtime:1")
    return reference.parse(f"{registry}/team/runtime:1")


@pytest.fixture(scope="module")
def lock(runtime: Reference) -> RuntimeLock:
    """The lock of that runtime."""
    return registries.make_lock(runtime)


@pytest.fixture(scope="module")
def image(lock: RuntimeLock) -> Image:
    """A release on it."""
    return release(lock, FILES)


def release(lock: RuntimeLock, files: oci.Files) -> Image:
    """Append files to the runtime as `slipway package` does."""
    tar = oci.layer(files, "home/bento")
    return oci.append(lock, tar, created_by="test", env={"B": "2"}, labels={"v": "1"}, workdir="/home/bento")


def buildah(*arguments: str) -> str:
    """Run buildah."""
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def skopeo(*arguments: str) -> str:
    """Run skopeo."""
    return subprocess.run(["skopeo", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def push(image: Image, to: Reference, runtime: Reference) -> list[str]:
    """Push, and list how each blob got there: the layers in their order, then the config."""
    how: list[str] = []
    registries.push(image, to, runtime, lambda _, way: how.append(way))
    return how


def holds(repository: Reference, digest: str) -> bool:
    """Ask the registry whether a repository has a blob, without our client."""
    url = f"http://{repository.host}/v2/{repository.name}/blobs/{digest}"
    return requests.head(url, timeout=10).status_code == 200


def tags(repository: Reference) -> list[str]:
    """List the tags of a repository, without our client."""
    url = f"http://{repository.host}/v2/{repository.name}/tags/list"
    return list(requests.get(url, timeout=10).json().get("tags") or [])


def test_lock_is_what_the_registry_holds(runtime: Reference, lock: RuntimeLock) -> None:
    """The lock names the image that another client sees: manifest, layers, settings, platform."""
    address = f"docker://{runtime.repository}:1"
    raw = subprocess.run(["skopeo", "inspect", "--tls-verify=false", "--raw", address], check=True, capture_output=True)
    assert lock.manifest_digest == digests.of_bytes(raw.stdout)
    assert [layer.digest for layer in lock.layers] == [layer["digest"] for layer in json.loads(raw.stdout)["layers"]]
    assert len(lock.layers) == 2
    assert lock.config == json.loads(skopeo("inspect", "--tls-verify=false", "--config", "--raw", address))
    assert (lock.platform, lock.repository) == ("linux/amd64", runtime.repository)
    by_digest = registries.make_lock(Reference(runtime.host, runtime.name, digest=lock.manifest_digest))
    assert by_digest == lock


def test_release_in_another_repository(runtime: Reference, image: Image, tmp_path: Path) -> None:
    """Layers of the runtime are mounted, ours are sent, and what skopeo pulls is the same image with the same files."""
    to = Reference(runtime.host, "team/release", tag="v1")
    assert not any(holds(to, layer.digest) for layer in image.layers)
    assert push(image, to, runtime) == ["mounted", "mounted", "uploaded", "uploaded"]
    skopeo("copy", "--quiet", "--src-tls-verify=false", f"docker://{to.repository}:v1", f"oci:{tmp_path}/pulled:v1")
    pulled, tag = layout.read(tmp_path / "pulled")
    assert (pulled.manifest, pulled.config, tag) == (image.manifest, image.config, "v1")
    assert set(pulled.blobs) == {layer.digest for layer in image.layers}
    facts = layout.unpack(tmp_path / "pulled", tmp_path / "files")
    assert facts == layout.ImageFacts(
        image.digest, {**facts.env, "A": "1", "B": "2"}, {**facts.labels, "v": "1"}, "/home/bento"
    )
    for name, (content, _) in FILES.items():
        assert (tmp_path / "files" / "home/bento" / name).read_bytes() == content


def test_what_was_pushed_is_pulled(runtime: Reference, image: Image) -> None:
    """By its digest: manifest, settings, and the layer with the bento; the runtime's layers are not fetched."""
    to = Reference(runtime.host, "team/pull", tag="v1")
    push(image, to, runtime)
    pulled = registries.pull(replace(to, tag=None, digest=image.digest))
    assert (pulled.manifest, pulled.config) == (image.manifest, image.config)
    assert dict(pulled.blobs) == {image.layers[-1].digest: image.blobs[image.layers[-1].digest]}
    with pytest.raises(Broken, match="404"):
        registries.pull(replace(to, tag=None, digest=f"sha256:{64 * '0'}"))


def test_a_container_engine_unpacks_it(runtime: Reference, image: Image) -> None:
    """Buildah pulls the release by digest and finds the runtime's files and ours in one root, owned by root."""
    to = Reference(runtime.host, "team/engine", tag="v1")
    push(image, to, runtime)
    container = buildah("from", "--tls-verify=false", f"{to.repository}@{image.digest}")
    root = Path(buildah("mount", container))
    assert (root / "one").read_text() == "one" * 1000
    for name, (content, executable) in FILES.items():
        path = root / "home/bento" / name
        assert (path.read_bytes(), path.stat().st_uid, path.stat().st_mode & 0o777) == (
            content,
            0,
            0o755 if executable else 0o644,
        )


def test_again_sends_nothing(runtime: Reference, image: Image) -> None:
    """A second push finds every blob in place; another release on the same runtime sends its layer and config only."""
    to = Reference(runtime.host, "team/again", tag="v1")
    push(image, to, runtime)
    assert push(image, to, runtime) == ["exists"] * 4
    other = release(registries.make_lock(runtime), {"bento/x": (b"x", True)})
    assert push(other, replace(to, tag="v2"), runtime) == ["exists", "exists", "uploaded", "uploaded"]
    assert tags(to) == ["v1", "v2"]


@pytest.mark.parametrize("elsewhere", ["same registry", "another registry"])
def test_a_layer_that_is_nowhere_stops_it(
    runtime: Reference, image: Image, tmp_path_factory: pytest.TempPathFactory, elsewhere: str
) -> None:
    """Without the runtime's layers nothing is published, no upload stays open, and the remedy names the command."""
    with registry_in(tmp_path_factory.getbasetemp() / elsewhere) as host:
        to = Reference(host, "team/release", tag="v1")
        origin = Reference(host, "team/empty") if elsewhere == "same registry" else runtime
        says = "is in another registry" if elsewhere == "another registry" else "does not mount it"
        with pytest.raises(Broken, match=f"lacks the layer .* {says}") as stop:
            push(image, to, origin)
        assert "slipway runtime build" in stop.value.remedy
        assert tags(to) == []
    assert list((tmp_path_factory.getbasetemp() / elsewhere).rglob("_uploads/*/startedat")) == []


@pytest.fixture
def tampered(runtime: Reference, tmp_path: Path) -> Iterator[tuple[Reference, Path]]:
    """A registry of its own with a copy of the runtime image, and the folder of its blobs."""
    with registry_in(tmp_path) as host:
        copy = Reference(host, runtime.name, tag="1")
        source, target = (f"docker://{place.repository}:1" for place in (runtime, copy))
        skopeo("copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", source, target)
        yield copy, tmp_path / "registry/docker/registry/v2/blobs/sha256"


def spoil(blobs: Path, digest: str) -> None:
    """Add a space to a stored JSON document: it means the same, but is not the document that its digest names."""
    (stored,) = blobs.glob(f"??/{digest.removeprefix('sha256:')}/data")
    stored.write_bytes(stored.read_bytes() + b" ")


@pytest.mark.parametrize("part", ["manifest", "config"])
def test_a_lock_is_made_from_true_bytes_only(tampered: tuple[Reference, Path], lock: RuntimeLock, part: str) -> None:
    """A manifest or config that the registry holds under a digest that is not its own is refused."""
    copy, blobs = tampered
    raw = requests.get(f"http://{copy.host}/v2/{copy.name}/manifests/1", headers={"Accept": oci.MANIFEST}, timeout=10)
    spoil(blobs, lock.manifest_digest if part == "manifest" else raw.json()["config"]["digest"])
    with pytest.raises(Rejected, match="the registry gives"):
        registries.make_lock(Reference(copy.host, copy.name, digest=lock.manifest_digest))


def test_a_push_is_read_back(tampered: tuple[Reference, Path], image: Image) -> None:
    """A registry that acknowledges the manifest, but serves another one, does not get away with it."""
    copy, blobs = tampered
    to = Reference(copy.host, "team/release", tag="v1")
    push(image, to, copy)
    spoil(blobs, image.digest)
    shutil.rmtree(blobs.parents[1] / "repositories/team/release/_manifests/tags/v1")  # so that the tag seems free
    with pytest.raises(Rejected, match=f"not {image.digest}"):
        push(image, to, copy)


def test_a_tag_never_moves(runtime: Reference, lock: RuntimeLock, image: Image) -> None:
    """A version that was pushed stays what it is: another image under its tag is refused, and nothing is sent."""
    to = Reference(runtime.host, "team/still", tag="v1")
    push(image, to, runtime)
    other = release(lock, {"bento/x": (b"other", True)})
    with pytest.raises(Rejected, match="not sha256") as refusal:
        push(other, to, runtime)
    assert "new version" in refusal.value.remedy
    assert not holds(to, other.layers[-1].digest)
    assert push(image, to, runtime) == ["exists"] * 4


def test_an_index_of_platforms_is_refused(runtime: Reference) -> None:
    """A name that stands for several images is no image to stand on."""
    manifests = f"http://{runtime.host}/v2/{runtime.name}/manifests"
    manifest = requests.get(f"{manifests}/1", headers={"Accept": oci.MANIFEST}, timeout=10).content
    child = {"mediaType": oci.MANIFEST, "digest": digests.of_bytes(manifest), "size": len(manifest)}
    index = oci.canonical({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [child]})
    requests.put(f"{manifests}/many", data=index, headers={"Content-Type": oci.INDEX}, timeout=10).raise_for_status()
    with pytest.raises(Broken, match="no image manifest"):
        registries.make_lock(replace(runtime, tag="many"))


def test_what_is_not_there_is_said(registry: str) -> None:
    """An unknown image and a registry that does not answer are errors with a remedy, never a lock."""
    with pytest.raises(Broken, match="answered 404"):
        registries.make_lock(reference.parse(f"{registry}/team/nothing:1"))
    with pytest.raises(Broken, match="gave no answer"):
        registries.make_lock(reference.parse("127.0.0.1:9/team/nothing:1"))

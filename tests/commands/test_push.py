"""`slipway push` refuses before it speaks to a registry."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.conftest import ROOT

from slipway import oci, quiet
from slipway.adapters import files, layout
from slipway.commands import push, runtime, wheel_image
from slipway.errors import Broken, Rejected
from slipway.records import RuntimeLock

LOCK = files.read_record(RuntimeLock, ROOT / runtime.LOCK)
NOWHERE = "127.0.0.1:9/team"  # nothing listens there: who reaches it has not been refused


def fork(folder: Path, repository: str | None = f"{NOWHERE}/runtime", *, change: bool = False) -> Path:
    """Make the part of a fork that push reads, its runtime built or not, and a release image in it."""
    for path in (runtime.RECIPE.containerfile, runtime.RECIPE.wheels):
        (folder / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    marked = msgspec.to_builtins(LOCK.config)
    marked["config"]["Labels"] = {wheel_image.MADE_FROM: runtime.RECIPE.made_from(folder)}
    lock = msgspec.structs.replace(LOCK, repository=repository, config=marked)
    files.write_record(folder / runtime.LOCK, lock)
    tar = oci.layer({"x": (b"x", False)}, "home/bento")
    image = oci.append(lock, tar, created_by="test", env={}, labels={}, workdir="/home/bento")
    layout.write(folder / "image", image, "1.0.0")
    if change:
        with (folder / runtime.RECIPE.wheels).open("a") as stream:
            stream.write("# another dependency\n")
    return folder


def test_this_repository_has_no_registry() -> None:
    """The lock that is committed names no repository: each fork builds the runtime image on a base of its own."""
    assert LOCK.repository is None


def test_push_refuses_until_a_fork_has_its_own_runtime(tmp_path: Path) -> None:
    """Without a runtime image in a registry of theirs, a push is refused with the command that makes one."""
    root = fork(tmp_path, None)
    with pytest.raises(Rejected, match="in no registry of yours yet") as refusal:
        push.push(root / "image", f"{NOWHERE}/release", root)
    assert "slipway runtime build" in refusal.value.remedy


def test_push_refuses_an_outdated_runtime(tmp_path: Path) -> None:
    """A runtime image that was built from other wheels than the lock now names does not carry a release."""
    root = fork(tmp_path, change=True)
    with pytest.raises(Rejected, match="has changed since the runtime image was built"):
        push.push(root / "image", f"{NOWHERE}/release", root)


def test_push_refuses_an_image_on_another_runtime(tmp_path: Path) -> None:
    """An image that was packaged before the runtime was rebuilt is packaged again, not pushed."""
    root = fork(tmp_path)
    lock = files.read_record(RuntimeLock, root / runtime.LOCK)
    files.write_record(root / runtime.LOCK, msgspec.structs.replace(lock, layers=lock.layers[::-1]))
    with pytest.raises(Rejected, match="another runtime"):
        push.push(root / "image", f"{NOWHERE}/release", root)


def test_push_goes_on_when_nothing_is_wrong(tmp_path: Path) -> None:
    """The same image without the faults gets as far as the registry, so it was them that were refused."""
    root = fork(tmp_path)
    with pytest.raises(Broken, match="gave no answer"):
        push.push(root / "image", f"{NOWHERE}/release", root)


@pytest.mark.parametrize("to", ["team/release", f"{NOWHERE}/release:1.0.0"])
def test_push_wants_a_repository(tmp_path: Path, to: str) -> None:
    """The target is a repository with its registry; the tag is the release's version and no choice."""
    root = fork(tmp_path)
    with pytest.raises(Broken, match="names"):
        push.push(root / "image", to, root)


def test_build_wants_a_base_by_digest(tmp_path: Path) -> None:
    """A base that is named by tag is refused before anything is fetched: a tag moves."""
    with pytest.raises(Broken, match="a tag moves"):
        runtime.build("registry.example.org/python:3.11", f"{NOWHERE}/runtime", fork(tmp_path))


def test_build_without_buildah_is_said(tmp_path: Path) -> None:
    """On a machine without buildah the command ends with what to install."""
    code = "from slipway.adapters import buildah; from slipway.reference import Reference; buildah._buildah('version')"
    environment = os.environ | {"PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "Broken: buildah is not installed" in done.stderr


def test_the_runtime_is_silent_and_unprivileged() -> None:
    """The image phones nobody, as every other entry: its variables are those of `quiet`; its user is not root."""
    settings = dict(line.split("=", 1) for line in LOCK.config["config"]["Env"])
    assert {name: settings.get(name) for name in quiet.SILENT} == quiet.SILENT
    assert LOCK.config["config"]["User"] == "1034:1034"
    containerfile = (ROOT / runtime.RECIPE.containerfile).read_text()
    assert [name for name, value in quiet.SILENT.items() if f"    {name}={value}" not in containerfile] == []


def test_the_entry_point_serves_what_package_packs() -> None:
    """The image starts `bentoml serve` itself, no shell, on the folder that `package` fills."""
    from slipway.commands.package import PREFIX

    assert LOCK.config["config"]["Entrypoint"] == ["bentoml", "serve", f"/{PREFIX}/bento", "--port", "3000"]

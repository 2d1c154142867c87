"""What a clone elsewhere takes over of a checkout's DVC, and the digest of data that does not believe a remote."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from slipway.adapters import dvc
from slipway.errors import Broken

TRACKED = """[core]
    remote = inside
['remote "inside"']
    url = ../remote
['remote "outside"']
    url = ../../shared
['remote "cloud"']
    url = s3://bucket/data
"""
LOCAL = """['remote "inside"']
    url = ../elsewhere
['remote "cloud"']
    credentialpath = ../secret
    secret_access_key = "a#b,c"
[cache]
    dir = ../cache
    type = symlink
"""


def checkout(root: Path, tracked: str, local: str | None = None) -> Path:
    """A folder with DVC's settings."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(tracked)
    if local is not None:
        (root / ".dvc/config.local").write_text(local)
    return root


def settings(root: Path) -> Any:
    """What DVC reads there."""
    from dvc.config import Config

    return Config(str(root / ".dvc"))


@pytest.mark.parametrize("local", [LOCAL, None], ids=["with credentials", "without"])
def test_a_clone_reaches_what_its_checkout_reaches(local: str | None, tmp_path: Path) -> None:
    """Relative paths lead where they led from the checkout; what lies in the repository is the clone's own."""
    one = checkout(tmp_path / "checkout", TRACKED, local)
    other = checkout(tmp_path / "deep/down/clone", TRACKED)
    dvc.bring_settings(one, other)
    remotes = settings(other)["remote"]

    assert remotes["outside"]["url"] == str(tmp_path / "shared")
    assert remotes["cloud"]["url"] == "s3://bucket/data"
    assert remotes["inside"]["url"] == str((one / "elsewhere") if local else (other / "remote"))
    if local:
        assert remotes["cloud"]["credentialpath"] == str(one / "secret")
        assert remotes["cloud"]["secret_access_key"] == "a#b,c"  # noqa: S105  # none
    assert dict(settings(other)["cache"])["dir"] == str(other / ".dvc/cache")
    assert "type" not in settings(other)["cache"]
    assert (other / ".dvc/config.local").stat().st_mode & 0o077 == 0


def test_settings_that_dvc_refuses_are_named(tmp_path: Path) -> None:
    """Never a traceback."""
    one, other = checkout(tmp_path / "one", TRACKED, "[core]\n    colour = red\n"), checkout(tmp_path / "two", TRACKED)
    with pytest.raises(Broken, match="colour"):
        dvc.bring_settings(one, other)


def test_the_digest_of_a_folder_is_dvcs(tmp_path: Path) -> None:
    """Of the bytes that are there: names with accents and spaces, folders in folders, an empty file."""
    for command in ("git init -q", "dvc init -q"):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    for name in ("a b", "é/ü", "a/b", "a.b", "Z", "empty"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name == "empty" else name)
    subprocess.run(["dvc", "add", "-q", "data"], cwd=tmp_path, check=True, capture_output=True)

    assert dvc.folder_digest(tmp_path / "data") == dvc.data_digest(tmp_path)
    (tmp_path / "data/Z").write_text("z")
    assert dvc.folder_digest(tmp_path / "data") != dvc.data_digest(tmp_path)

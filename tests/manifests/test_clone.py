"""How the relay's pod gets its clone, and by which credentials: the manifest's own lines, run here."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.manifests.conftest import ROOT

from slipway.manifests import tree

PATH = "k8s/rendered/platform/slipway_apps_v1_deployment_relay.yaml"
HELD = "/etc/slipway/relay/git-credentials"


@pytest.fixture(scope="module")
def clone() -> Any:
    """The init container."""
    (deployment,) = tree.parse((ROOT / PATH).read_text(), PATH)
    return deployment["spec"]["template"]["spec"]["initContainers"][0]


def begin(clone: Any, place: Path, origin: Path) -> subprocess.CompletedProcess[str]:
    """Run it in a folder as in its volume."""
    words = [*clone["command"], *clone["args"]]
    environment = os.environ | {"REPOSITORY": str(origin)}
    return subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False)


def git(folder: Path, *words: str) -> str:
    """Run git."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_it_clones_once(clone: Any, tmp_path: Path) -> None:
    """What a killed clone left is no clone; a whole one stays, with what is in it, and follows a changed address.

    Also if the power failed while Git held locks.
    """
    origin, moved, place = (tmp_path / name for name in ("origin", "moved", "place"))
    for folder in (origin, place / "begun" / ".git"):
        folder.mkdir(parents=True)
    assert begin(clone, place, tmp_path / "none").returncode != 0
    assert not (place / "main").exists()
    git(origin, "init", "--quiet", "--initial-branch=main")
    git(origin, "commit", "--quiet", "--allow-empty", "--message=First")
    assert begin(clone, place, origin).returncode == 0
    assert sorted(path.name for path in place.iterdir()) == ["main"]
    (place / "main" / "kept").touch()
    locks = [place / "main/.git" / name for name in ("config.lock", "refs/remotes/origin/main.lock")]
    for lock in locks:
        lock.touch()
    origin.rename(moved)
    assert begin(clone, place, moved).returncode == 0
    assert (place / "main" / "kept").exists()
    assert not any(lock.exists() for lock in locks)
    assert git(place / "main", "remote", "get-url", "origin") == str(moved)


def test_git_reads_its_credentials_and_leaves_them(clone: Any, tmp_path: Path) -> None:
    """It is given those of the file, for the host that they are for; to store or to forget changes nothing."""
    held = tmp_path / "git-credentials"
    held.write_text("https://relay:t0ken@git.example.com\n")
    settings = {each["name"]: each["value"] for each in clone["env"]}
    assert HELD in settings["GIT_CONFIG_VALUE_0"]
    settings["GIT_CONFIG_VALUE_0"] = settings["GIT_CONFIG_VALUE_0"].replace(HELD, str(held))
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ASKPASS": ""}

    def credential(verb: str, host: str, more: str = "") -> subprocess.CompletedProcess[str]:
        asked = f"protocol=https\nhost={host}\n{more}\n"
        command = ["git", "credential", verb]
        environment = os.environ | alone | settings
        return subprocess.run(command, input=asked, env=environment, capture_output=True, text=True, check=False)

    assert "username=relay\npassword=t0ken\n" in credential("fill", "git.example.com").stdout
    assert credential("fill", "elsewhere.example.com").returncode != 0
    for verb, host in (("approve", "elsewhere.example.com"), ("reject", "git.example.com")):
        done = credential(verb, host, "username=relay\npassword=t0ken\n")
        assert (done.returncode, done.stderr) == (0, "")
    assert held.read_text() == "https://relay:t0ken@git.example.com\n"

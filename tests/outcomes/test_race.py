"""Twenty real processes on one bare repository: verbs of several machines, and people who push. Nothing is lost."""

import subprocess
from pathlib import Path

from tests.outcomes.world import World
from tests.samples import package

from slipway import append_only, releases

PERSON = """
set -e
for number in 1 2 3; do
  echo "$number" > "note-$1-$number"
  git add . && git commit -qm "Note $1-$number"
  for attempt in $(seq 200); do git pull -q --rebase origin main && git push -q origin main && break; sleep 0.1; done
done
"""
WAVES = ("1.2.0", "1.3.0")  # superseded one by the other in staging; 1.4.0 is in flight


def test_twenty_at_once_lose_nothing(world: World) -> None:
    """Each outcome stands once, however often it was asked for, and each note of each person stands."""
    for version, environment in (("1.0.0", "staging"), ("1.0.0", "production"), ("1.1.0", "staging")):
        world.release(version, environment)
        world.promote(version, environment)
    for version in (*WAVES, "1.4.0"):
        world.release(version, "staging", supersede=True)
    began = world.head()
    images = [package(version).image_digest for version in WAVES]
    verbs = [
        *(("revert", "--digest", image, "-e", "staging", "--cause", "verdict") for image in images),
        *(4 * [("promote", "1.4.0", "-e", "staging")]),
        *(4 * [("promote", "1.1.0", "-e", "staging")]),
        *(4 * [("release", "--carry", "1.1.0")]),
    ]
    processes = [start(world, number, "slipway", *verb) for number, verb in enumerate(verbs)]
    processes += [start(world, 20 + number, "sh", "-c", PERSON, "-", str(number)) for number in range(6)]
    assert len(processes) == 20

    codes = [(process.communicate(timeout=300), process.returncode) for process in processes]
    failed = [(printed, code) for printed, code in codes if code]
    for (_, told), code in failed:  # 1.1.0 is the stable of staging until 1.4.0 is; whoever asks later is told so
        assert code == 1, told
        assert "1.1.0 is not in flight in staging" in " ".join(told.split())

    subjects = world.git("log", "--format=%s", f"{began}..main").splitlines()
    expected = [f"Note {who}-{number}" for who in range(6) for number in (1, 2, 3)]
    expected += [f"Revert {version} in staging" for version in WAVES]
    assert sorted(subjects) == sorted([*expected, "Promote 1.4.0 in staging", "Release 1.1.0 to production"])
    state = world.state()
    assert state.stable.environments == {"staging": "1.4.0", "production": "1.0.0"}
    assert releases.in_flight(state.releases, "production") == "1.1.0"
    last = {version: releases.kinds(release, "staging")[-1] for version, release in state.releases.items()}
    assert last == {version: "reverted" if version in WAVES else "promoted" for version in last}
    grown(world, began)


def start(world: World, number: int, *command: str) -> "subprocess.Popen[str]":
    """Start a process in a clone: every third in one that several share, as on one machine."""
    folder = world.folder / ("shared" if number % 3 == 0 and number < 20 else f"clone-{number}")
    if not folder.exists():
        world.git("clone", "-q", str(world.origin), str(folder), folder=world.folder)
    return subprocess.Popen(
        command, cwd=folder, env=world.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def grown(world: World, began: str) -> None:
    """See that each commit has only added to releases/."""
    before: dict[str, str] | None = None
    for commit in [began, *world.git("rev-list", "--reverse", "--first-parent", f"{began}..main").splitlines()]:
        names = world.git("ls-tree", "--name-only", commit, "releases/").splitlines()
        now = {Path(name).name: world.git("show", f"{commit}:{name}") for name in names}
        assert before is None or append_only.faults(before, now) == []
        before = now


def test_a_release_that_comes_during_an_abort_is_left_alone(world: World) -> None:
    """Decided on 1.1.0 in flight; before the push arrives 1.2.0 has taken its place: decided anew."""
    world.release("1.0.0", "staging")
    world.promote("1.0.0", "staging")
    aborted = world.release("1.1.0", "staging")
    hook = world.clone / ".git/hooks/pre-push"
    other = World(world.folder / "elsewhere")
    other.folder.mkdir()
    (other.folder / "origin.git").symlink_to(world.origin)
    world.git("clone", "-q", str(world.origin), str(other.clone), folder=world.folder)
    hold = world.folder / "hold"
    hook.write_text(f"#!/bin/sh\nwhile [ -e {hold} ]; do touch {hold}.reached; sleep 0.05; done\n")
    hook.chmod(0o755)
    hold.touch()
    process = start_here(world, "revert", "--digest", aborted, "-e", "staging", "--cause", "verdict")
    while not hold.with_name("hold.reached").exists():
        assert process.poll() is None
    other.release("1.2.0", "staging", supersede=True)
    newer = world.manifests("staging")
    hold.unlink()

    assert process.wait(120) == 0
    assert world.manifests("staging") == newer
    assert world.kinds("1.1.0", "staging") == ["proposed", "superseded", "reverted"]
    assert world.kinds("1.2.0", "staging") == ["proposed"]


def start_here(world: World, *command: str) -> "subprocess.Popen[bytes]":
    """Start a verb in the clone."""
    return subprocess.Popen(("slipway", *command), cwd=world.clone, env=world.environment())
